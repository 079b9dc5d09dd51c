"""Thick slices made of thin ones, and thin slices of what was found in thick ones.

Both are a matrix along one axis of an array, with rows that sum to 1. A thick slice is the mean of
the thin ones, weighted by the slice profile. Its label is the class that fills most of it; a thin
slice takes that of the thick slice that it lies in. Slices are counted and measured in thin ones:
the centre of the first is 0, of the next 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from slicewise.labels import PRESENT, Labels

PROFILES = ("box", "gaussian")

REACH = 1.5
"""Distance from its centre, in thicknesses, up to which a Gaussian profile sees anything. It has
fallen to 2^-9 there; without an end, all of an image would leave its traces in the empty background
that preprocessing crops away."""

CLOSE = 1e-3
"""Shares that differ by less count as equal, and the neighbours decide. Where two slices become
one, many voxels at borders are half full: were the background to win all of them, hippocampi would
lose a seventh of their volume, and not a sixteenth."""


def centres(slices: int, factor: int) -> np.ndarray:
    """Return the centres of the thick slices that cover `slices` thin ones, in thin slices.

    As many as it takes, placed symmetrically: where they reach beyond the thin slices, they do so
    by as much at both ends, so that a mirrored scan has mirrored slices.
    """
    count = -(-slices // factor)
    return (slices - 1) / 2 + factor * (np.arange(count) - (count - 1) / 2)


def profile_weights(slices: int, factor: int, profile: str) -> np.ndarray:
    """Return what each thick slice takes of each thin one: (thick, thin), rows sum to 1.

    box: all within the thickness alike, a thin slice that is cut by the edge by the part within;
    gaussian: full width at half maximum is the thickness. Beyond the first and the last thin slice
    there is nothing: a thick slice is the mean of what it sees.
    """
    ends = np.arange(slices + 1) - 0.5 - centres(slices, factor)[:, None]
    if profile == "box":
        seen = np.clip(ends, -factor / 2, factor / 2)
    else:
        from scipy.special import ndtr

        deviation = factor / math.sqrt(8 * math.log(2))
        seen = ndtr(np.clip(ends, -REACH * factor, REACH * factor) / deviation)
    weights = np.diff(seen, axis=1)
    return weights / weights.sum(axis=1, keepdims=True)


def interpolation_weights(slices: int, factor: int) -> np.ndarray:
    """Return what each thin slice takes of each thick one: (thin, thick), rows sum to 1.

    Linear between the centres of two thick slices, and beyond the outermost the nearest.
    """
    middle = centres(slices, factor)
    place = np.clip((np.arange(slices) - middle[0]) / factor, 0, len(middle) - 1)
    return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(len(middle))))


def average(array: np.ndarray, weights: np.ndarray, axis: int) -> np.ndarray:
    """Return an array with one axis replaced by weighted means along it, float32.

    array: numbers or bool, any shape; weights: (new, old), of the slices along `axis`.
    """
    old = np.moveaxis(array, axis, 0)
    new = np.empty((len(weights), *old.shape[1:]), np.float32)
    for row, made in zip(weights, new, strict=True):
        used = np.flatnonzero(row)
        within = slice(used[0], used[-1] + 1)
        made[...] = np.tensordot(row[within], old[within], 1)
    return np.moveaxis(new, 0, axis)


def majority(label: np.ndarray, labels: Labels, weights: np.ndarray, axis: int) -> np.ndarray:
    """Return a label map with one axis replaced, where the class with the largest share wins.

    label: integers of any shape; weights: (new, old), of the slices along `axis`. Only what is
    annotated has a share, so that the result holds no `ignore`. Regions are there or not each by
    itself, where they fill more than half. Of equal shares (or half a region) the class wins that
    has more of the 3 x 3 voxels around within the slice, and of those that are equal there too the
    lower value (and no region): so are a network's outputs decided on (Labels.segment).
    """
    from scipy.ndimage import uniform_filter

    known = np.float32(1)
    if labels.ignore is not None:
        known = average(labels.annotated(label), weights, axis)
        known[known == 0] = 1
    within = [1 if other == axis else 3 for other in range(label.ndim)]

    def score(mask: np.ndarray) -> np.ndarray:
        # In single precision equal shares are equal, however they were added up in double.
        share = average(mask, weights, axis) / known
        around = uniform_filter(share, within, mode="nearest")
        return share + CLOSE * (around - PRESENT)

    return labels.segment(map(score, _masks(label, labels)))


def _masks(label: np.ndarray, labels: Labels) -> Iterator[np.ndarray]:
    """Yield where a label map holds each of the network's outputs."""
    if labels.has_regions:
        yield from (labels.mask(label, name) for name in labels.classes)
    else:
        yield from (label == value for value in labels.values)


def thicken_label(label: np.ndarray, labels: Labels, weights: np.ndarray, axis: int) -> np.ndarray:
    """Return the label map of thick slices: `majority`, and ignored where most of it is.

    That is where less than half of a thick voxel was annotated.
    """
    thick = majority(label, labels, weights, axis)
    if labels.ignore is not None:
        thick = thick.astype(np.min_scalar_type(labels.ignore), copy=False)
        thick[average(labels.annotated(label), weights, axis) < PRESENT] = labels.ignore
    return thick


def put_back(thick: np.ndarray, labels: Labels, slices: int, factor: int, axis: int) -> np.ndarray:
    """Return a segmentation of thick slices on the grid of the `slices` thin ones along `axis`.

    The mask of each class is interpolated linearly, and the largest share wins. Along a single axis
    that is the class of the thick slice that a thin one lies in; where two share it equally,
    `majority` says whose.
    """
    return majority(thick, labels, interpolation_weights(slices, factor), axis)


def thick_grid(
    affine: np.ndarray, shape: tuple[int, ...], factor: int, axis: int
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Return affine and shape of a file (i, j, k) once its slices along `axis` are thick."""
    middle = centres(shape[axis], factor)
    thick = np.array(affine, dtype=float)
    thick[:3, 3] += middle[0] * thick[:3, axis]
    thick[:3, axis] *= factor
    return thick, (*shape[:axis], len(middle), *shape[axis + 1 :])
