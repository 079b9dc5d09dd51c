"""Predictions on the grid that they are scored on: their own, or that of the thin slices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from slicewise import geometry, thickening
from slicewise.dataset import Case
from slicewise.labels import Labels
from slicewise.volumes import Volume, read_stored_label


def read_prediction(
    case: Case,
    path: Path,
    labels: Labels,
    header: Volume,
    reorient: bool,
    thickened: Mapping | None,
) -> np.ndarray:
    """Return the prediction of a case on the grid of its files: integers (i, j, k).

    header: that of the case; reorient: whether scans of its dataset are turned; thickened: how the
    slices that `path` is a prediction of were made of those of the case (its axis and factor), None
    where they are the same. Raises BadInput for another grid and unknown values.
    """
    predicted = replace(case, label=path)
    if not thickened:
        return read_stored_label(predicted, labels, header)
    axis = geometry.sliced_axis(thickened["axis"], header.spacing, header.orientation, reorient)
    factor, slices = thickened["factor"], header.shape[axis]
    affine, shape = thickening.thick_grid(header.affine, header.shape, factor, axis)
    thick = read_stored_label(predicted, labels, replace(header, affine=affine, shape=shape))
    return thickening.put_back(thick, labels, slices, factor, axis)
