"""Score what the labels of thick slices say of the thin ones, case by case.

That is what a network scores that predicts the thick labels without a mistake: a bound in practice,
not in theory. The thick labels are those of most of the slice profile, which makes the most voxels
right; other labels may have a higher Dice, but no network is trained towards them here.
"""

import numpy as np
import pandas as pd

from slicewise import geometry, thickening
from slicewise.dataset import open_dataset
from slicewise.files import write_csv
from slicewise.job import logger, run
from slicewise.labels import Labels
from slicewise.records import read_fingerprint, read_orientation
from slicewise.scoring import CASE_COLUMNS, score_case
from slicewise.selection import parse_selection
from slicewise.slice_stacks import in_slices, stack_slices
from slicewise.volumes import read_header, read_stored_label

OF_A_RUN = ("experiment", "fold", "seed")
"""Columns of per_case.csv that the ceiling has not."""


def there_and_back(
    truth: np.ndarray, labels: Labels, axis: int, factor: int, profile: str
) -> np.ndarray:
    """Return what is left of a label map (i, j, k) once its slices along `axis` were thick."""
    slices = truth.shape[axis]
    weights = thickening.profile_weights(slices, factor, profile)
    thick = thickening.majority(truth, labels, weights, axis)
    return thickening.put_back(thick, labels, slices, factor, axis)


def main(
    *,
    dataset_json,
    fingerprint,
    orientation,
    cases,
    thickened,
    slice_axis,
    slices,
    surface_tolerance_mm,
    dataset,
    ceiling,
):
    """Write the scores of all `cases` in the columns of per_case.csv, less those of a run.

    dataset_json, fingerprint and orientation: those of the dataset with the thin slices; thickened:
    axis, factor and profile.
    """
    source, reorient = open_dataset(dataset_json), read_orientation(orientation)["reorient"]
    spacing = geometry.target_spacing(read_fingerprint(fingerprint))
    selection, tables = parse_selection(slices), []
    for name in cases:
        case = source.case(name)
        header = read_header(case)
        axis, along = (
            geometry.sliced_axis(policy, spacing, header.orientation, reorient)
            for policy in (slice_axis, thickened["axis"])
        )
        truth = read_stored_label(case, source.labels, header)
        left = there_and_back(
            truth, source.labels, along, thickened["factor"], thickened["profile"]
        )
        truth, left = (in_slices(label, axis) for label in (truth, left))
        stack = stack_slices(header.affine, header.shape, axis)
        scored = selection.scored(truth, source.labels, stack.position_mm)
        _, table = score_case(truth, left, source.labels, stack, surface_tolerance_mm, scored)
        tables.append(table.assign(case=name))
    columns = [column for column in CASE_COLUMNS if column not in OF_A_RUN]
    scores = pd.concat(tables).assign(dataset=dataset)[columns]
    write_csv(ceiling, scores)
    for name, dice in scores.groupby("class", sort=False)["dice"]:
        logger.info(
            "%s: the thick labels score a mean Dice of %.4f, %d cases",
            name,
            dice.mean(),
            dice.count(),
        )


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
