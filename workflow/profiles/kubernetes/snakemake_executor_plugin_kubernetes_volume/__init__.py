"""Snakemake's Kubernetes executor, for pods that share one volume with the run that starts them.

The executor that it builds on takes it that nothing is shared: whatever --shared-fs-usage says, it
has every input and output copied from and to a bucket. A training reads slices of arrays where they
lie and goes on from checkpoints that are no outputs, so results belong on a volume. Snakemake finds
this module by its name where its folder is on PYTHONPATH.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from logging import Logger
from typing import Any

import snakemake_executor_plugin_kubernetes as of_snakemake
from kubernetes.client import (
    ApiClient,
    ApiException,
    BatchV1Api,
    CoreV1Api,
    V1EmptyDirVolumeSource,
    V1Job,
    V1JobStatus,
    V1PodList,
    V1PodSpec,
    V1Volume,
    V1VolumeMount,
)
from urllib3.exceptions import HTTPError

HANDED_ON = ("SLICEWISE_RUN",)
"""What a job must know of the run that started it: by this it keeps apart from another run's."""

HEED = """heed() { trap 'trap "" TERM; kill -TERM 0; wait $!; exit $?' TERM; "$@" & wait $!; }"""
"""Has a shell pass on the word to end, SIGTERM, which only the first process of a pod is told, to
all of them, as Slurm does: Snakemake keeps it from the training, which would save and end. The
first process is that shell, and ends as what it started."""

PAUSES = (1, 10, 60)
"""Seconds between attempts to start a pod where Kubernetes answers with an error of its own."""

# Storage plugins are in the image, in the versions that are pinned, and so is the workflow.
common_settings = replace(
    of_snakemake.common_settings,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    auto_deploy_default_storage_provider=False,
)


@dataclass
class ExecutorSettings(of_snakemake.ExecutorSettings):
    """The settings of Snakemake's executor: --kubernetes-volume-namespace and so on."""


class Answers:
    """Takes an error that Kubernetes answers for what can be gone on with.

    Snakemake's executor forgets a job, so that the run waits for it for ever, or ends the run and
    all of its jobs, where one question is not answered: by a server that starts anew, say.
    """

    def __init__(self, api_client: ApiClient, logger: Logger):
        super().__init__(api_client)
        self._logger = logger

    def _asked(
        self, otherwise: Callable[[Exception], Any], ask: Callable, *args: Any, **kwargs: Any
    ) -> Any:
        """Return what is answered, or what an error comes to.

        That nobody is logged in (401) is left to Snakemake's executor, which logs in anew.
        """
        try:
            return ask(*args, **kwargs)
        except (ApiException, HTTPError) as problem:
            if getattr(problem, "status", None) == 401:
                raise
            self._logger.warning(f"Kubernetes, {ask.__name__}: {said(problem)}")
            return otherwise(problem)


def said(problem: Exception) -> str:
    """Return what Kubernetes said of a problem."""
    return str(getattr(problem, "body", None) or problem)


def share_memory(pod: V1PodSpec) -> None:
    """Let the processes of a pod share its memory, as those on several GPUs do, and not 64 MB."""
    if "shm" not in [volume.name for volume in pod.volumes]:
        memory = V1EmptyDirVolumeSource(medium="Memory")
        pod.volumes.append(V1Volume(name="shm", empty_dir=memory))
        pod.containers[0].volume_mounts.append(V1VolumeMount(name="shm", mount_path="/dev/shm"))


class Pods(Answers, CoreV1Api):
    """The part of Kubernetes that knows of pods and secrets."""

    def list_namespaced_pod(self, *args: Any, **kwargs: Any) -> V1PodList:
        """Return pods, or none where they cannot be told."""
        ask = super().list_namespaced_pod
        return self._asked(lambda _: V1PodList(items=[]), ask, *args, **kwargs)

    def read_namespaced_pod_log(self, *args: Any, **kwargs: Any) -> str:
        """Return the log of a pod, or why there is none: it went with its node.

        Snakemake's executor asks for that of the container before the present one, which a pod that
        is never restarted has not.
        """
        ask = super().read_namespaced_pod_log
        return self._asked(said, ask, *args, **{**kwargs, "previous": False})

    def delete_namespaced_pod(self, *args: Any, **kwargs: Any) -> Any:
        """Delete a pod. One that stays goes with its job."""
        ask = super().delete_namespaced_pod
        return self._asked(lambda _: None, ask, *args, **kwargs)


class Jobs(Answers, BatchV1Api):
    """The part of Kubernetes that knows of jobs."""

    def create_namespaced_job(self, namespace: str, body: V1Job, **kwargs: Any) -> V1Job:
        """Start a job, in some minutes at the latest, whose processes may share memory."""
        share_memory(body.spec.template.spec)
        for pause in (*PAUSES, None):
            try:
                return super().create_namespaced_job(namespace, body, **kwargs)
            except ApiException as problem:
                if problem.status == 409:  # it is there: what was not answered was heard
                    return body
                if pause is None or problem.status < 500:
                    raise
                self._logger.warning(f"Kubernetes, create_namespaced_job: {said(problem)}")
                time.sleep(pause)

    def read_namespaced_job_status(self, *args: Any, **kwargs: Any) -> V1Job | None:
        """Return a job: none where it was deleted, and one that goes on where nothing is known."""
        ask = super().read_namespaced_job_status

        def otherwise(problem: Exception) -> V1Job | None:
            gone = getattr(problem, "status", None) == 404
            return None if gone else V1Job(status=V1JobStatus())

        return self._asked(otherwise, ask, *args, **kwargs)

    def delete_namespaced_job(self, *args: Any, **kwargs: Any) -> Any:
        """Delete a job. One that stays ends by itself."""
        ask = super().delete_namespaced_job
        return self._asked(lambda _: None, ask, *args, **kwargs)


class Executor(of_snakemake.Executor):
    """Starts a pod for each job, in the folder of the run."""

    @property
    def kubeapi(self) -> Pods:
        """Return the part of Kubernetes that knows of pods and secrets."""
        return self._pods

    @kubeapi.setter
    def kubeapi(self, api: CoreV1Api) -> None:
        self._pods = Pods(api.api_client, self.logger)

    @property
    def batchapi(self) -> Jobs:
        """Return the part of Kubernetes that knows of jobs."""
        return self._jobs

    @batchapi.setter
    def batchapi(self, api: BatchV1Api) -> None:
        self._jobs = Jobs(api.api_client, self.logger)

    def get_job_exec_prefix(self, job: Any) -> str:
        """Return what a pod does first: it enters the folder of the run, which is on the volume."""
        known = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
        exports = [f"export {name}={shlex.quote(value)}" for name, value in known.items()]
        return " && ".join([HEED, *exports, f"cd {shlex.quote(os.getcwd())}"])

    def get_python_executable(self) -> str:
        """Return what runs Python in a pod, and passes on to it that it is to end."""
        return f"heed {super().get_python_executable()}"
