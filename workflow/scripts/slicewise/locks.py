"""One run at a time in a folder of results, and no job that works on after its run was killed.

Locks of `flock` end with the process that holds them, whatever ended it. Where a file system has
none, as some network ones do, runs and jobs go on without. Where other machines do not see them
(Lustre with `localflock`, BeeGFS as it comes, NFS with `local_lock`), this holds on each by itself.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO, Any

from slicewise.completeness import left_out
from slicewise.machine import about_the_machine

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None

logger = logging.getLogger("slicewise")

RUN = "SLICEWISE_RUN"
"""The environment variable by which a run names itself to the jobs that it starts."""

FOLDER = "locks"
"""In a folder of results: run.lock, and a file for each job at work. Each says whose it is."""

NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What a file system without locks answers."""

SINCE = time.strftime("%Y-%m-%d %H:%M:%S")
"""When this process began: a run that holds several folders has one name in all of them."""

POLL = 0.5
"""Seconds between two looks at a lock."""

GRACE = 30.0
"""Seconds that a job without a run has to end by itself, as at Slurm's time limit: a training saves
after the step it is at."""

PATIENCE = 2 * GRACE
"""Seconds that a new run waits for jobs of one that was killed; most end at once."""

START_RATE = (100, 1)
"""How many jobs Snakemake starts at most, in how many seconds, unless it is told a rate."""


class Busy(Exception):
    """Another run, or a job of an earlier one, is at work in the folder of results."""


def one_at_a_time(workflow: Any, results: str | Path, about: str = "") -> Callable:
    """Return the method `execute` of a workflow of Snakemake's, for one run at a time in `results`.

    Snakemake's own lock outlives a run that was killed, and names nobody: with ours it takes none.
    What a killed job left is made again, as with --rerun-incomplete. Errors of the machine are said
    in a sentence, and so is what a run that ended well has left out. Dry runs are free, and so are
    jobs, which Snakemake starts with --nolock. Jobs start at any rate, unless a user limits it.

    about: what the run consists of, which it says first.
    """
    from snakemake.exceptions import WorkflowError
    from snakemake.logging import logger as snakemake_logger

    execute = workflow.execute
    if hasattr(execute, "folders"):  # the workflow takes in another of ours, as a module
        execute.folders[str(results)] = about
        return execute

    def held(executor_plugin: Any, **given: Any) -> Any:
        settings = workflow.execution_settings
        workflow.dag_settings.force_incomplete = True
        _start_at_any_rate(workflow.scheduling_settings)
        if any(held.folders.values()) and workflow.is_main_process:
            snakemake_logger.info("\n".join(held.folders.values()))
        if executor_plugin.common_settings.dryrun_exec or not settings.lock:
            return execute(executor_plugin=executor_plugin, **given)
        try:
            with ExitStack() as runs:
                locked = [runs.enter_context(run(folder)) for folder in sorted(held.folders)]
                runs.callback(setattr, settings, "lock", True)
                settings.lock = not all(locked)
                ended = execute(executor_plugin=executor_plugin, **given)
                if missing := left_out(workflow):
                    raise WorkflowError(missing)
                return ended
        except Busy as error:
            raise WorkflowError(str(error)) from None
        except OSError as error:
            raise WorkflowError(about_the_machine(error)) from None

    held.folders = {str(results): about}
    return held


def _start_at_any_rate(settings: Any) -> None:
    """Lift the rate that Snakemake limits the start of jobs to by default.

    To keep to a rate, Snakemake 9.27 wakes every second, and once more for every job that has
    ended, and asks for the size of all inputs of all jobs that wait (scheduling/job_scheduler.py):
    after a few dozen jobs it takes a core for itself, or asks a cluster's files without a pause.
    """
    limit = settings.max_jobs_per_timespan
    if limit and (limit.max_jobs, limit.timespan) == START_RATE:
        settings.max_jobs_per_timespan = None


@contextmanager
def run(results: str | Path) -> Iterator[bool]:
    """Hold a folder of results for one run; yield False where there are no locks.

    Nor are there any in a folder that can only be read, where a run may find nothing to be done.
    Raises Busy, naming who is at work, when another run holds it or when jobs of an earlier one do
    not end; OSError when the folder cannot be made or written.
    """
    folder = Path(results) / FOLDER
    with _opened(folder) or nullcontext() as file:
        # More than once: jobs that ask whether their run is there hold the lock for a moment.
        taken = _wait(lambda: _take(file), 4 * POLL) if file else None
        if taken is None:
            yield False
            return
        if not taken:
            raise Busy(
                f"another run is at work in {results}: {_text(file)}; wait until it has ended, or "
                "give this one a folder of its own (results, in the config)"
            )
        name = _name(file, "snakemake")
        os.fsync(file.fileno())  # so that jobs on other machines read it
        if waited_for := _at_work(folder):
            logger.warning("waiting for jobs of an earlier run: %s", "; ".join(waited_for))
        if not _wait(lambda: not _at_work(folder), PATIENCE):
            raise Busy(
                "\n  ".join([f"jobs of an earlier run still work in {results}:", *_at_work(folder)])
                + "\nWait until they have ended, or end them; then start this run again."
            )
        os.environ[RUN] = name
        try:
            yield True
        finally:
            os.environ.pop(RUN, None)


@contextmanager
def job(results: str | Path, rule: str) -> Iterator[None]:
    """Be known as a job at work in a folder of results, and end when its run was killed.

    Without a run that holds the folder, nothing of this. Raises Busy when the run was killed before
    the job came to its work and another has begun.
    """
    run_name, folder = os.environ.get(RUN), Path(results) / FOLDER
    if run_name is None:
        yield
        return
    at_home = f" on {os.uname().nodename}, " in run_name
    own = folder / f"{os.uname().nodename}-{os.getpid()}-{time.time_ns()}.lock"
    with (folder / "run.lock").open(encoding="utf-8") as of_run, own.open("w+") as file:
        try:
            if _take(file) is None:  # unlike on the machine of the run
                yield
                return
            _name(file, rule)
            # Last: a run that begins after this finds the job at work. Another machine may see late
            # what the run wrote.
            if not _wait(lambda: _text(of_run) == run_name, 0 if at_home else GRACE):
                raise Busy(f"another run has begun since this job was started by {run_name}")
            with _ending_with(of_run, run_name) if at_home else nullcontext():
                yield
        finally:
            own.unlink(missing_ok=True)


@contextmanager
def _ending_with(of_run: IO[str], run_name: str) -> Iterator[None]:
    """End this process when its run is no more."""
    done = threading.Event()

    def watch() -> None:
        with suppress(OSError):  # of a disk that went away, which the job itself will say
            while _text(of_run) == run_name and not _take(of_run, shared=True):
                if done.wait(POLL):
                    return
            fcntl.flock(of_run, fcntl.LOCK_UN)
            logger.error("%s has ended, and so does this job of it", run_name)
            # As from the keyboard, so that temporary files go, where that is heeded (it is not in
            # the background of a shell script); then without asking.
            ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGTERM if ignored else signal.SIGINT)
            if not done.wait(GRACE):
                os.kill(os.getpid(), signal.SIGKILL)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _opened(folder: Path) -> IO[str] | None:
    """Open the lock of a run; return None where the folder is there and can only be read."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / "run.lock").open("a+", encoding="utf-8")
    except OSError:
        there = folder if folder.exists() else folder.parent
        if not there.exists() or os.access(there, os.W_OK):
            raise
        return None


def _take(file: IO[str], *, shared: bool = False) -> bool | None:
    """Take the lock of a file and say whether it was free; None where there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        if error.errno in NO_LOCKS:
            return None
        raise
    return True


def _wait(ready: Callable[[], bool | None], seconds: float) -> bool | None:
    """Wait while something is False, for some seconds; return what it is then."""
    end = time.monotonic() + seconds
    while (answer := ready()) is False and time.monotonic() < end:
        time.sleep(POLL)
    return answer


def _at_work(folder: Path) -> list[str]:
    """Return the jobs at work in a folder, in words; files of jobs that were killed are removed."""
    found = []
    for path in sorted(folder.glob("*.lock")):
        if path.name == "run.lock":
            continue
        try:
            with path.open(encoding="utf-8") as file:
                if _take(file, shared=True):
                    path.unlink()
                else:
                    found.append(_text(file))
        except FileNotFoundError:  # the job has ended between two looks
            continue
    return found


def _name(file: IO[str], what: str) -> str:
    """Write into a lock which process holds it, in words that name no other; return them.

    Within a job of Slurm's they name that too: `scancel` ends it from any machine.
    """
    slurm = f"Slurm job {os.environ['SLURM_JOB_ID']}, " if "SLURM_JOB_ID" in os.environ else ""
    text = f"{what}, process {os.getpid()} on {os.uname().nodename}, {slurm}since {SINCE}"
    file.seek(0)
    file.truncate()
    file.write(text)
    file.flush()
    return text


def _text(file: IO[str]) -> str:
    """Return what is written in a lock now."""
    file.seek(0)
    return file.read()
