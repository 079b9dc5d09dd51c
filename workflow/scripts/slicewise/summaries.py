"""Scores of cases as nnU-Net's summary.json (nnunetv2 2.8.1, compute_metrics_on_folder).

The same keys, values and order for the same files.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from slicewise.labels import Labels

COUNTS = ["tp", "fp", "fn"]
"""Columns of the voxels that a class was found in rightly and wrongly, and missed in."""


def class_metrics(row, voxels: int) -> dict:
    """Return nnU-Net's metrics of one class in one case of so many voxels that are scored."""
    tp, fp, fn = int(row.tp), int(row.fp), int(row.fn)
    return {
        "Dice": float(row.dice),
        "IoU": float(row.iou),
        "FP": fp,
        "TP": tp,
        "FN": fn,
        "TN": voxels - tp - fp - fn,
        "n_pred": fp + tp,
        "n_ref": fn + tp,
    }


def mean_of_present(values: list[float]) -> float:
    """Return the mean without nan values, nan if there are no others."""
    present = np.count_nonzero(~np.isnan(values))
    return float(np.nansum(values) / present) if present else float("nan")


def summarise(
    per_case: pd.DataFrame, labels: Labels, files: dict[str, tuple[str, str, int]]
) -> dict:
    """Return nnU-Net's summary of the per-case table.

    files: case -> (reference file, prediction file, voxels scored). Cases stand in the order
    of their prediction files. A class that is empty in every case has a mean of nan, and so has the
    foreground then, as nnU-Net's.
    """
    cases = []
    of_case = dict(list(per_case[["case", "label", *COUNTS, "dice", "iou"]].groupby("case")))
    for case in sorted(files, key=lambda name: Path(files[name][1]).name):
        reference, prediction, voxels = files[case]
        rows = of_case[case].itertuples()
        scores = {labels.keys[row.label - 1]: class_metrics(row, voxels) for row in rows}
        cases.append(
            {"reference_file": reference, "prediction_file": prediction, "metrics": scores}
        )
    mean = {
        label: {
            name: mean_of_present([case["metrics"][label][name] for case in cases])
            for name in scores
        }
        for label, scores in cases[0]["metrics"].items()
    }
    names = next(iter(mean.values()))
    foreground = {name: float(np.mean([mean[label][name] for label in mean])) for name in names}
    return {"metric_per_case": cases, "mean": mean, "foreground_mean": foreground}
