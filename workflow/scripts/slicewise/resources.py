"""What a job asks of a cluster: memory and minutes, from the sizes of scans and from the plan.

The numbers were measured on two cores with `benchmarks/*.tsv` of runs on 200 hippocampus scans and
on generated ones of up to 512 x 512 x 120 voxels, then rounded up. Where they are too low, a job
is killed, and the next attempt asks for twice as much.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from slicewise.plans import Plan, Preparation
from slicewise.topology import conv_feature_map_size

MB = 1_000_000

STARTED_MB = 600
"""What Snakemake takes beside the script: one process that the cluster starts and one that this
starts in turn, 205 to 225 MB each, and 290 with 10,000 cases."""

STEP_MB = 50
"""Memory is rounded up to a multiple of it."""

FEWEST_MINUTES = 15
"""What even the smallest job asks for: imports from a busy network drive may take minutes."""

MOST_MINUTES = 24 * 60
"""No job asks for more, as many partitions give no more. A training that needs longer is told to
end, saves, and goes on at its next attempt: `retries` of the profile says how often."""

SLOWER = 5
"""A cluster's node may be so many times slower than the machine of the measurements: older, its
cores shared, its drive far away."""

BYTES_PER_VOXEL = 0.5
"""Of gzipped scans and their labels. Those at hand have 0.9 to 2; much empty space makes it less,
and such scans take a second attempt."""

ANALYSED_BYTES = 12
"""What the analysis holds of one voxel of one channel: 8 were measured."""

VOXEL_BYTES = 30
"""What the export holds of one voxel of one channel: 17 to 22 were measured."""

PREDICTED_BYTES = 6
"""What the slice explorer holds of one voxel of a prediction beside the scan."""

SCORED_BYTES = 150
"""What scoring holds of one voxel of a scan, most of it for surface distances: up to 104 were
measured, of structures that fill much of the scan."""

LOGIT_BYTES = 16
"""What prediction and fusion hold of one voxel of one output: its logit and copies on the way to
the grid of the scan."""

TABLE_BYTES = 12
"""What a figure holds of one byte of its tables. A row of per_slice.parquet takes 35 to 70 bytes
and about 380 in memory: 8 for each byte were measured where it takes 50."""

TORCH_MB = 750
"""PyTorch and a training before its first step, with the 256 MiB of slices that stay mapped."""

CUDA_MB = 3000
"""Main memory of PyTorch on a GPU, beside all else. Not measured here: what nnU-Net's users see."""

MAP_COPIES = 3
"""How often a training on the CPU holds the feature maps of a patch that waits for its gradient, of
nnU-Net's estimate of them in float32: 1.5 to 3.0 times were measured beside TORCH_MB, with patches
of 56 x 40 to 512 x 512."""

CPU_VALUES = 25e6
"""Values of feature maps that one CPU core trains on in a second, forward and backward: 26 million
of 56 x 40 (README, training step at the planned batch), 40 to 50 million of 256 x 256."""

GPU_VALUES = 1e9
"""The same of a GPU. nnU-Net's benchmarking.md has 250 steps of 366 patches of the hippocampus in
10 s on an A100, which is six times as much."""

FORWARD = 3
"""A forward pass alone is so many times faster than one of a training."""

PIXELS_AT_ONCE = 2**17
"""Of the patches that a training on the CPU takes at once (device.CPU_VOXELS)."""


@dataclass(frozen=True)
class Need:
    """What a script needs on the machine of the measurements: MB of memory, seconds of time."""

    memory_mb: float
    seconds: float = 0

    def mem_mb(self, attempt: int) -> int:
        """Return the memory that a job asks for, in MB; each attempt doubles it."""
        asked = (STARTED_MB + self.memory_mb) * 2 ** (attempt - 1)
        return math.ceil(asked / STEP_MB) * STEP_MB

    def runtime(self, attempt: int) -> int:
        """Return the minutes that a job asks for; each attempt doubles them, up to a day."""
        asked = max(FEWEST_MINUTES, SLOWER * self.seconds / 60) * 2 ** (attempt - 1)
        return min(math.ceil(asked), MOST_MINUTES)


@dataclass(frozen=True, eq=False)
class Scans:
    """The grids of scans as they are read, a row for each.

    names: of the cases; shapes and cropped: voxels; spacings: mm.
    """

    names: tuple[str, ...]
    shapes: np.ndarray
    cropped: np.ndarray
    spacings: np.ndarray

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.names)}

    def of(self, names: Iterable[str]) -> Scans:
        """Return some of the scans; those that are not known are left out."""
        rows = [self._rows[name] for name in names if name in self._rows]
        chosen = tuple(self.names[row] for row in rows)
        return Scans(chosen, self.shapes[rows], self.cropped[rows], self.spacings[rows])

    def voxels(self) -> np.ndarray:
        """Return the voxels of each scan."""
        return self.shapes.prod(axis=1)

    def exported(self, preparation: Preparation) -> np.ndarray:
        """Return the voxels of each scan's arrays: cropped, each slice at the target spacing."""
        _, *in_plane = preparation.transpose_forward
        zoom = self.spacings[:, in_plane] / np.array(preparation.spacing)
        return self.cropped.prod(axis=1) * zoom.prod(axis=1)


def read_scans(path: str | Path) -> Scans:
    """Read the grids of all scans of a dataset from its spacing.csv, once while it stays as it is.

    Raises FileNotFoundError where there is none yet.
    """
    return _read_scans(str(path), Path(path).stat().st_mtime_ns)


@cache
def _read_scans(path: str, _changed: int) -> Scans:
    with open(path, newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))

    def numbers(pattern: str) -> np.ndarray:
        return np.array([columns[pattern.format(axis)] for axis in range(3)], np.float64).T

    cropped = numbers("nonzero_{}_stop") - numbers("nonzero_{}_start")
    return Scans(columns["case"], numbers("shape_{}"), cropped, numbers("spacing_{}_mm"))


WEIGHTS = Need(1000)
"""Of reading and writing checkpoints, one at a time, which takes PyTorch."""

READING = Need(1200, 120)
"""Of measuring what samples cost to read: half a GiB of arrays that are held, in half a minute."""

UNSEEN = Need(4000, 60 * 60)
"""Of a job that starts though what tells its need is gone: five hours, and what most jobs take."""

ARCHIVE_BYTES = 5 * 10**9
"""Of an archive in a bucket, whose size is not known in time: seven hours, more at each attempt."""

GALLERY_MB = 1000
"""What the gallery's figure takes as an image: 250 to 860 MB were measured."""


def making_phantoms(count: int) -> Need:
    """Return the need of making phantoms: 80 MB and less than a second each were measured."""
    return Need(150, count)


def analysing(case_bytes: Iterable[int]) -> Need:
    """Return the need of analysing cases, from the bytes of the files of each."""
    case_bytes = list(case_bytes) or [0]
    voxels = max(case_bytes) / BYTES_PER_VOXEL
    # 0.3 to 0.6 s for 8 MB of scans (runs.BYTES_PER_JOB)
    return Need(150 + ANALYSED_BYTES * voxels / MB, sum(case_bytes) / (8 * MB))


def thickening(case_bytes: Iterable[int]) -> Need:
    """Return the need of making thick slices, from the bytes of the files of each case."""
    case_bytes = list(case_bytes) or [0]
    voxels = max(case_bytes) / BYTES_PER_VOXEL
    return Need(150 + ANALYSED_BYTES * voxels / MB, sum(case_bytes) / (4 * MB))


def merging(intensities_bytes: int) -> Need:
    """Return the need of a fingerprint, from the bytes of the intensities of all groups.

    The first so many wait to be counted, 24 times their bytes; then each distinct one is kept.
    """
    megabytes = intensities_bytes / MB
    return Need(250 + 24 * min(megabytes, 25) + megabytes / 2, megabytes / 4)


def exporting(scans: Scans, preparation: Preparation, channels: int) -> Need:
    """Return the need of exporting scans: the largest as it is read or as it becomes, and all."""
    if not scans.names:
        return Need(150)
    sizes = np.maximum(scans.voxels(), scans.exported(preparation)) * channels
    return Need(100 + VOXEL_BYTES * sizes.max() / MB, 0.5e-6 * sizes.sum())


def on_gpu(settings: Mapping[str, Any]) -> bool:
    """Say whether a training or prediction asks for a GPU: always but with `device: cpu`."""
    return settings["device"] != "cpu"


def training_cores(settings: Mapping[str, Any]) -> int:
    """Return the cores of a training: what the config says, but as many as several GPUs need.

    Each of those has a process of its own, and threads that prepare its batches. Processes on the
    CPU share what the config says, as the number of their threads decides how results are rounded.
    """
    threads, devices = settings["threads"], settings["devices"]
    if devices == 1 or not on_gpu(settings):
        return threads
    return max(threads, devices * (1 + settings["loader_workers"]))


def _values(plan: Plan, outputs: int) -> int:
    """Return the values of all feature maps of one patch."""
    return conv_feature_map_size(plan.architecture, plan.patch_size, outputs)


def training(plan: Plan, settings: Mapping[str, Any], channels: int, outputs: int) -> Need:
    """Return the need of a training: its batches, and on the CPU the feature maps of a step.

    settings: the section `training` of the config.
    """
    batch, devices = settings["batch_size"] or plan.batch_size, settings["devices"]
    pixels, values = math.prod(plan.patch_size), _values(plan, outputs)
    # each worker prepares two batches ahead, read with a margin of about half the patch's edges
    batches = batch * pixels * channels * 4 * 2.25 * (1 + 2 * settings["loader_workers"])
    memory = TORCH_MB * devices + batches / MB
    steps = settings["epochs"] * (
        settings["iterations_per_epoch"] + settings["validation_iterations"] / FORWARD
    )
    if on_gpu(settings):
        return Need(memory + CUDA_MB * devices, steps * batch * values / GPU_VALUES / SLOWER)
    at_once = settings["micro_batch_size"] or max(1, round(PIXELS_AT_ONCE / pixels))
    own = math.ceil(batch / devices)
    parts = math.ceil(own / at_once)
    waiting = 1 if settings["micro_batch_size"] else parts - parts // 2
    held = math.ceil(own / parts) * waiting * devices
    memory += MAP_COPIES * 4 * held * values / MB
    return Need(memory, steps * batch * values / CPU_VALUES / settings["threads"])


def predicting(
    plan: Plan,
    voxels: tuple[float, float],
    settings: Mapping[str, Any],
    inference: Mapping[str, Any],
    outputs: int,
    networks: int = 1,
) -> Need:
    """Return the need of a prediction.

    voxels: of the largest scan, on its own grid or exported, and of all exported scans; settings
    and inference: those sections of the config; networks: how many predict together.
    """
    largest, total = voxels
    per_pixel = _values(plan, outputs) / math.prod(plan.patch_size)
    tiles = 1 / inference["tile_step"] ** 2 * (4 if inference["mirroring"] else 1)
    passed = total * tiles * networks * per_pixel / FORWARD
    memory = TORCH_MB + LOGIT_BYTES * outputs * largest / MB
    if on_gpu(settings):
        return Need(memory + CUDA_MB, passed / GPU_VALUES / SLOWER)
    threads = settings["threads"]
    return Need(memory + 60 * threads, passed / CPU_VALUES / threads)


def fusing(largest: float, total: float, outputs: int, members: int) -> Need:
    """Return the need of a mean of probabilities; voxels of the largest scan and of all."""
    seconds = 1e-8 * total * outputs * members
    return Need(150 + LOGIT_BYTES * outputs * largest / MB, seconds)


def scoring(largest: float, total: float, classes: int) -> Need:
    """Return the need of scores, from the voxels of the largest scan and of all."""
    return Need(250 + SCORED_BYTES * largest / MB, 1e-6 * total * classes)


def unpacking(archive_bytes: int) -> Need:
    """Return the need of unpacking an archive, file by file."""
    return Need(150, archive_bytes / MB)


def table_bytes(paths: Iterable[str | Path]) -> int:
    """Return the bytes of those files that are tables: CSV, and Parquet where rows are many."""
    tables = (path for path in map(Path, paths) if path.suffix in (".csv", ".parquet"))
    return sum(path.stat().st_size for path in tables)


def drawing(table_bytes: int) -> Need:
    """Return the need of a figure, from the bytes of the tables that it is drawn from."""
    return Need(350 + TABLE_BYTES * table_bytes / MB, 20 + table_bytes / MB)


def drawing_scans(table_bytes: int, largest: float) -> Need:
    """Return the need of a figure with scans, one at a time, from the voxels of the largest."""
    figure = drawing(table_bytes)
    return Need(GALLERY_MB + figure.memory_mb + VOXEL_BYTES * largest / MB, figure.seconds)


def exploring(table_bytes: int, voxels: Sequence[np.ndarray], runs: int) -> Need:
    """Return the need of the slice explorer: scores of all runs, scans one at a time.

    voxels: of the scans of each dataset; runs: predictions of a scan, about.
    """
    scores = drawing(table_bytes)
    largest = max((of.max() for of in voxels), default=0)
    total = sum(of.sum() for of in voxels)
    held = (VOXEL_BYTES + PREDICTED_BYTES * runs) * largest / MB
    return Need(scores.memory_mb + held, scores.seconds + 1e-6 * total * (1 + runs))
