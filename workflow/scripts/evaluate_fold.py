"""Score the predictions of one fold slice by slice and case by case, and write summary.json.

Scores are taken on the grid of the input files; those of thick slices that were made of thin ones
on the grid of the thin ones.
"""

import json

import numpy as np
import pandas as pd

from slicewise.dataset import open_dataset
from slicewise.files import write_csv, write_parquet, write_text
from slicewise.job import logger, run
from slicewise.scoring import CASE_COLUMNS, SLICE_COLUMNS, score_case
from slicewise.selection import Selection, parse_selection
from slicewise.slice_stacks import held_out
from slicewise.summaries import summarise


def report_choice(selection: Selection, chosen: dict[str, np.ndarray]) -> None:
    """Log how many slices are scored; chosen: case -> bool (slice).

    A case without any has empty scores and a warning. Raises ValueError when all cases are such,
    but for want of foreground.
    """
    without = [case for case, slices in chosen.items() if not slices.any()]
    if len(without) == len(chosen) and selection.kind != "foreground":
        raise ValueError(
            f"evaluation.slices: found {selection}, which chooses no slice of any of the cases "
            f"{', '.join(without)}; choose others"
        )
    if without:
        logger.warning(
            "evaluation.slices: no slice of %s is chosen by %s: empty scores, in no mean",
            ", ".join(without),
            selection,
        )
    scored, total = (sum(map(count, chosen.values())) for count in (np.count_nonzero, len))
    logger.info("scored %d of %d slices of %d cases", scored, total, len(chosen))


def main(
    *,
    dataset_json,
    splits,
    predictions,
    fingerprint,
    orientation,
    slice_axis,
    slices,
    surface_tolerance_mm,
    dataset,
    experiment,
    fold,
    seed,
    per_slice,
    per_slice_parquet,
    per_case,
    summary,
    thickened=None,
):
    """Write the scores of a fold's validation cases per slice and per case, and the summary.

    Those per slice are written twice, as CSV for people and as Parquet, which figures read.
    thickened: how the slices of the predicted scans were made of those of the dataset that
    `dataset_json`, `fingerprint` and `orientation` are of, if they were.
    """
    source = open_dataset(dataset_json)
    selection = parse_selection(slices)
    fold_cases = held_out(
        source,
        predictions,
        splits=splits,
        fold=int(fold),
        fingerprint=fingerprint,
        orientation=orientation,
        slice_axis=slice_axis,
        selection=selection,
        thickened=thickened,
    )
    slice_rows, case_rows, files, chosen = [], [], {}, {}
    for one in fold_cases:
        name, scored = one.case.name, one.chosen
        tables = score_case(
            one.truth, one.prediction, source.labels, one.stack, surface_tolerance_mm, scored
        )
        for rows, table in zip((slice_rows, case_rows), tables, strict=True):
            rows.append(table.assign(case=name))
        known = int(source.labels.annotated(one.truth[scored]).sum())
        files[name], chosen[name] = (str(one.case.label), str(one.path), known), scored
    report_choice(selection, chosen)
    run_columns = {
        "dataset": dataset,
        "experiment": experiment,
        "fold": int(fold),
        "seed": int(seed),
    }
    places = pd.concat([table for table in slice_rows if len(table)] or slice_rows[:1])
    scores = pd.concat(case_rows).assign(**run_columns)[CASE_COLUMNS]
    places = places.assign(**run_columns)[SLICE_COLUMNS]
    write_csv(per_slice, places)
    write_parquet(per_slice_parquet, places)
    write_csv(per_case, scores)
    write_text(
        summary, json.dumps(summarise(scores, source.labels, files), sort_keys=True, indent=4)
    )
    for name, dice in scores.groupby("class", sort=False)["dice"]:
        logger.info("%s: mean Dice %.4f of %d cases", name, dice.mean(), dice.count())


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
