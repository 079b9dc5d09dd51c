"""Merge the analysed groups into dataset_fingerprint.json, spacing.csv and orientation.json."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd

from slicewise import geometry
from slicewise.dataset import open_dataset
from slicewise.files import read_json, write_csv, write_json
from slicewise.job import run

INTENSITY_SAMPLES = int(10e7)
"""Foreground voxels drawn from the whole dataset (nnU-Net: num_foreground_voxels_for_...)."""

SAMPLING_SEED = 1234
"""nnU-Net's seed for every case, so that the statistics are the same to rounding."""


class Histogram:
    """How often each value was drawn; holds distinct values, not draws."""

    COMPACT_AT = 5_000_000

    def __init__(self):
        self.values = np.empty(0, np.float32)
        self.counts = np.empty(0, np.int64)
        self._pending: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, values: np.ndarray, counts: np.ndarray) -> None:
        """Add values with their counts; values of count 0 are left out."""
        self._pending.append((values[counts > 0], counts[counts > 0]))
        if sum(len(values) for values, _ in self._pending) > self.COMPACT_AT:
            self.compact()

    def compact(self) -> None:
        """Merge what was added, so that each value stands once, in ascending order."""
        values = np.concatenate([self.values, *(values for values, _ in self._pending)])
        counts = np.concatenate([self.counts, *(counts for _, counts in self._pending)])
        self.values, inverse = np.unique(values, return_inverse=True)
        self.counts = np.bincount(inverse, weights=counts).astype(np.int64)
        self._pending = []

    def percentile(self, share: float) -> float:
        """Return a percentile of the draws with linear interpolation, as numpy.percentile."""
        cumulative = np.cumsum(self.counts)
        position = share / 100 * (cumulative[-1] - 1)
        below, above = np.searchsorted(
            cumulative, [np.floor(position), np.ceil(position)], side="right"
        )
        low, high = float(self.values[below]), float(self.values[above])
        return low + (high - low) * (position - np.floor(position))

    def statistics(self) -> dict[str, float]:
        """Return the statistics in nnU-Net's order; nan throughout when nothing was drawn."""
        self.compact()
        names = ("mean", "median", "std", "min", "max", "percentile_99_5", "percentile_00_5")
        if len(self.values) == 0:
            return dict.fromkeys(names, float("nan"))
        values = self.values.astype(np.float64)
        mean = np.average(values, weights=self.counts)
        variance = np.average((values - mean) ** 2, weights=self.counts)
        found = (mean, self.percentile(50), np.sqrt(variance), values[0], values[-1])
        ends = (self.percentile(99.5), self.percentile(0.5))
        return dict(zip(names, map(float, (*found, *ends)), strict=True))


def decide_reorient(reorient: str, orientations: Counter) -> bool:
    """Say whether cases are turned to RAS+: under `auto` where they are stored in several ways."""
    return reorient == "always" or (reorient == "auto" and len(orientations) > 1)


def read_intensities(
    records: dict, intensities: np.ndarray, channels: int, reorient: bool
) -> Iterator[list[np.ndarray]]:
    """Yield the foreground intensities of each case, a vector per channel, as the case is read.

    `intensities` holds, end to end, the vectors that analyze_cases wrote for `records`.
    """
    start = 0
    for record in records.values():
        voxels, orders = record["foreground_voxels"], record["reading_orders"]
        stop = start + voxels * channels * len(orders)
        ways = intensities[start:stop].reshape(len(orders), channels, voxels)
        yield list(ways[orders.index(reorient) if reorient in orders else 0])
        start = stop


def sample_counts(vectors: list[np.ndarray], samples: int) -> list[np.ndarray]:
    """Return how often each foreground voxel of a case is drawn, a vector per channel.

    The draws are those of nnU-Net's collect_foreground_intensities: with replacement, channel
    after channel from one legacy generator.
    """
    legacy = np.random.RandomState(SAMPLING_SEED)
    return [
        np.bincount(legacy.randint(0, len(vector), samples), minlength=len(vector))
        if len(vector)
        else np.zeros(0, np.int64)
        for vector in vectors
    ]


def as_read(record: dict, reorient: bool) -> dict:
    """Return spacing, shape and nonzero box of a record in the order in which arrays are read."""
    if not reorient:
        return record
    turns = geometry.to_canonical(record["orientation"])[::-1]
    turned = dict(record)
    turned["spacing"] = record["spacing_turned"]
    turned["shape"] = [record["shape"][2 - axis] for axis, _ in turns]
    boxes = [(record["nonzero_box"][2 - axis], sign) for axis, sign in turns]
    turned["nonzero_box"] = [
        box if sign > 0 else [size - box[1], size - box[0]]
        for (box, sign), size in zip(boxes, turned["shape"], strict=True)
    ]
    return turned


def shape_after_crop(record: dict) -> list[int]:
    """Return the shape of a record's nonzero box."""
    return [stop - start for start, stop in record["nonzero_box"]]


def spacing_row(case: str, record: dict) -> dict:
    """Return one row of spacing.csv; axes in reading order (z, y, x)."""
    spacing, shape = record["spacing"], record["shape"]
    row = {"case": case, "orientation": record["orientation"]}
    row |= {f"spacing_{axis}_mm": spacing[axis] for axis in range(3)}
    row |= {f"shape_{axis}": shape[axis] for axis in range(3)}
    row |= {f"extent_{axis}_mm": spacing[axis] * shape[axis] for axis in range(3)}
    row["anisotropy"] = max(spacing) / min(spacing)
    row["coarsest_axis"] = int(np.argmax(spacing))
    row["finest_axis"] = int(np.argmin(spacing))
    for axis, (start, stop) in enumerate(record["nonzero_box"]):
        row |= {f"nonzero_{axis}_start": start, f"nonzero_{axis}_stop": stop}
    return row


def main(*, dataset_json, analyses, intensities, reorient, fingerprint, spacing, orientation):
    """Merge groups of cases; the result does not depend on how the cases were grouped."""
    channels = len(open_dataset(dataset_json).channel_names)
    groups = [read_json(path) for path in analyses]
    records = {case: record for group in groups for case, record in group.items()}
    orientations = Counter(record["orientation"] for record in records.values())
    turned = decide_reorient(reorient, orientations)

    histograms = [Histogram() for _ in range(channels)]
    for group, path in zip(groups, intensities, strict=True):
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
        for vectors in read_intensities(group, stored, channels, turned):
            counts = sample_counts(vectors, INTENSITY_SAMPLES // len(records))
            for histogram, vector, count in zip(histograms, vectors, counts, strict=True):
                histogram.add(vector, count)

    read = {case: as_read(records[case], turned) for case in sorted(records)}
    relative = [
        np.prod(shape_after_crop(record)) / np.prod(record["shape"]) for record in read.values()
    ]
    write_json(
        fingerprint,
        {
            "spacings": [record["spacing"] for record in read.values()],
            "shapes_after_crop": [shape_after_crop(record) for record in read.values()],
            "foreground_intensity_properties_per_channel": {
                str(i): histogram.statistics() for i, histogram in enumerate(histograms)
            },
            "median_relative_size_after_cropping": float(np.median(relative)),
        },
    )
    write_csv(spacing, pd.DataFrame([spacing_row(*item) for item in read.items()]))
    common = geometry.CANONICAL if turned else orientations.most_common(1)[0][0]
    write_json(
        orientation,
        {
            "reorient": turned,
            "orientation": common,
            "orientations": dict(sorted(orientations.items())),
        },
    )


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
