"""Snakemake's Kubernetes executor, for pods that share one volume with the run that starts them.

The executor that it builds on takes it that nothing is shared: whatever --shared-fs-usage says, it
has every input and output copied from and to a bucket. A training reads slices of arrays where they
lie and goes on from checkpoints that are no outputs, so results belong on a volume. Snakemake finds
this module by its name where its folder is on PYTHONPATH.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, replace
from typing import Any

import snakemake_executor_plugin_kubernetes as of_snakemake
from kubernetes.client import CoreV1Api

HANDED_ON = ("SLICEWISE_RUN",)
"""What a job must know of the run that started it: by this it keeps apart from another run's."""

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


class Pods(CoreV1Api):
    """The part of Kubernetes that knows of pods and secrets."""

    def read_namespaced_pod_log(self, *args: Any, **kwargs: Any) -> Any:
        """Return the log of a pod.

        Snakemake's executor asks for that of the container before the present one, which a pod that
        is never restarted has not. The answer, an error, would end the run in place of one try.
        """
        return super().read_namespaced_pod_log(*args, **{**kwargs, "previous": False})


class Executor(of_snakemake.Executor):
    """Starts a pod for each job, in the folder of the run."""

    @property
    def kubeapi(self) -> Pods:
        """Return the part of Kubernetes that knows of pods and secrets."""
        return self._pods

    @kubeapi.setter
    def kubeapi(self, api: CoreV1Api) -> None:
        self._pods = Pods(api.api_client)

    def get_job_exec_prefix(self, job: Any) -> str:
        """Return what a pod does first: it enters the folder of the run, which is on the volume."""
        known = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
        exports = [f"export {name}={shlex.quote(value)}" for name, value in known.items()]
        return " && ".join([*exports, f"cd {shlex.quote(os.getcwd())}"])
