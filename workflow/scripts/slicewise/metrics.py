"""Overlap and surface agreement of two segmentations: Dice, IoU, HD95, ASSD and surface Dice.

Surfaces follow Nikolov et al. (J Med Internet Res 2021, "Clinically applicable segmentation of
head and neck anatomy") and DeepMind's surface-distance, the reference implementation: a surface is
made of elements that sit where voxels of both kinds meet, at the corners of the voxels, and each
counts by its area (in 2D, its length). Counting voxels instead would let a 1 mm and a 10 mm edge of
one anisotropic pixel weigh the same. Beyond the border of the array is outside.

Two empty masks agree on nothing: every score is nan. If exactly one is empty the overlap scores
are 0 and no distance exists: HD95 and ASSD are nan. `status` says which case a score belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from slicewise.crop import bounding_box

PERCENTILE = 0.95
"""Share of a surface, by area, that lies within HD95 of the other surface."""

ROUNDING_MM = 1e-4
"""Slack on the tolerance: a spacing of 0.3 mm is stored as float32, 0.3000000119 mm."""


@dataclass(frozen=True)
class SurfaceScores:
    """How far apart two surfaces are, in mm, and the share of them within the tolerance."""

    hd95_mm: float
    assd_mm: float
    surface_dice: float


def overlap_counts(
    truth: np.ndarray, prediction: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count the true positive, false positive and false negative voxels of every slice.

    truth, prediction: bool (slice, row, column). Returns three int64 arrays (slice).
    """
    counts = [np.count_nonzero(m, axis=(1, 2)) for m in (truth & prediction, prediction, truth)]
    both, predicted, true = counts
    return both, predicted - both, true - both


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divide, giving nan where the whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def dice(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> np.ndarray:
    """Return 2 tp / (2 tp + fp + fn), element by element; nan where all three are 0."""
    tp, fp, fn = np.asarray(tp), np.asarray(fp), np.asarray(fn)
    return _ratio(2 * tp, 2 * tp + fp + fn)


def iou(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> np.ndarray:
    """Return tp / (tp + fp + fn), element by element; nan where all three are 0."""
    tp, fp, fn = np.asarray(tp), np.asarray(fp), np.asarray(fn)
    return _ratio(tp, tp + fp + fn)


def status(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> np.ndarray:
    """Say which of the two masks hold voxels: both, truth_only, prediction_only or both_empty."""
    true, predicted = np.add(tp, fn) > 0, np.add(tp, fp) > 0
    return np.select(
        [true & predicted, true, predicted], ["both", "truth_only", "prediction_only"], "both_empty"
    )


def _crossings(padded: np.ndarray, axis: int) -> np.ndarray:
    """Count, around each voxel corner, the edges along `axis` that join inside and outside.

    padded: (mask, *axes). A corner has 2 x 2 (x 2) voxels around it, hence two such edges in 2D and
    four in 3D.
    """
    edges = np.diff(padded, axis=axis).astype(np.uint8)
    for other in set(range(1, padded.ndim)) - {axis}:
        edges = np.moveaxis(edges, other, 0)
        edges = np.moveaxis(edges[:-1] + edges[1:], 0, other)
    return edges


@dataclass(frozen=True)
class _Surfaces:
    """The surfaces of several masks, element by element, those of one mask after another.

    grid: whether an element sits at each voxel corner, bool (mask, *corners); corners: indices of
    the elements in it; areas: of each element, in mm2, or mm in 2D; ends: how many elements there
    are up to the last of each mask.
    """

    grid: np.ndarray
    corners: tuple[np.ndarray, ...]
    areas: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, masks: np.ndarray, spacing: np.ndarray) -> _Surfaces:
        """Return the surface of each of several masks (mask, *axes); spacing: mm along axes."""
        axes = range(1, masks.ndim)
        padded = np.pad(masks, [(0, 0), *([(1, 1)] * len(axes))])
        crossings = [_crossings(padded, axis) for axis in axes]
        grid = sum(crossings) > 0
        corners = np.nonzero(grid)
        shares = np.stack([crossing[corners] for crossing in crossings], 1) / 2 ** (len(axes) - 1)
        faces = spacing.prod() / spacing
        ends = np.searchsorted(corners[0], np.arange(len(masks)), side="right")
        return cls(grid, corners, np.linalg.norm(shares * faces, axis=1), ends)

    def positions(self, spacing: np.ndarray) -> np.ndarray:
        """Return where the elements are within their mask, in mm (element, axis)."""
        return np.stack(self.corners[1:], axis=1) * spacing

    def distances(self, other: _Surfaces, spacing: np.ndarray) -> list[np.ndarray]:
        """Return for each mask how far its elements are from the nearest of the other's, in mm."""
        distances = np.zeros(len(self.areas))
        apart = np.flatnonzero(~other.grid[self.corners])
        points, others = self.positions(spacing)[apart], other.positions(spacing)
        if len(self.ends) > 1:  # one tree for all masks: none reaches as far as the next one
            far = 2 * np.linalg.norm(self.grid.shape[1:] * spacing)
            points = np.column_stack((points, far * self.corners[0][apart]))
            others = np.column_stack((others, far * other.corners[0]))
        distances[apart] = cKDTree(others, balanced_tree=False).query(points)[0]
        return np.split(distances, self.ends[:-1])


def surface_elements(mask: np.ndarray, spacing: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the surface of a mask: where its elements are and how large.

    mask: bool, 2D or 3D; spacing: mm along each of its axes. Returns positions (element, axis) in
    mm and areas (element) in mm2, for 2D masks lengths in mm. The area has one component per axis,
    the voxel face across that axis times the share of crossed edges along it. In 2D this is the
    length of marching squares, as in surface-distance; in 3D it is exact for planes normal to an
    axis or to the diagonal of a face or of the cube, and needs no table of marching cubes.
    """
    spacing = np.asarray(spacing, dtype=float)
    surface = _Surfaces.of(mask[None], spacing)
    return surface.positions(spacing), surface.areas


def _distance_reached(distances: np.ndarray, areas: np.ndarray, share: float) -> float:
    """Return the smallest distance that `share` of the area lies within."""
    order = np.argsort(distances)
    within = np.cumsum(areas[order])
    rounding = 1 - 1e-9  # so that an exact tie does not hang on the unit of the areas
    return float(distances[order[np.searchsorted(within, share * rounding * within[-1])]])


def surface_scores(
    truth: np.ndarray, prediction: np.ndarray, spacing: ArrayLike, tolerance_mm: float
) -> SurfaceScores:
    """Compare the surfaces of two masks of one shape, 2D or 3D.

    truth, prediction: bool; spacing: mm along each axis. Of the distances from every element of
    one surface to the nearest element of the other, weighted by area:
    HD95 is the larger of the two directed 95th percentiles (surface-distance:
    compute_robust_hausdorff); ASSD the mean over both surfaces together (Heimann et al., IEEE TMI
    2009); surface Dice the share of both surfaces within the tolerance (Nikolov et al. 2021).
    """
    return surface_scores_by_slice(truth[None], prediction[None], spacing, tolerance_mm)[0]


def surface_scores_by_slice(
    truth: np.ndarray, prediction: np.ndarray, spacing: ArrayLike, tolerance_mm: float
) -> list[SurfaceScores]:
    """Compare two stacks of masks slice by slice, as surface_scores does; faster than one by one.

    truth, prediction: bool (slice, *axes); spacing: mm along the axes within a slice.
    """
    spacing = np.asarray(spacing, dtype=float)
    within = tuple(range(1, truth.ndim))
    true, found = (masks.any(axis=within) for masks in (truth, prediction))
    scores = [SurfaceScores(np.nan, np.nan, 0.0 if any_ else np.nan) for any_ in true | found]
    both = np.flatnonzero(true & found)
    if not len(both):
        return scores
    if len(both) < len(truth):
        truth, prediction = truth[both], prediction[both]
    box = bounding_box((truth | prediction).any(axis=0))
    surfaces = [_Surfaces.of(masks[:, *box], spacing) for masks in (truth, prediction)]
    limit = tolerance_mm + ROUNDING_MM
    parts = [
        zip(one.distances(other, spacing), np.split(one.areas, one.ends[:-1]), strict=True)
        for one, other in (surfaces, surfaces[::-1])
    ]
    for index, *pairs in zip(both, *parts, strict=True):
        area = sum(areas.sum() for _, areas in pairs)
        scores[index] = SurfaceScores(
            hd95_mm=max(_distance_reached(*pair, PERCENTILE) for pair in pairs),
            assd_mm=float(sum((far * areas).sum() for far, areas in pairs) / area),
            surface_dice=float(sum(areas[far <= limit].sum() for far, areas in pairs) / area),
        )
    return scores
