"""Analyse a group of cases: geometry, nonzero box, foreground intensities and in-plane extents.

Each file is read once, so the same reading finds what is wrong with it: problems of all cases go
into a table, and a case with an error is left out of the rest. Nothing else looks at all voxels
before the arrays are written.
"""

import hashlib

import numpy as np

from slicewise import geometry
from slicewise.crop import bounding_box, nonzero_mask
from slicewise.dataset import Case, open_dataset
from slicewise.files import write_json, write_npy, write_table
from slicewise.job import run
from slicewise.labels import Labels
from slicewise.problems import COLUMNS, Problem, rows
from slicewise.volumes import Volume, examine

EXTENT_COLUMNS = ["case", "label", "axis", "slice", "first", "second"]


def reading_orders(reorient: str, orientation: str) -> list[bool]:
    """Return in which ways a case may be read: as stored (False), turned to RAS+ (True), or both.

    Under `auto` only the whole dataset decides, so a case that is not RAS+ is analysed both ways.
    """
    if reorient == "always":
        return [True]
    if reorient == "auto" and orientation != geometry.CANONICAL:
        return [False, True]
    return [False]


def class_extents(label: np.ndarray, labels: Labels) -> np.ndarray:
    """Return the in-plane extents of each class in each slice across each axis, in voxels.

    label: (z, y, x). A row holds the class, counted from 1, the axis, the slice and the extents
    along the two other axes, in their order; slices without the class have no row.
    """
    # Nothing is looked for outside the box of all classes. A region may hold the background, 0.
    box = bounding_box(label >= min(min(values) for values in labels.classes.values()))
    label = label[box]
    tables = []
    for number, name in enumerate(labels.classes, start=1):
        mask = labels.mask(label, name)
        # shadows[a] is what is seen of the mask along axis a.
        shadows = [mask.any(axis=axis) for axis in range(3)]
        for axis in range(3):
            first, second = (span(shadows, axis, other) for other in range(3) if other != axis)
            slices = np.flatnonzero(first)
            rows = (slices + box[axis].start, first[slices], second[slices])
            tables.append(np.column_stack([np.full((len(slices), 2), (number, axis)), *rows]))
    return np.concatenate(tables)


def span(shadows: list[np.ndarray], axis: int, along: int) -> np.ndarray:
    """Return for each slice across `axis` how many voxels a mask spans `along` another axis.

    shadows: what of the mask is seen along each axis.
    """
    projected = shadows[3 - axis - along]
    if axis > along:
        projected = projected.T
    first = projected.argmax(axis=1)
    last = projected.shape[1] - projected[:, ::-1].argmax(axis=1)
    return np.where(projected.any(axis=1), last - first, 0)


def analyse(
    volume: Volume, label: np.ndarray, labels: Labels, reorient: str
) -> tuple[dict, list, np.ndarray]:
    """Return a case's record as stored, its foreground intensities and its class extents.

    volume and label: as read without turning. Intensities: one float32 vector for each way of
    reading and each channel, in array order.
    """
    # Holes in the mask are inside its box: nobody needs them filled here.
    box = bounding_box(nonzero_mask(volume.image))
    # Labelled voxels outside the nonzero box are cropped away before training: nnU-Net does not
    # count them as foreground either.
    foreground = np.zeros(label.shape, bool)
    foreground[box] = label[box] > 0
    orders = reading_orders(reorient, volume.orientation)
    intensities = []
    for order in orders:
        *channels, mask = (
            geometry.to_reading_order(array.transpose(2, 1, 0), volume.orientation, order)
            for array in (*volume.image, foreground)
        )
        intensities += [channel[mask] for channel in channels]
    record = {
        "spacing": list(volume.spacing),
        "spacing_turned": geometry.reading_spacing(
            volume.spacing[::-1], volume.affine, volume.orientation, reorient=True
        ),
        "shape": list(label.shape),
        "orientation": volume.orientation,
        "nonzero_box": [[int(edge.start), int(edge.stop)] for edge in box],
        "reading_orders": orders,
        "foreground_voxels": int(foreground.sum()),
        "digest": hashlib.sha256(volume.image).hexdigest(),
    }
    return record, intensities, class_extents(label, labels)


def examine_and_analyse(
    case: Case, labels: Labels, reorient: str
) -> tuple[tuple[dict, list, np.ndarray] | None, list[Problem]]:
    """Return what `analyse` does, None for a case with an error, and all problems of the case."""
    volume, label, problems = examine(case, labels, reorient=False)
    return (None if volume is None else analyse(volume, label, labels, reorient)), problems


def main(*, dataset_json, cases, reorient, problems, analysis, intensities, extents):
    """Write the records (JSON), foreground intensities (npy) and extents (CSV) of `cases`.

    Cases with an error among their `problems` (CSV) are in none of the three.
    """
    dataset = open_dataset(dataset_json)
    labels, results, found = dataset.labels, {}, []
    for name in cases:
        result, of_case = examine_and_analyse(dataset.case(name), labels, reorient)
        found += of_case
        if result is not None:
            results[name] = result
    write_table(problems, COLUMNS, rows(found))
    values = [vector for _, vectors, _ in results.values() for vector in vectors]
    write_npy(intensities, np.concatenate([*values, np.empty(0, np.float32)]))
    spans = ([name, *row] for name, (_, _, table) in results.items() for row in table.tolist())
    write_table(extents, EXTENT_COLUMNS, spans)
    write_json(analysis, {name: record for name, (record, _, _) in results.items()})


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
