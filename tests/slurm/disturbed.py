"""Jobs that are killed in the middle, by the cluster or by a user, and what becomes of the run.

A training is held still (SIGSTOP) once it has a checkpoint, so that each of them is caught in its
middle and none takes time from the others: they run side by side, each in a checkout of its own.
Slurm wakes what it ends (SIGCONT) before it sends SIGTERM.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import psutil

from checkouts import TINY, Checkout
from faults.figures import Figure
from faults.repeat import differing, digests, prepared
from scans import affine_of, write_json_of
from slicewise import locks
from slicewise.files import write_nifti
from slurm import runs
from slurm.runs import Job

TRAINING = TINY["training"] | {
    "device": "cpu",
    "epochs": 6,
    "iterations_per_epoch": 40,  # seconds from one checkpoint to the next, in which it is caught
    "checkpoint_every": 1,
}
ONE = {"experiments": {"coarsest": {}}, "ensembles": {}, "training": TRAINING}
FOLD = "results/phantom/coarsest/fold-0_seed-0"
TARGETS = [f"{FOLD}/history.csv"]
BEFORE = ["plan", "export"]
"""What a training needs is made once, without Slurm, and copied for each way to disturb it."""

LARGE, LARGE_CASES = (460, 460, 460), 2
"""Scans so empty that their files tell nothing of their size: more memory than is asked for."""


@dataclass
class Disturbed:
    """What became of a run: its jobs in Slurm, what it said, what was wrong, its results."""

    made: Checkout
    jobs: list[Job] = field(default_factory=list)
    said: str = ""
    wrong: list[str] = field(default_factory=list)

    def expect(self, held: object, otherwise: str) -> None:
        """Note what is wrong unless something held."""
        if not held:
            self.wrong.append(otherwise)

    def end(self, process: subprocess.Popen) -> None:
        """Wait for the end of the run and gather what came of it."""
        self.expect(process.wait(timeout=runs.LONGEST) == 0, "the run failed")
        self.said = (self.made.folder / "said.log").read_text()
        self.jobs = runs.jobs(self.made.folder)

    def slurm_log(self, job: Job) -> str:
        """Return what a job said, of which Slurm keeps a file."""
        (path,) = self.made.folder.glob(f".snakemake/slurm_logs/**/{job.number}.log")
        return path.read_text()

    def states(self) -> list[str]:
        """Return how its jobs ended, in their order."""
        return [job.state for job in self.jobs]


def held_training(made: Checkout, process: subprocess.Popen) -> psutil.Process:
    """Wait until a run trains and has a checkpoint; return the training, which stands still."""
    training = runs.wait_until(lambda: _script(made), "a training", process)
    latest = made.folder / FOLD / "checkpoint_latest.pt"
    runs.wait_until(latest.exists, "a checkpoint", process)
    training.suspend()
    return training


def _script(made: Checkout) -> psutil.Process | None:
    """Return the process that trains in a checkout, if there is one."""
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = process.info["cmdline"] or []
        if process.info["cwd"] == str(made.folder) and "train_fold.py" in " ".join(words[1:2]):
            return process
    return None


def cancelled(made: Checkout) -> Disturbed:
    """Cancel a training with scancel."""
    seen, process = Disturbed(made), runs.start(made, made.folder / "said.log", *TARGETS)
    held_training(made, process)
    (job,) = runs.jobs(made.folder)
    subprocess.run(["scancel", str(job.number)], check=True)
    seen.end(process)
    seen.expect(seen.states() == ["CANCELLED", "COMPLETED"], f"jobs ended {seen.states()}")
    _went_on(seen)
    return seen


def timed_out(made: Checkout) -> Disturbed:
    """Let a training come to its time limit, where it heeds SIGTERM."""
    seen = _with_a_limit(made)
    seen.expect("told to end (SIGTERM)" in seen.slurm_log(seen.jobs[0]), "SIGTERM was not heeded")
    return seen


def killed_at_its_limit(made: Checkout) -> Disturbed:
    """Let a training come to its time limit at a step that takes an hour: SIGKILL follows."""
    module = made.folder / "workflow/scripts/slicewise/stopping.py"
    heeded, text = "raise Stopped(told)", module.read_text()
    module.write_text(text.replace(heeded, '__import__("time").sleep(3600)'))
    seen = _with_a_limit(made)
    seen.expect(heeded in text, f"{module.name} has no {heeded}, so nothing was changed")
    seen.expect("told to end" not in seen.slurm_log(seen.jobs[0]), "SIGTERM was heeded")
    return seen


def _with_a_limit(made: Checkout) -> Disturbed:
    """Run a training whose time is cut to a minute, however long it took to come to its middle."""
    seen, process = Disturbed(made), runs.start(made, made.folder / "said.log", *TARGETS)
    held_training(made, process)
    (job,) = runs.jobs(made.folder)
    subprocess.run(["scontrol", "update", f"JobId={job.number}", "TimeLimit=1"], check=True)
    seen.end(process)
    seen.expect(seen.states() == ["TIMEOUT", "COMPLETED"], f"jobs ended {seen.states()}")
    minutes = [seen.jobs[-1].given.minutes, job.given.minutes]
    seen.expect(minutes[0] == 2 * minutes[1], f"minutes were {minutes[::-1]}")
    _went_on(seen)
    return seen


def headless(made: Checkout) -> Disturbed:
    """Kill Snakemake itself in the middle of a training, and start the same command again.

    The job of the killed run is at work on another machine. The second run names it and waits; it
    goes on once the job is cancelled, as its message says how.
    """
    seen, log = Disturbed(made), made.folder / "said.log"
    first = runs.start(made, log, *TARGETS)
    training = held_training(made, first)
    (job,) = runs.jobs(made.folder)
    first.send_signal(signal.SIGKILL)
    first.wait()
    seen.expect(_works_on(training), "the training ended with its run")
    second = runs.start(made, log, *TARGETS)
    waiting = f"Slurm job {job.number}, "
    runs.wait_until(lambda: waiting in log.read_text(), "to be told of the job", second)
    (job,) = runs.jobs(made.folder)
    seen.expect(job.state == "RUNNING", f"the job ended with its run: {job.state}")
    subprocess.run(["scancel", str(job.number)], check=True)
    seen.end(second)
    seen.expect(seen.states() == ["CANCELLED", "COMPLETED"], f"jobs ended {seen.states()}")
    _went_on(seen)
    return seen


def _works_on(training: psutil.Process) -> bool:
    """Let a training go on for as long as it takes to see that a run has ended; say if it does."""
    with suppress(psutil.NoSuchProcess):
        training.resume()
        time.sleep(4 * locks.POLL)
        works = training.status() != psutil.STATUS_ZOMBIE
        training.suspend()
        return works
    return False


def interrupted(made: Checkout) -> Disturbed:
    """Stop Snakemake by Ctrl-C in the middle of a training, and start the same command again."""
    seen, log = Disturbed(made), made.folder / "said.log"
    first = runs.start(made, log, *TARGETS)
    held_training(made, first)
    first.send_signal(signal.SIGINT)
    first.wait(timeout=runs.LONGEST)
    second = runs.start(made, log, *TARGETS)
    seen.end(second)
    seen.expect(seen.states() == ["CANCELLED", "COMPLETED"], f"jobs ended {seen.states()}")
    _went_on(seen)
    return seen


def _went_on(seen: Disturbed) -> None:
    """Note what is wrong unless the last job went on from a checkpoint of the first."""
    if seen.jobs:
        said = seen.slurm_log(seen.jobs[-1])
        seen.expect("going on from " in said, "the training began anew")


def starved(made: Checkout) -> Disturbed:
    """Analyse scans that take more memory than their files let expect."""
    seen = Disturbed(made)
    seen.end(runs.start(made, made.folder / "said.log", "fingerprint"))
    analyses = [job for job in seen.jobs if job.number in _numbers(seen.said, "analyze_cases")]
    states = [job.state for job in analyses]
    seen.expect(states == ["FAILED", "COMPLETED"], f"jobs ended {states}")
    seen.expect("exceeded memory limit" in seen.slurm_log(analyses[0]), "it was not for memory")
    memory = [job.given.memory for job in analyses]
    seen.expect(memory[1:] == [2 * memory[0]], f"memory was {memory} MB")
    return seen


def _numbers(said: str, rule: str) -> set[int]:
    """Return the numbers in Slurm of the jobs of a rule."""
    return {number for number, (name, _) in runs.asked_for(said).items() if name == rule}


def with_large_scans(folder: Path) -> Checkout:
    """Return a checkout with a dataset of large scans in which little is to be seen."""
    made = prepared(folder)
    raw = folder / "Dataset001_Large"
    for index in range(LARGE_CASES):
        label = np.zeros(LARGE, np.uint8)
        label[40:80, 40:80, 40 + index : 80] = 1
        affine = affine_of("RAS", (1, 1, 1))
        name = f"case_{index}"
        image = (100 + 60 * label).astype(np.int16)
        write_nifti(raw / f"imagesTr/{name}_0000.nii.gz", nib.Nifti1Image(image, affine))
        write_nifti(raw / f"labelsTr/{name}.nii.gz", nib.Nifti1Image(label, affine))
    write_json_of(raw, LARGE_CASES, classes=1)
    made.configure(datasets={"large": {"raw": raw.name}})
    return made


TRAININGS = {
    "a training cancelled with scancel goes on from there": cancelled,
    "so does one at its time limit, told by SIGTERM": timed_out,
    "and one that does not heed it, ended by SIGKILL": killed_at_its_limit,
    "and one whose head was killed, once its job is cancelled": headless,
    "and one whose head was stopped by Ctrl-C": interrupted,
}


def measure(folder: Path) -> list[Figure]:
    """Disturb runs in every way at once; compare their files with those of one left alone."""
    base = prepared(folder / "base", **ONE)
    _without_slurm(base, *BEFORE)
    checkouts = {}
    for promise, disturb in TRAININGS.items():
        copy = shutil.copytree(base.folder, folder / disturb.__name__)
        checkouts[promise] = Checkout(copy)
    large = with_large_scans(folder / "starved")
    large.without_messages()
    with ThreadPoolExecutor(len(checkouts) + 1) as pool, runs.none_left():
        starving = pool.submit(starved, large)
        seen = {
            promise: pool.submit(disturb, checkouts[promise])
            for promise, disturb in TRAININGS.items()
        }
        _without_slurm(base, *TARGETS)
        alone = digests(base.folder / "results")
        figures = [
            _figure(promise, _outcome(run, checkouts[promise]), alone)
            for promise, run in seen.items()
        ]
        kept = _outcome(starving, large)
    promise = "a job killed for its memory is tried again with twice as much"
    return [Figure(promise, int(not kept.wrong), 1, "jobs", "; ".join(kept.wrong)), *figures]


def _outcome(run: Future, made: Checkout) -> Disturbed:
    """Return what became of a run; one that was not what was waited for is all wrong."""
    try:
        return run.result()
    except (RuntimeError, ValueError, psutil.Error, subprocess.SubprocessError) as error:
        return Disturbed(made, wrong=[str(error)])


def _without_slurm(made: Checkout, *targets: str) -> None:
    """Run targets of a checkout as on a workstation."""
    done = made.snakemake(*targets, "--configfile", "tiny.yaml")
    if done.returncode:
        raise RuntimeError(f"a run failed:\n{done.stdout}{done.stderr}")


def _figure(promise: str, seen: Disturbed, alone: dict[str, str]) -> Figure:
    """Return how many files of a disturbed run are those of one left alone."""
    found = digests(seen.made.folder / "results")
    other = differing(alone, found)
    tried = len(alone | found)
    note = "; ".join([*seen.wrong, *(f"{name} differs" for name in other[:3])])
    kept = 0 if seen.wrong else tried - len(other)
    return Figure(f"{promise} to the same bytes", kept, tried, "files", note)
