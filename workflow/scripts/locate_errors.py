"""Count where the wrong voxels of a fold's predictions lie, class by class and slice by slice.

slicewise.wrong_voxels says which kinds there are. One case is held at a time.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from slicewise.dataset import open_dataset
from slicewise.files import write_csv, write_parquet
from slicewise.job import logger, run
from slicewise.labels import Labels
from slicewise.selection import parse_selection
from slicewise.slice_stacks import SliceStack, held_out
from slicewise.wrong_voxels import KINDS, kinds_of_wrong

RUN_COLUMNS = ["dataset", "experiment", "fold", "seed", "case", "class", "label"]
COUNTS = [f"{kind}_{side}" for kind in KINDS for side in ("missed", "false")]
CASE_COLUMNS = [*RUN_COLUMNS, *COUNTS, "wrong", "voxel_ml"]
SLICE_COLUMNS = [*RUN_COLUMNS, "axis", "slice", "start", "stop", *COUNTS, "voxel_ml"]


def slabs(shown: np.ndarray, ascending: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return where each slice starts and stops along a structure, as shares of its length.

    shown: whether the truth shows the structure in each slice. It reaches from 0, its left,
    posterior or inferior end, to 1; slices beyond start below 0 or stop above 1. All are NaN where
    there is no structure.
    """
    filled = np.flatnonzero(shown)
    if not len(filled):
        return np.full(len(shown), np.nan), np.full(len(shown), np.nan)
    length = filled[-1] + 1 - filled[0]
    edges = (np.arange(len(shown) + 1) - filled[0]) / length
    return (edges[:-1], edges[1:]) if ascending else (1 - edges[1:], 1 - edges[:-1])


def locate(
    truth: np.ndarray,
    prediction: np.ndarray,
    labels: Labels,
    stack: SliceStack,
    tolerance_mm: float,
    chosen: np.ndarray,
) -> pd.DataFrame:
    """Return one row for each class and chosen slice: voxels missed and false, of each kind.

    truth, prediction: (slice, row, column); chosen: bool (slice). Ignored voxels are background in
    both. With regions a voxel counts for each region that it is wrong for. The column `label`
    counts the classes from 1.
    """
    known = labels.annotated(truth)
    both_foreground = (truth > 0) & (prediction > 0) & known
    tables = []
    for number, name in enumerate(labels.classes, start=1):
        true, found = (labels.mask(array, name) & known for array in (truth, prediction))
        kinds = kinds_of_wrong(true, found, both_foreground, stack.spacing[1:], tolerance_mm)
        start, stop = slabs(true.any(axis=(1, 2)), stack.ascending)
        rows = {"class": name, "label": number, "axis": stack.axis}
        rows |= {"slice": np.flatnonzero(chosen), "start": start[chosen], "stop": stop[chosen]}
        for place, kind in enumerate(KINDS, start=1):
            of_kind = kinds == place
            for side, mask in (("missed", true), ("false", found)):
                rows[f"{kind}_{side}"] = np.count_nonzero(of_kind & mask, axis=(1, 2))[chosen]
        tables.append(pd.DataFrame(rows))
    return pd.concat(tables, ignore_index=True)


def main(
    *,
    dataset_json: str | Path,
    splits: str | Path,
    predictions: str | Path,
    fingerprint: str | Path,
    orientation: str | Path,
    slice_axis: str | int,
    slices: str,
    surface_tolerance_mm: float,
    dataset: str,
    experiment: str,
    fold: int | str,
    seed: int | str,
    per_slice: str | Path,
    per_case: str | Path,
    thickened: Mapping | None = None,
) -> None:
    """Write the counts of a fold's validation cases: of all cases, and of slices with errors.

    thickened: as in evaluate_fold.
    """
    source = open_dataset(dataset_json)
    fold_cases = held_out(
        source,
        predictions,
        splits=splits,
        fold=int(fold),
        fingerprint=fingerprint,
        orientation=orientation,
        slice_axis=slice_axis,
        selection=parse_selection(slices),
        thickened=thickened,
    )
    tables = []
    for one in fold_cases:
        table = locate(
            one.truth, one.prediction, source.labels, one.stack, surface_tolerance_mm, one.chosen
        )
        tables.append(table.assign(case=one.case.name, voxel_ml=one.stack.voxel_mm3 / 1000))
    found = pd.concat(tables, ignore_index=True)
    found = found.assign(dataset=dataset, experiment=experiment, fold=int(fold), seed=int(seed))
    unit = [*RUN_COLUMNS, "voxel_ml"]
    totals = found.groupby(unit, sort=False)[COUNTS].sum().reset_index()
    totals["wrong"] = totals[COUNTS].sum(axis=1)
    write_csv(per_case, totals[CASE_COLUMNS])
    write_parquet(per_slice, found.loc[found[COUNTS].any(axis=1), SLICE_COLUMNS])
    shares = totals[COUNTS].sum() / max(totals["wrong"].sum(), 1)
    for kind in KINDS:
        share = shares[f"{kind}_missed"] + shares[f"{kind}_false"]
        logger.info("%s: %.1f %% of the wrong voxels", kind, 100 * share)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
