"""Scores of one case, slice by slice and as a whole, in mm on the grid of its files."""

from __future__ import annotations

import numpy as np
import pandas as pd

from slicewise import metrics
from slicewise.labels import Labels
from slicewise.slice_stacks import SliceStack
from slicewise.summaries import COUNTS

RUN_COLUMNS = ["dataset", "experiment", "fold", "seed", "case", "class", "label"]
PLACE_COLUMNS = ["axis", "slice", "position_mm", "relative_position"]
AREA_COLUMNS = ["area_true_mm2", "area_predicted_mm2"]
VOLUME_COLUMNS = ["volume_true_ml", "volume_predicted_ml"]
SCORE_COLUMNS = ["dice", "iou", "hd95_mm", "assd_mm", "surface_dice", "status"]
SLICE_COLUMNS = [*RUN_COLUMNS, *PLACE_COLUMNS, *COUNTS, *AREA_COLUMNS, *SCORE_COLUMNS]
CASE_COLUMNS = [*RUN_COLUMNS, *COUNTS, *VOLUME_COLUMNS, *SCORE_COLUMNS]

IGNORED = "ignored"
"""Status of a slice without a single annotated voxel; it has no scores."""

NO_SURFACE = metrics.SurfaceScores(np.nan, np.nan, np.nan)
"""Scores in space of slices with gaps between them, which have surfaces that nobody has."""


def relative_position(voxels: np.ndarray, ascending: bool) -> np.ndarray:
    """Return where each slice lies in a structure with `voxels` (slice): from 0 to 1, else nan.

    0 is the structure's left, posterior or inferior end however the file is stored, so that cases
    of several orientations can be averaged; the only slice of a structure is at 0.5.
    """
    position = np.full(len(voxels), np.nan)
    filled = np.flatnonzero(voxels)
    if len(filled):
        first, last = filled[0], filled[-1]
        inside = np.linspace(0, 1, last - first + 1) if last > first else np.array([0.5])
        position[first : last + 1] = inside if ascending else 1 - inside
    return position


def score_columns(tp, fp, fn, surfaces: list[metrics.SurfaceScores]) -> dict:
    """Return the columns of overlap and surface scores for aligned counts and surfaces."""
    return {
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "dice": metrics.dice(tp, fp, fn),
        "iou": metrics.iou(tp, fp, fn),
        "hd95_mm": [surface.hd95_mm for surface in surfaces],
        "assd_mm": [surface.assd_mm for surface in surfaces],
        "surface_dice": [surface.surface_dice for surface in surfaces],
        "status": metrics.status(tp, fp, fn),
    }


def score_case(
    truth: np.ndarray,
    prediction: np.ndarray,
    labels: Labels,
    stack: SliceStack,
    tolerance_mm: float,
    chosen: np.ndarray,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score one case (slice, row, column); return its rows per class and slice, and per class.

    chosen: which slices to score, bool (slice). Ignored voxels and those of other slices are
    background in both, so they count in no score. A case has surface distances if the slices that
    count lie side by side. The relative position is that in the whole structure. The column `label`
    counts the classes from 1.
    """
    known = labels.annotated(truth)
    scored = known & chosen[:, None, None]
    side_by_side = (np.diff(np.flatnonzero(scored.any(axis=(1, 2)))) == 1).all()
    by_slice, by_case = [], []
    for number, name in enumerate(labels.classes, start=1):
        whole = (labels.mask(truth, name) & known).sum(axis=(1, 2))
        true, found = (labels.mask(array, name) & scored for array in (truth, prediction))
        tp, fp, fn = metrics.overlap_counts(true[chosen], found[chosen])
        in_plane = metrics.surface_scores_by_slice(
            true[chosen], found[chosen], stack.spacing[1:], tolerance_mm
        )
        rows = {
            "class": name,
            "label": number,
            "axis": stack.axis,
            "slice": np.flatnonzero(chosen),
            "position_mm": stack.position_mm[chosen],
            "relative_position": relative_position(whole, stack.ascending)[chosen],
            "area_true_mm2": (tp + fn) * stack.pixel_mm2,
            "area_predicted_mm2": (tp + fp) * stack.pixel_mm2,
        }
        rows |= score_columns(tp, fp, fn, in_plane)
        rows["status"] = np.where(known[chosen].any(axis=(1, 2)), rows["status"], IGNORED)
        by_slice.append(pd.DataFrame(rows))
        tp, fp, fn = ([n.sum()] for n in (tp, fp, fn))
        surface = NO_SURFACE
        if side_by_side:
            surface = metrics.surface_scores(true, found, stack.spacing, tolerance_mm)
        row = {
            "class": name,
            "label": number,
            "volume_true_ml": np.add(tp, fn) * stack.voxel_mm3 / 1000,
            "volume_predicted_ml": np.add(tp, fp) * stack.voxel_mm3 / 1000,
        }
        by_case.append(pd.DataFrame(row | score_columns(tp, fp, fn, [surface])))
    return pd.concat(by_slice), pd.concat(by_case)
