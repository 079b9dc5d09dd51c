"""Merge the analysed groups into dataset_fingerprint.json, spacing.csv and orientation.json."""

from collections import Counter
from collections.abc import Iterator
from itertools import count

import numpy as np

from slicewise import geometry
from slicewise.dataset import open_dataset
from slicewise.files import read_json, write_json, write_table
from slicewise.job import run
from slicewise.problems import read_tables, refuse_errors
from slicewise.stacks import decide_reorient

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
        self._waiting = 0  # values in it

    def add(self, values: np.ndarray, counts: np.ndarray) -> None:
        """Add values with their counts; values of count 0 are left out."""
        self._pending.append((values[counts > 0], counts[counts > 0]))
        self._waiting += len(self._pending[-1][0])
        if self._waiting > self.COMPACT_AT:
            self.compact()

    def compact(self) -> None:
        """Merge what was added, so that each value stands once, in ascending order."""
        if not self._pending:
            return
        added, inverse = np.unique(
            np.concatenate([values for values, _ in self._pending]), return_inverse=True
        )
        drawn = np.concatenate([counts for _, counts in self._pending])
        drawn = np.bincount(inverse, weights=drawn).astype(np.int64)
        self._pending, self._waiting = [], 0
        # Into the sorted values: to sort them all each time takes minutes where scans of floats
        # make millions of them.
        place = np.searchsorted(self.values, added)
        new = np.ones(len(added), bool)
        within = place < len(self.values)
        new[within] = self.values[place[within]] != added[within]
        self.counts[place[~new]] += drawn[~new]
        self.values = np.insert(self.values, place[new], added[new])
        self.counts = np.insert(self.counts, place[new], drawn[new])

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


class RandomBits:
    """The numbers of 32 bits that a legacy generator draws one after the other, from its start.

    Iterating starts anew each time and yields chunks with their place; the first ones are kept.
    """

    CHUNK = 1 << 19
    """Numbers in a chunk, 2 MB: they stay in a processor's cache while they are counted."""

    KEPT = 32
    """Chunks that are kept, 64 MiB: what one channel of a case draws where there are 12 or more."""

    FEW_BITS = 16
    """Low bits up to which a tally of a chunk is small, 256 KiB, beside the chunk itself."""

    def __init__(self, seed: int):
        self.seed = seed
        self._generator = np.random.RandomState(seed)
        self._kept: list[np.ndarray] = []
        self._tallies: dict[tuple[int, int], np.ndarray] = {}

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        for place in range(self.KEPT):
            if place == len(self._kept):
                self._kept.append(self._draw(self._generator))
            yield place, self._kept[place]
        rest = np.random.RandomState()
        rest.set_state(self._generator.get_state())
        for place in count(self.KEPT):
            yield place, self._draw(rest)

    def _draw(self, generator: np.random.RandomState) -> np.ndarray:
        return generator.randint(0, 1 << 32, self.CHUNK, dtype=np.uint32)

    def tally(self, place: int, bits: int) -> np.ndarray | None:
        """Return how often each number of so many low bits is in a chunk, if that is kept."""
        if place >= self.KEPT:
            return None
        if (place, bits) not in self._tallies:
            low = self._kept[place] & np.uint32((1 << bits) - 1)
            self._tallies[place, bits] = np.bincount(low, minlength=1 << bits).astype(np.int32)
        return self._tallies[place, bits]


def sample_counts(lengths: list[int], samples: int, random: RandomBits) -> list[np.ndarray]:
    """Return how often each foreground voxel of a case is drawn, a vector per channel.

    The draws are those of nnU-Net's collect_foreground_intensities: with replacement, channel
    after channel from one legacy generator. Its randint(0, n) takes as many low bits as n - 1 has
    and tries again while they make n or more. Every case starts from the same seed, so the same
    bits serve all of them, and they are counted a chunk at a time; not so where a case has so many
    voxels that a count of each for every chunk takes longer than to draw.
    """
    if max(lengths) > 1 << random.FEW_BITS:
        legacy = np.random.RandomState(random.seed)
        return [
            np.bincount(legacy.randint(0, length, samples), minlength=length)
            if length
            else np.zeros(0, np.int64)
            for length in lengths
        ]
    chunks, place, chunk = iter(random), 0, np.empty(0, np.uint32)
    found = []
    for length in lengths:
        counts, bits = np.zeros(length, np.int64), max(length - 1, 0).bit_length()
        if length == 1:  # of one voxel nothing is drawn
            counts[:] = samples
        missing = samples if length > 1 else 0
        while missing:
            if not len(chunk):
                place, chunk = next(chunks)
            tally = random.tally(place, bits) if len(chunk) == random.CHUNK else None
            if tally is not None and tally[:length].sum() < missing:
                used, drawn = len(chunk), tally[:length]
            else:
                low = chunk & np.uint32((1 << bits) - 1)
                used = _end_of(low < length, missing)
                low = np.minimum(low[:used], length)
                drawn = np.bincount(low, minlength=length + 1)[:length]
            counts += drawn
            missing -= int(drawn.sum())
            chunk = chunk[used:]
        found.append(counts)
    return found


def _end_of(valid: np.ndarray, wanted: int) -> int:
    """Return up to where a vector holds `wanted` true values, its length if it has fewer."""
    if np.count_nonzero(valid) < wanted:
        return len(valid)
    low, high = 0, len(valid)
    while high - low > 1:
        middle = (low + high) // 2
        before = np.count_nonzero(valid[low:middle])
        if before >= wanted:
            high = middle
        else:
            low, wanted = middle, wanted - before
    return high


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


def main(
    *, validation, dataset_json, analyses, intensities, reorient, fingerprint, spacing, orientation
):
    """Merge groups of cases; the result does not depend on how the cases were grouped.

    Raises BadInput for a dataset with errors.
    """
    refuse_errors(read_tables([validation]), f"errors to mend, all of them in {validation}:")
    channels = len(open_dataset(dataset_json).channel_names)
    groups = [read_json(path) for path in analyses]
    records = {case: record for group in groups for case, record in group.items()}
    orientations = Counter(record["orientation"] for record in records.values())
    turned = decide_reorient(reorient, orientations)

    histograms, random = [Histogram() for _ in range(channels)], RandomBits(SAMPLING_SEED)
    for group, path in zip(groups, intensities, strict=True):
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
        for vectors in read_intensities(group, stored, channels, turned):
            lengths = [len(vector) for vector in vectors]
            counts = sample_counts(lengths, INTENSITY_SAMPLES // len(records), random)
            for histogram, vector, drawn in zip(histograms, vectors, counts, strict=True):
                histogram.add(vector, drawn)

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
    rows = [spacing_row(*item) for item in read.items()]
    write_table(spacing, list(rows[0]), [row.values() for row in rows])
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
