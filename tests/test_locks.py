"""One run at a time, and no job without its run: real processes that are really killed."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

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


def test_a_job_of_slurm_is_named_by_its_number(tmp_path, monkeypatch):
    """On another machine a process cannot be ended, but scancel can."""
    with locks.run(tmp_path):
        monkeypatch.setenv("SLURM_JOB_ID", "4711")
        with locks.job(tmp_path, "train_fold"):
            (path,) = job_locks(tmp_path)
            assert f" on {os.uname().nodename}, Slurm job 4711, since " in path.read_text()


def test_a_job_that_no_run_has_started_needs_no_lock(tmp_path):
    with locks.job(tmp_path, "train_fold"):
        assert list(tmp_path.iterdir()) == []


@pytest.fixture
def without_locks(monkeypatch):
    """Return a function after which the file system has no locks."""

    def unsupported(*_):
        raise OSError(errno.EOPNOTSUPP, "not supported")

    return lambda: monkeypatch.setattr(locks.fcntl, "flock", unsupported)


def test_where_there_are_no_locks_runs_go_on_without(tmp_path, without_locks):
    without_locks()
    with locks.run(tmp_path) as locked, locks.job(tmp_path, "train_fold"):
        assert not locked


def test_a_job_on_a_machine_without_locks_goes_on_without(tmp_path, without_locks):
    with locks.run(tmp_path):
        without_locks()
        with locks.job(tmp_path, "train_fold"):
            pass
    assert job_locks(tmp_path) == []


def test_a_folder_that_can_only_be_read_needs_no_lock(tmp_path, monkeypatch):
    """Nothing may be to be done there; a job that is says what is wrong with the disk."""
    (tmp_path / "results").mkdir()

    def read_only(path, *_, **__):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(locks.Path, "mkdir", read_only)
    monkeypatch.setattr(locks.os, "access", lambda *_: False)
    with locks.run(tmp_path / "results") as locked:
        assert not locked
    with pytest.raises(OSError, match="Read-only"), locks.run(tmp_path / "none"):
        pass


def test_a_disk_that_went_away_is_left_to_the_job_to_say(tmp_path, monkeypatch):
    seen, looked = [], threading.Event()

    def stale(_):
        looked.set()
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(threading, "excepthook", seen.append)
    with locks.run(tmp_path), locks.job(tmp_path, "train_fold"):
        monkeypatch.setattr(locks, "_text", stale)
        assert looked.wait(60)
    assert seen == []


def test_a_workflow_of_two_modules_holds_the_results_of_both(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "left_out", lambda _: "")
    begun, plugin = [], SimpleNamespace(common_settings=SimpleNamespace(dryrun_exec=False))

    def execute(**_):
        begun.append(workflow.execution_settings.lock)
        for results in ("one", "two"):
            with locks.job(tmp_path / results, "train_fold"):
                assert len(job_locks(tmp_path / results)) == 1

    workflow = SimpleNamespace(
        execute=execute,
        execution_settings=SimpleNamespace(lock=True),
        dag_settings=SimpleNamespace(),
        scheduling_settings=SimpleNamespace(max_jobs_per_timespan=None),
    )
    for results in ("one", "two", "two"):
        workflow.execute = locks.one_at_a_time(workflow, tmp_path / results)
    for _ in range(2):
        workflow.execute(executor_plugin=plugin)
    # Without Snakemake's own lock, but that is asked for again by a second run of the same process.
    assert begun == [False, False]
    assert workflow.execution_settings.lock
    assert locks.RUN not in os.environ


@pytest.mark.parametrize(
    ("asked", "kept"),
    [([], None), (["--max-jobs-per-timespan", "10/1m"], (10, 60))],
    ids=["as Snakemake starts", "as a user asks for"],
)
def test_only_a_rate_that_a_user_asks_for_limits_the_start_of_jobs(tmp_path, asked, kept):
    """By its own limit Snakemake asks for the size of all inputs without a pause."""
    from snakemake.cli import parse_args

    _, arguments = parse_args(["--cores", "1", *asked])
    settings = SimpleNamespace(max_jobs_per_timespan=arguments.max_jobs_per_timespan)
    assert settings.max_jobs_per_timespan
    workflow = SimpleNamespace(
        execute=lambda **_: None,
        execution_settings=SimpleNamespace(lock=False),
        dag_settings=SimpleNamespace(),
        scheduling_settings=settings,
    )
    plugin = SimpleNamespace(common_settings=SimpleNamespace(dryrun_exec=False))
    locks.one_at_a_time(workflow, tmp_path)(executor_plugin=plugin)
    limit = settings.max_jobs_per_timespan
    assert (limit and (limit.max_jobs, limit.timespan)) == kept
