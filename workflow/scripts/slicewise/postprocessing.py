"""Largest-component post-processing of segmentations, as nnU-Net's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import ndimage

from slicewise.files import read_json

NEIGHBOURS = np.ones((3, 3, 3), bool)
"""Voxels that share a face, an edge or a corner are connected: 26 neighbours (nnU-Net)."""


def largest_component(mask: np.ndarray) -> np.ndarray:
    """Return the largest connected part of a mask with three axes, bool; of equal ones, all."""
    components, count = ndimage.label(mask, NEIGHBOURS)
    sizes = np.bincount(components.ravel(), minlength=count + 1)
    sizes[0] = 0
    kept = sizes == max(sizes.max(), 1)
    return kept[components]


def keep_largest(segmentation: np.ndarray, values: Sequence[int]) -> np.ndarray:
    """Return a segmentation in which some labels, taken together, are one connected part.

    What else holds these labels becomes background. Size is counted in voxels (nnU-Net:
    remove_all_but_largest_component_from_segmentation).
    """
    result = segmentation.copy()
    mask = np.isin(segmentation, values)
    for box in ndimage.find_objects(mask.astype(np.uint8)):
        inside = mask[box]
        result[box][inside & ~largest_component(inside)] = 0
    return result


def read_steps(path: str | Path) -> list[list[int]]:
    """Return the steps that a postprocessing.json decided on: the labels that each takes together.

    Steps follow one another in this order.
    """
    return [step["labels"] for step in read_json(path)["steps"] if step["kept"]]


def postprocess(segmentation: np.ndarray, steps: Sequence[Sequence[int]]) -> np.ndarray:
    """Return a segmentation after the steps of a postprocessing.json."""
    for values in steps:
        segmentation = keep_largest(segmentation, values)
    return segmentation
