"""Measure what training samples cost to read, as the dataset grows: bytes, memory and time.

Rows of slices from mapped files, as a training here reads them, against whole volumes. Each way and
size is measured in a process of its own, through /proc, which only Linux has. These are
measurements: no two runs write the same numbers.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from slicewise import hardware, sources
from slicewise.files import write_csv
from slicewise.job import logger, run
from slicewise.plans import read_plan
from slicewise.reading_trial import WAYS, Trial
from slicewise.slices import case_paths

MIB = 2**20

MOST_BYTES = 512 * MIB
"""Of arrays, and of scans, that are copied and read: more cases are left out, and cases are
repeated up to as many bytes."""

MOST_COMPRESSED = 64 * MIB
"""Of arrays that are compressed for the way npz, at some 20 MiB a second."""

COLD, SECONDS = 8, 0.3
"""Batches that are read with nothing cached, and CPU time for which all that is cached is read."""

STEP = 4
"""How many times more cases each size has than the one before."""

ON_REPEATED = ("slices", "npy", "memory")
"""The ways whose memory is looked at when cases are repeated to make a larger dataset."""


def sizes(cases: int, case_bytes: float) -> list[int]:
    """Return the numbers of cases to measure: 1, 4, 16, ..., all, and repeated ones beyond.

    At most MOST_BYTES of arrays are read, however many cases there are.
    """
    most = max(1, int(MOST_BYTES / case_bytes))
    last = min(cases, most)
    found = [*(STEP**power for power in range(20) if 2 * STEP**power < last), last]
    while found[-1] * STEP <= most:
        found.append(found[-1] * STEP)
    return found


def bytes_of(folder: str | Path, names: Sequence[str]) -> int:
    """Return how large the arrays of some cases are together."""
    paths = (path for name in names for path in case_paths(folder, name)[:2])
    return sum(path.stat().st_size for path in paths)


def repeat(folder: Path, names: Sequence[str], count: int, target: Path) -> list[str]:
    """Copy exported cases to `target`, over and over, until there are so many; return their names.

    They are real copies: of links, the system would keep one file in memory. Those that are there
    from a smaller number are kept.
    """
    made = [f"{number:06d}" for number in range(count)]
    for number, name in enumerate(made):
        copies = case_paths(target, name)
        if not all(copy.exists() for copy in copies):
            originals = case_paths(folder, names[number % len(names)])
            for source, copy in zip(originals, copies, strict=True):
                shutil.copyfile(source, copy)
    return made


def copy_scans(trial: Trial) -> list[str]:
    """Copy the scans of a trial's cases to where it reads them, up to MOST_BYTES; return which."""
    done, total = [], 0
    for name in trial.names:
        files = trial.dataset.case(name).files
        total += sum(path.stat().st_size for path in files)
        if done and total > MOST_BYTES:
            break
        for source, copy in zip(files, trial.scan_paths(name), strict=True):
            shutil.copyfile(source, copy)
        done.append(name)
    return done


def compress(folder: Path, names: Sequence[str], target: Path) -> list[str]:
    """Write arrays of cases as .npz to `target`, up to MOST_COMPRESSED; return which."""
    done, total = [], 0
    for name in names:
        paths = case_paths(folder, name)[:2]
        total += sum(path.stat().st_size for path in paths)
        if done and total > MOST_COMPRESSED:
            break
        for path in paths:
            np.savez_compressed(
                target / path.with_suffix(".npz").name, voxels=np.load(path, allow_pickle=False)
            )
        done.append(name)
    return done


def measure(trial: Trial) -> dict[str, float]:
    """Return the costs of a trial, measured in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "slicewise.reading_trial", trial.as_json()],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=sources.PACKAGE.parent,  # where it is imported from
    )
    return json.loads(done.stdout.splitlines()[-1])


@dataclass(frozen=True)
class Exported:
    """The arrays of an experiment: how they are read, in names all cases, sorted."""

    experiment: str
    trial: Trial

    def rows(self, scratch: Path) -> Iterator[dict]:
        """Yield a row for each way and size; scratch: an empty folder on the disk of the arrays.

        All is read from copies there. What other processes map, such as trainings the arrays, the
        system does not forget, and it is not read from disk again.
        """
        folder, names = Path(self.trial.folder), self.trial.names
        case_bytes = bytes_of(folder, names) / len(names)
        counts = sizes(len(names), case_bytes)
        first = min(counts[-1], len(names))
        compressed = compress(scratch, repeat(folder, names, first, scratch), scratch)
        scans = copy_scans(replace(self.trial, folder=str(scratch), names=names[:first]))
        available = {"npz": len(compressed), "nifti": len(scans)}
        for count in counts:
            repeated = count > len(names)
            copies = repeat(folder, names, count, scratch)
            for way in ON_REPEATED if repeated else WAYS:
                if count > available.get(way, count):
                    continue
                chosen = names[:count] if way == "nifti" else copies
                trial = replace(self.trial, way=way, folder=str(scratch), names=chosen)
                # What a sample reads from disk does not follow from how many others there are.
                found = measure(replace(trial, cold=0) if repeated else trial)
                if found.pop("kept_pages"):
                    logger.warning(
                        "%s of %d cases: the system keeps files in memory that it was told to "
                        "forget, so that what is read from disk cannot be counted",
                        way,
                        count,
                    )
                yield {
                    "experiment": self.experiment,
                    "way": way,
                    "cases": count,
                    "repeated": repeated,
                    "case_mib": case_bytes / MIB,
                    "dataset_mib": bytes_of(scratch, copies) / MIB,
                    **found,
                }


def main(
    *,
    plans: Sequence[str | Path],
    arrays: Sequence[str | Path],
    dataset_json: str | Path,
    study: str,
    dataset: str,
    experiments: Mapping[str, Mapping],
    cases: Sequence[str],
    measured: str | Path,
) -> None:
    """Write a row for each experiment, way to read, and number of cases.

    experiments: the section training of each, in the order of their plans and folders of arrays.
    """
    if not sys.platform.startswith("linux"):
        raise ValueError(
            f"studies.{study}: found the system {sys.platform}, expected Linux, since what reading "
            "costs is measured through /proc; leave the study out on this machine"
        )
    rows = []
    for (name, training), path, folder in zip(experiments.items(), plans, arrays, strict=True):
        plan = read_plan(path)
        trial = Trial(
            way="slices",
            folder=str(Path(folder).absolute()),
            names=list(cases),
            dataset_json=str(Path(dataset_json).absolute()),
            patch=plan.patch_size,
            batch=training["batch_size"] or plan.batch_size,
            oversample=training["oversample_foreground"],
            cold=COLD,
            seconds=SECONDS,
        )
        with TemporaryDirectory(dir=Path(measured).absolute().parent) as scratch:
            rows += Exported(name, trial).rows(Path(scratch))
    frame = pd.DataFrame(rows)
    if not (frame["bytes_from_disk"] > 0).any():
        logger.warning("%s: its disk does not count what is read from it: no bytes", folder)
        frame["bytes_from_disk"] = np.nan
    machine = hardware.in_words(hardware.machine())
    write_csv(measured, frame.assign(dataset=dataset, machine=machine))


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
