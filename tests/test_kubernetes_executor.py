"""What the Kubernetes profile's executor makes of errors that Kubernetes answers, and its pods."""

import importlib
import logging
import shlex
import subprocess
import sys

import pytest
from kubernetes.client import (
    ApiException,
    V1Container,
    V1DeleteOptions,
    V1Job,
    V1JobSpec,
    V1PodSpec,
    V1PodTemplateSpec,
)
from kubernetes.config import new_client_from_config

from fake_kubernetes import Cluster, running


@pytest.fixture
def plugin(root, monkeypatch):
    monkeypatch.syspath_prepend(root / "workflow" / "profiles" / "kubernetes")
    return importlib.import_module("snakemake_executor_plugin_kubernetes_volume")


@pytest.fixture
def cluster(tmp_path):
    """Return a cluster with a job that has failed, and all of whose answers fail once."""
    hiccups = {
        *(("jobs/status", "get"), ("jobs", "delete")),
        *(("pods", "list"), ("pods", "delete"), ("pods/log", "get")),
    }
    made = Cluster(tmp_path, {}, hiccups=hiccups)
    made.processes["known"] = subprocess.Popen(["false"], start_new_session=True)
    made.processes["known"].wait()
    made.logs["known"] = tmp_path / "log"
    made.logs["known"].write_text("what it said")
    return made


def test_a_question_for_a_job_is_asked_again_where_it_was_not_answered(plugin, cluster):
    with running(cluster) as kubeconfig:
        client = new_client_from_config(str(kubeconfig))
        jobs = plugin.Jobs(client, logging.getLogger())
        active, failed, gone = (
            jobs.read_namespaced_job_status(name, "default") for name in ("known", "known", "other")
        )
    assert (active.status.failed, active.status.succeeded) == (None, None)
    assert failed.status.failed == 1
    assert gone is None
    # Nobody is there any more.
    active = jobs.read_namespaced_job_status("known", "default")
    assert (active.status.failed, active.status.succeeded) == (None, None)


def test_a_pod_that_cannot_be_seen_is_none_and_its_log_says_why(plugin, cluster):
    with running(cluster) as kubeconfig:
        pods = plugin.Pods(new_client_from_config(str(kubeconfig)), logging.getLogger())
        found = [
            len(pods.list_namespaced_pod("default", label_selector="job-name=known").items)
            for _ in range(2)
        ]
        why, log = (
            pods.read_namespaced_pod_log("known", "default", previous=True) for _ in range(2)
        )
    assert found == [0, 1]
    assert "no route to host" in why
    assert log == "what it said"


def test_a_job_that_was_heard_of_but_not_answered_is_not_started_twice(plugin, monkeypatch):
    statuses = [500, 409]

    def answer(_api, _namespace, body):
        raise ApiException(statuses.pop(0))

    monkeypatch.setattr(plugin.BatchV1Api, "create_namespaced_job", answer)
    monkeypatch.setattr(plugin, "PAUSES", (0,))
    container = V1Container(name="snakemake", volume_mounts=[])
    pod = V1PodSpec(containers=[container], volumes=[])
    job = V1Job(spec=V1JobSpec(template=V1PodTemplateSpec(spec=pod)))
    jobs = plugin.Jobs(None, logging.getLogger())
    assert jobs.create_namespaced_job("default", job) is job
    statuses[:] = [403]
    with pytest.raises(ApiException):
        jobs.create_namespaced_job("default", job)
    assert len(pod.volumes) == len(container.volume_mounts) == 1


def test_what_cannot_be_deleted_does_not_end_the_run(plugin, cluster):
    options = V1DeleteOptions()
    with running(cluster) as kubeconfig:
        client = new_client_from_config(str(kubeconfig))
        jobs, pods = (kind(client, logging.getLogger()) for kind in (plugin.Jobs, plugin.Pods))
        for _ in range(2):
            pods.delete_namespaced_pod("known", "default", body=options)
            jobs.delete_namespaced_job("known", "default", body=options)
    assert cluster.removed == ["pods/known", "jobs/known"]


STEPS = """\
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit("saved"))
print("trains", flush=True)
time.sleep(60)
"""
KEEPING_IT = """\
import signal, subprocess, sys
signal.signal(signal.SIGTERM, lambda *_: None)
sys.exit(subprocess.run([sys.executable, "-c", sys.argv[1]]).returncode)
"""


def test_all_processes_of_a_pod_are_told_to_end_and_it_ends_as_they_do(plugin):
    """A cluster tells only the first; Snakemake, the second, waits for its jobs then."""
    second = shlex.join([sys.executable, "-c", KEEPING_IT, STEPS])
    pod = subprocess.Popen(
        ["/bin/sh", "-c", f"{plugin.HEED} && heed {second}"],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert pod.stdout.readline() == "trains\n"
    pod.terminate()
    said, _ = pod.communicate(timeout=30)
    assert (said, pod.returncode) == ("saved\n", 1)


def test_a_pod_ends_with_the_status_of_its_job(plugin):
    for status in (0, 3):
        done = subprocess.run(["/bin/sh", "-c", f"{plugin.HEED} && heed sh -c 'exit {status}'"])
        assert done.returncode == status


def test_one_who_is_not_logged_in_is_told(plugin):
    def refused():
        raise ApiException(401)

    with pytest.raises(ApiException):
        plugin.Jobs(None, logging.getLogger())._asked(repr, refused)
