"""One run at a time, and no job without its run: real processes that are really killed."""

import os
import signal
import subprocess
import sys
import time

import pytest

from slicewise import locks

RUN = """
import subprocess, sys, time
from slicewise import locks
with locks.run(sys.argv[1]) as locked:
    job = [sys.executable, "-c", sys.argv[2], sys.argv[1]]
    jobs = [subprocess.Popen(job) for _ in sys.argv[3:]]
    print(locked, *(job.pid for job in jobs), flush=True)
    time.sleep(60)
"""
JOB = """
import sys, time
from slicewise import locks
with locks.job(sys.argv[1], "train_fold"):
    time.sleep(60)
"""


@pytest.fixture
def begin(root, tmp_path):
    """Return a function that begins a run in a process of its own; all are killed at the end."""
    begun = []

    def begin_run(*jobs: str) -> tuple[subprocess.Popen, list[int]]:
        environment = os.environ | {"PYTHONPATH": str(root / "workflow/scripts")}
        command = [sys.executable, "-c", RUN, str(tmp_path), JOB, *jobs]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        begun.append(process)
        locked, *pids = process.stdout.readline().split()
        assert locked == "True"
        until(lambda: len(job_locks(tmp_path)) == len(jobs))
        return process, [int(pid) for pid in pids]

    yield begin_run
    for process in begun:
        if process.poll() is None or job_locks(tmp_path):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def job_locks(results):
    return [path for path in (results / locks.FOLDER).glob("*.lock") if path.name != "run.lock"]


def until(ready) -> None:
    end = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_second_run_is_refused_and_told_who_is_at_work(tmp_path, begin):
    process, _ = begin()
    with (
        pytest.raises(locks.Busy, match=rf"another run .* process {process.pid} on "),
        locks.run(tmp_path),
    ):
        pass


def test_a_lock_ends_with_its_run_whatever_ends_it(tmp_path, begin):
    process, _ = begin()
    process.kill()
    process.wait()
    with locks.run(tmp_path) as locked:
        assert locked


def test_jobs_end_when_their_run_is_killed_and_the_next_waits_for_them(tmp_path, begin):
    process, _ = begin("job", "job")
    process.kill()
    process.wait()
    with locks.run(tmp_path):
        assert job_locks(tmp_path) == []


def test_jobs_that_do_not_end_are_named(tmp_path, begin, monkeypatch):
    process, pids = begin("job")
    os.kill(pids[0], signal.SIGSTOP)
    process.kill()
    process.wait()
    monkeypatch.setattr(locks, "PATIENCE", 0)
    with (
        pytest.raises(locks.Busy, match=rf"train_fold, process {pids[0]} on "),
        locks.run(tmp_path),
    ):
        pass


def test_the_lock_of_a_killed_job_goes_with_the_next_run(tmp_path, begin):
    process, pids = begin("job")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert len(job_locks(tmp_path)) == 1
    with locks.run(tmp_path):
        assert job_locks(tmp_path) == []


def test_a_job_that_comes_to_its_work_after_the_next_run_began_is_refused(tmp_path, monkeypatch):
    with locks.run(tmp_path):
        monkeypatch.setenv(locks.RUN, f"snakemake, process 1 on {os.uname().nodename}, since then")
        with pytest.raises(locks.Busy, match="another run has begun"), locks.job(tmp_path, "x"):
            pass
        assert job_locks(tmp_path) == []
        monkeypatch.undo()


def test_a_job_that_no_run_has_started_needs_no_lock(tmp_path):
    with locks.job(tmp_path, "train_fold"):
        assert list(tmp_path.iterdir()) == []


def test_where_there_are_no_locks_runs_go_on_without(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(locks.errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(locks.fcntl, "flock", unsupported)
    with locks.run(tmp_path) as locked, locks.job(tmp_path, "train_fold"):
        assert not locked
