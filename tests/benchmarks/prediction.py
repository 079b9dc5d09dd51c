"""Prediction of new scans with mirroring: whole commands, the same network in both programs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np

from benchmarks import data, measuring
from benchmarks.lines import Result, lines_of
from benchmarks.measuring import Measurement, Run, alternate
from benchmarks.programs import THEIRS, Bench, Scans

WAYS = {"3 processes, the default": 3, "1 process": 1, "in sequence": 0}
"""Processes of nnU-Net that read, and as many that write; without any, it does all in one."""

COUNTS = {"hippocampus": 10, "anisotropic": 2}
"""Scans that are predicted."""

STAMPS = Path(__file__).parent / "stamps"
DISAGREEMENT = 1e-3
"""Voxels that may differ, as a share of the foreground; nnU-Net sums in half precision."""

TRAINED = {"hippocampus": (12, 0, 120), "anisotropic": (2, 128, 100)}
"""Batch size, side of the patch (0: the planned one) and steps of the training, which is not
measured: enough to find the structures."""


def measure(bench: Bench) -> Iterator[Result]:
    """Measure both datasets; each gives a line for the first slice, the others and the command."""
    lines, sets = lines_of("prediction"), data.both(bench)
    for name, count in COUNTS.items():
        own = [line for key, line in lines.items() if key.split("-")[0] == name]
        if name not in sets:
            yield from map(Result, own)
            continue
        scans = sets[name]
        set_up(scans, name, count)
        ways = {title: partial(predict_with_nnunet, scans, n) for title, n in WAYS.items()}
        check = partial(fault_of, scans)
        runs, fault = alternate(ways, partial(predict_here, scans), bench.pairs, check)
        yield from (Result(line, runs, fault=fault) for line in own)


def config(scans: Scans) -> dict:
    """Return the config of a prediction with nnU-Net's network."""
    return {
        "experiments": {THEIRS: {"model": {"nnunet": str(scans.model)}}},
        "inference": {"images": str(scans.folder / "images")},
    }


def set_up(scans: Scans, name: str, count: int) -> None:
    """Let nnU-Net train a network shortly, bring it in here, and choose the scans to predict.

    What a user has after training and what both programs then start from is not measured.
    """
    scans.prepare()
    if not (scans.model / "fold_0" / "checkpoint_final.pth").exists():
        train = scans.oracle("oracle_model", scans.name, *TRAINED[name])
        measuring.run(train, scans.halves(scans.bench.cores), scans.log("oracle_model"))
    images = scans.folder / "images"
    shutil.rmtree(images, ignore_errors=True)
    images.mkdir()
    for case in scans.held_out[:count]:
        image = f"{case}_0000.nii.gz"
        (images / image).symlink_to((scans.raw / "imagesTr" / image).resolve())
    predict_here(scans)


def slices(scans: Scans) -> int:
    """Return how many slices the chosen scans have."""
    names = [path.name[: -len("_0000.nii.gz")] for path in (scans.folder / "images").iterdir()]
    return sum(len(np.load(scans.arrays / f"{name}.npy", mmap_mode="r")) for name in names)


def stamps_in(folder: Path) -> tuple[list[float], list[float]]:
    """Return when passes through a network began and when they ended, each in order."""
    found = {"B": [], "E": []}
    for file in folder.iterdir():
        for line in file.read_text().splitlines():
            kind, moment = line.split()
            found[kind].append(float(moment))
    return sorted(found["B"]), sorted(found["E"])


def stamped(scans: Scans, command: list, log: str) -> Measurement:
    """Run a command and add when its networks ran: `first_s`, `amount` of slices, `seconds`.

    first_s: from the start of the command to the end of the first pass through a network; seconds:
    from the beginning of the first pass to the end of the last, in which all slices are predicted.
    """
    folder = scans.folder / "stamps"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    environment = scans.environment(scans.bench.cores, (STAMPS,), BENCHMARK_STAMPS=folder)
    start = time.monotonic()
    measured = measuring.run(command, environment, scans.log(log))
    begins, ends = stamps_in(folder)
    if not ends:
        raise RuntimeError(f"{' '.join(map(str, command))}: found no pass through a network")
    told = {
        "first_s": ends[0] - start,
        "amount": slices(scans),
        "seconds": ends[-1] - begins[0],
    }
    return Measurement(measured.wall_s, measured.cpu_s, measured.peak_mib, told)


def predict_with_nnunet(scans: Scans, processes: int) -> Measurement:
    """Let nnU-Net predict, with so many processes to read and as many to write (see WAYS)."""
    shutil.rmtree(scans.folder / "predicted", ignore_errors=True)
    folders = ("-i", scans.folder / "images", "-o", scans.folder / "predicted")
    model = ("-d", scans.number, "-c", "2d", "-f", 0, "-device", "cpu")
    workers = ("-npp", processes, "-nps", processes)
    command = scans.nnunet("predict", *folders, *model, *workers)
    return stamped(scans, command, "prediction_nnunet")


def predict_here(scans: Scans) -> Measurement:
    """Let our workflow predict."""
    shutil.rmtree(scans.results / THEIRS / "predicted", ignore_errors=True)
    return stamped(scans, scans.snakemake(config(scans), "predict"), "prediction_slicewise")


def fault_of(scans: Scans, warm_up: list[Run]) -> str:
    """Return how the segmentations differ, nothing if they are equal but for rounding."""
    differing, foreground = 0, 0
    for path in sorted((scans.folder / "images").iterdir()):
        name = path.name.replace("_0000.nii.gz", ".nii.gz")
        folders = (scans.folder / "predicted", scans.results / THEIRS / "predicted")
        theirs, ours = (np.asarray(nib.load(folder / name).dataobj) for folder in folders)
        if theirs.shape != ours.shape:
            return f"{name} has shape {ours.shape}, expected {theirs.shape}"
        differing += np.count_nonzero(theirs != ours)
        foreground += np.count_nonzero(theirs)
    if foreground and differing <= DISAGREEMENT * foreground:
        return ""
    return f"{differing} voxels differ, of {foreground} in the foreground"
