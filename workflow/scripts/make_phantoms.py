"""Make a group of synthetic hearts: short-axis, cine-MR-like images and labels.

Slices are thick, or of a thickness that was asked for. The anatomy is evaluated on points finer
than the voxels. The image is the mean over each voxel, which is what a thick slice does to anatomy:
the slice profile is a box as wide as the slice spacing. The label is the class that fills most of
the voxel.

Arrays are (x, y, z), towards the patient's right, front and head, until they are stored.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.spatial.transform import Rotation

from slicewise.anatomy import LABELS, Body, Heart, draw_body, draw_heart, fine_slice
from slicewise.files import write_json, write_nifti
from slicewise.job import run
from slicewise.randomness import generator

STORAGE = {
    "last": ("RAS",),
    "first": ("SRA",),
    "middle": ("RSA",),
    "mixed": ("RAS", "LPS", "LAS", "SRA", "RSA", "PIR"),
}
"""Letters of the stored axes for each `thick_axis`; a case draws one of them."""

ONE_BREATH_HOLD = 5.0
"""Slices thinner than this, mm, are those of one 3D scan, taken while the breath is held once."""

FINE_POINTS = 1.2
"""Distance in mm that fine points have at most."""


@dataclass(frozen=True)
class Grid:
    """The voxels of one image before obliquity: mm, and how far each breath-hold lay off.

    offsets: (z, 2), or (1, 2) where one breath-hold is that of all slices.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    lowest: float
    offsets: np.ndarray
    factors: tuple[int, int, int]

    def axis(self, axis: int) -> np.ndarray:
        """Return the fine points along an axis in mm, `factors[axis]` in each voxel."""
        count = self.shape[axis] * self.factors[axis]
        start = self.lowest if axis == 2 else -self.shape[axis] * self.spacing[axis] / 2
        steps = (np.arange(count) + 0.5) / self.factors[axis]
        return (start + steps * self.spacing[axis]).astype(np.float32)

    def within(self, index: int) -> slice:
        """Return the fine points through plane that belong to a slice."""
        return slice(index * self.factors[2], (index + 1) * self.factors[2])

    def points(self, index: int) -> tuple[np.ndarray, ...]:
        """Return x, y and z of the fine points of one slice in mm, as arrays that broadcast."""
        x, y = (self.axis(axis) + self.offsets[index % len(self.offsets), axis] for axis in (0, 1))
        return x[:, None, None], y[None, :, None], self.axis(2)[self.within(index)]


def height(heart: Heart) -> float:
    """Return how far a heart reaches through the slices, in mm."""
    tilt = math.hypot(*heart.tilt)
    return heart.length * math.cos(tilt) + heart.radius * math.sin(tilt)


def draw_grid(rng: np.random.Generator, heart: Heart) -> Grid:
    """Draw 8 to 12 slices of 5 to 10 mm that hold the heart and one or two more at each end.

    Voxels are square in plane, 1.2 to 1.8 mm, 64 to 84 along each side.
    """
    extent = height(heart)
    covering = int(rng.choice([count for count in (6, 7, 8, 9) if 5 <= extent / count <= 10]))
    below = int(rng.integers(1, 3))
    slices = covering + below + int(rng.integers(1, min(2, 12 - covering - below) + 1))
    thickness = round(extent / covering, 3)
    spacing = round(rng.uniform(1.2, 1.8), 3)
    columns, rows = (min(max(round(rng.uniform(100, 112) / spacing), 64), 84) for _ in range(2))
    return Grid(
        shape=(columns, rows, slices),
        spacing=(spacing, spacing, thickness),
        lowest=-(covering / 2 + below + rng.uniform(-0.3, 0.3)) * thickness,
        offsets=rng.normal(0, 1.2, (slices, 2)).astype(np.float32),
        factors=(2, 2, round(thickness / FINE_POINTS)),
    )


def draw_grid_of(
    rng: np.random.Generator, heart: Heart, spacing: tuple[float, float, float]
) -> Grid:
    """Draw how many voxels of `spacing` mm hold the heart and 6 to 14 mm more at each end.

    In plane they cover what those of `draw_grid` do, 100 to 112 mm.
    """
    below, above = rng.uniform(6, 14, 2)
    extent = height(heart)
    columns, rows = (
        round(side / mm) for side, mm in zip(rng.uniform(100, 112, 2), spacing[:2], strict=True)
    )
    slices = math.ceil((extent + below + above) / spacing[2])
    holds = 1 if spacing[2] < ONE_BREATH_HOLD else slices
    return Grid(
        shape=(columns, rows, slices),
        spacing=tuple(spacing),
        lowest=-extent / 2 - below,
        offsets=rng.normal(0, 1.2, (holds, 2)).astype(np.float32),
        factors=tuple(max(2, math.ceil(mm / FINE_POINTS)) for mm in spacing),
    )


def smooth_field(rng: np.random.Generator, grid: Grid, scale: float) -> np.ndarray:
    """Return a Gaussian random field of unit variance on all fine points (x, y, z).

    `scale` is the standard deviation in mm of the bumps that the field is made of.
    """
    weights = []
    for points in map(grid.axis, range(3)):
        knots = np.arange(points[0] - 2 * scale, points[-1] + 2 * scale, scale, dtype=np.float32)
        weight = np.exp(-0.5 * ((points[:, None] - knots) / scale) ** 2)
        weights.append(weight / np.sqrt((weight**2).sum(axis=1, keepdims=True)))
    field = rng.standard_normal([weight.shape[1] for weight in weights], dtype=np.float32)
    for weight in weights:
        # Each turn replaces the first axis of knots by a last axis of points.
        field = np.tensordot(field, weight, axes=(0, 1))
    return field


def average(fine: np.ndarray, factors: tuple[int, int, int]) -> np.ndarray:
    """Return the mean of each block of `factors` points: partial volume with a box profile."""
    blocks = [part for n, f in zip(fine.shape, factors, strict=True) for part in (n // f, f)]
    return fine.reshape(blocks).mean(axis=(1, 3, 5), dtype=np.float32)


def majority(fine: np.ndarray, factors: tuple[int, int, int]) -> np.ndarray:
    """Return the label that fills most of each block of `factors` points (uint8)."""
    shares = [average(fine == value, factors) for value in (0, *LABELS.values())]
    return np.argmax(shares, axis=0).astype(np.uint8)


def scan(
    rng: np.random.Generator, heart: Heart, body: Body, grid: Grid
) -> tuple[np.ndarray, np.ndarray]:
    """Return the image without noise and the label (x, y, z), one slice after the other."""
    fields = [smooth_field(rng, grid, scale) for scale in (7.0, 1.3)]
    images, labels = [], []
    for index in range(grid.shape[2]):
        textures = [np.ascontiguousarray(field[..., grid.within(index)]) for field in fields]
        signal, label = fine_slice(heart, body, grid.points(index), *textures)
        images.append(average(signal, grid.factors))
        labels.append(majority(label, grid.factors))
    return np.concatenate(images, axis=2), np.concatenate(labels, axis=2)


def receive(rng: np.random.Generator, signal: np.ndarray, holds: int) -> np.ndarray:
    """Return an image as a scanner stores it: int16, arbitrary units.

    The coil shades it smoothly, each of `holds` breath-holds (one, or one for each slice) has a
    gain of its own, and the noise is Rician as in the magnitude of a complex signal.
    """
    axes = np.ix_(*(np.linspace(-1, 1, count) for count in signal.shape))
    slopes, bends = rng.normal(0, [(0.15, 0.15, 0.05), (0.08, 0.08, 0.03)])
    shading = sum(s * axis + b * axis**2 for s, b, axis in zip(slopes, bends, axes, strict=True))
    gain = np.exp(shading) * rng.normal(1, 0.03, holds)
    real, imaginary = rng.uniform(0.025, 0.07) * rng.standard_normal((2, *signal.shape))
    scale = math.exp(rng.uniform(math.log(200), math.log(2000)))
    voxels = scale * np.hypot(signal * gain + real, imaginary)
    return np.rint(voxels).clip(0, np.iinfo(np.int16).max).astype(np.int16)


def draw_affine(rng: np.random.Generator, grid: Grid) -> np.ndarray:
    """Draw voxel-to-world coordinates: turned by up to 25 degrees about any axis, moved anywhere.

    25 degrees leave each array axis closest to its own body axis, so that every case is RAS.
    """
    direction = rng.normal(size=3)
    turn = math.radians(rng.uniform(0, 25)) * direction / np.linalg.norm(direction)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_rotvec(turn).as_matrix() * grid.spacing
    affine[:3, 3] = rng.uniform(-60, 60, 3) - affine[:3, :3] @ (np.array(grid.shape) - 1) / 2
    return affine


def stored(array: np.ndarray, affine: np.ndarray, orientation: str, case: str) -> nib.Nifti1Image:
    """Return a RAS array as a NIfTI image with its axes in `orientation`, in the same place."""
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(orientation)
    )
    affine = affine @ nib.orientations.inv_ornt_aff(turn, array.shape)
    image = nib.Nifti1Image(nib.orientations.apply_orientation(array, turn), affine)
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = f"slicewise synthetic {case}"[:79]
    return image


def write_phantom(
    *,
    case: str,
    index: int,
    seed: int,
    thick_axis: str,
    spacing: tuple[float, float, float] | None,
    image: Path,
    label: Path,
) -> None:
    """Write the image and label of one case, which depend on nothing but the settings and `index`.

    `thick_axis`: the array axis that runs through the slices, last, first or middle, or mixed for
    an orientation drawn for each case; raises ValueError for anything else. `spacing`: voxel size
    in mm (x, y, z), None for one that is drawn too.
    """
    if thick_axis not in STORAGE:
        raise ValueError(
            f"{case}: found thick_axis {thick_axis!r}, expected one of {', '.join(STORAGE)}"
        )
    rng = generator(seed, "phantom", index)
    heart = draw_heart(rng)
    body = draw_body(rng, heart)
    grid = draw_grid_of(rng, heart, spacing) if spacing else draw_grid(rng, heart)
    affine = draw_affine(rng, grid)
    signal, classes = scan(rng, heart, body, grid)
    orientation = generator(seed, "phantom storage", index).choice(STORAGE[thick_axis])
    write_nifti(image, stored(receive(rng, signal, len(grid.offsets)), affine, orientation, case))
    write_nifti(label, stored(classes, affine, orientation, case))


def main(
    *,
    cases: list[str],
    raw: Path,
    seed: int,
    thick_axis: str,
    spacing: tuple[float, float, float] | None,
    made: Path,
) -> None:
    """Write phantoms, each phantom_INDEX, into a raw dataset; `made`, last, says which they are."""
    raw = Path(raw)
    for case in cases:
        write_phantom(
            case=case,
            index=int(case.removeprefix("phantom_")),
            seed=seed,
            thick_axis=thick_axis,
            spacing=spacing,
            image=raw / "imagesTr" / f"{case}_0000.nii.gz",
            label=raw / "labelsTr" / f"{case}.nii.gz",
        )
    write_json(made, cases)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
