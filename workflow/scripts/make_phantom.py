"""Make one synthetic heart: a short-axis, cine-MR-like image and its label, in thick slices.

Each tissue is a formula in millimetres, evaluated on points finer than the voxels. The image is
the mean over each voxel, which is what a thick slice does to anatomy: the slice profile is a box as
wide as the slice spacing. The label is the class that fills most of the voxel. As in ACDC, the
papillary muscles belong to the left ventricle; the wall of the right ventricle and everything above
the valves are background.

Arrays are (x, y, z), towards the patient's right, front and head, until they are stored.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.spatial.transform import Rotation

from slicewise.files import write_nifti
from slicewise.job import run
from slicewise.randomness import generator

STORAGE = {
    "last": ("RAS",),
    "first": ("SRA",),
    "middle": ("RSA",),
    "mixed": ("RAS", "LPS", "LAS", "SRA", "RSA", "PIR"),
}
"""Letters of the stored axes for each `thick_axis`; a case draws one of them."""

LABELS = {"right_ventricle": 1, "myocardium": 2, "left_ventricle": 3}

TISSUES = {
    "lung": (0.04, 0.10, 0.30, 0.40),
    "fat": (0.62, 1.00, 0.08, 0.08),
    "muscle": (0.22, 0.36, 0.08, 0.12),
    "marrow": (0.40, 0.65, 0.05, 0.15),
    "liver": (0.32, 0.58, 0.05, 0.08),
    "stomach": (0.15, 0.80, 0.20, 0.12),
    "wall": (0.32, 0.48, 0.05, 0.10),
    "vessel": (0.88, 1.08, 0.06, 0.04),
    "right_ventricle": (0.90, 1.04, 0.07, 0.05),
    "myocardium": (0.34, 0.52, 0.06, 0.07),
    "left_ventricle": (1.00, 1.00, 0.07, 0.05),
    "papillary": (0.36, 0.54, 0.05, 0.06),
}
"""Range of the mean signal, where left ventricular blood is 1, and share of the two textures."""

CODES = {name: code for code, name in enumerate(TISSUES)}

CHAMBERS = np.array(
    [
        (0.10, -0.15, -0.75, 0.75, 0.80, 0.70),  # left atrium
        (-0.20, 0.30, -0.40, 0.42, 0.42, 1.00),  # aortic root
        (-1.15, -0.35, -0.65, 0.60, 0.70, 0.62),  # right atrium
        (-0.70, 0.75, -0.30, 0.45, 0.42, 0.90),  # right outflow tract
    ]
)
"""Blood above the valves: centre and radii of ellipsoids in the heart's axes, in heart radii."""


@dataclass(frozen=True)
class Heart:
    """The shape of one heart at end-diastole, in mm and radians.

    Shares of `radius`: rv_offset, rv_radii. wobble: harmonic, size as a share of the local radius,
    phase. papillary: angle, distance as a share of the cavity's radius, radius as a share of
    `radius`, depth as a share of `length`. chambers: centre and radii.
    """

    length: float
    radius: float
    wall: float
    apical_wall: float
    widest: float
    thick_side: float
    wobble: list[tuple[float, float, float]]
    rv_length: float
    rv_offset: float
    rv_radii: tuple[float, float]
    rv_wall: float
    papillary: list[tuple[float, float, float, float]]
    chambers: np.ndarray
    centre: tuple[float, float]
    septum: float
    tilt: tuple[float, float]


@dataclass(frozen=True)
class Body:
    """What lies around the heart, in mm and radians.

    fat: its thickness on the heart; gap: the width of lung that fat replaces; dome: height of the
    diaphragm and its slope; liver: where it meets the stomach; chest: direction and distance of
    the wall; ribs: phase; tubes: x, y, lean and radius of aorta and caval vein; signal: the mean
    of each tissue, by code.
    """

    fat: float
    gap: float
    dome: tuple[float, float]
    liver: float
    stomach: float
    chest: tuple[float, float]
    ribs: float
    tubes: list[tuple[float, float, float, float]]
    signal: np.ndarray


@dataclass(frozen=True)
class Grid:
    """The voxels of one image before obliquity: mm, and how far each breath-hold lay off (z, 2)."""

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
        x, y = (self.axis(axis) + self.offsets[index, axis] for axis in (0, 1))
        return x[:, None, None], y[None, :, None], self.axis(2)[self.within(index)]


def draw_heart(rng: np.random.Generator) -> Heart:
    """Draw the shape of one heart, 46 mm long (a small child's) to 78 mm (a small adult's)."""
    length = rng.uniform(46, 78)
    radius = length * rng.uniform(0.36, 0.42)
    wall = radius * rng.uniform(0.24, 0.38)
    septum = math.radians(rng.uniform(15, 50))
    aside = 0.3 * radius  # The right ventricle fills the other side of the field of view.
    return Heart(
        length=length,
        radius=radius,
        wall=wall,
        apical_wall=wall * rng.uniform(0.7, 0.95),
        widest=length * rng.uniform(0.12, 0.28),
        thick_side=rng.uniform(0, 2 * math.pi),
        wobble=[(k, rng.normal(0, 0.16 / k**2), rng.uniform(0, 2 * math.pi)) for k in (2, 3, 4)],
        rv_length=length * rng.uniform(0.76, 0.90),
        rv_offset=rng.uniform(0.62, 0.78),
        rv_radii=(rng.uniform(0.82, 1.02), rng.uniform(0.88, 1.08)),
        rv_wall=rng.uniform(1.5, 3.0),
        papillary=[
            (
                math.radians(angle + rng.uniform(-15, 15)),
                rng.uniform(0.60, 0.72),
                rng.uniform(0.13, 0.19),
                rng.uniform(0.40, 0.50),
            )
            for angle in (55, -60)
        ],
        chambers=(radius * CHAMBERS * rng.uniform(0.85, 1.15, CHAMBERS.shape)).astype(np.float32),
        centre=(
            rng.normal(-aside * math.cos(septum), 2),
            rng.normal(-aside * math.sin(septum), 2),
        ),
        septum=septum,
        tilt=(math.radians(rng.uniform(-5, 5)), math.radians(rng.uniform(-5, 5))),
    )


def draw_body(rng: np.random.Generator, heart: Heart) -> Body:
    """Draw the surroundings: the heart rests on the diaphragm, behind the chest wall."""
    x, y = heart.centre
    size = heart.radius
    front = rng.uniform(-0.1, 0.5)
    bearing = math.radians(rng.uniform(215, 265))
    reach = size + rng.uniform(14, 22)
    aorta = (x + reach * math.cos(bearing), y + reach * math.sin(bearing))
    vein = (x + size * rng.uniform(1.0, 1.6), y - size - rng.uniform(8, 18))
    low, high = np.array([limits[:2] for limits in TISSUES.values()]).T
    return Body(
        fat=rng.uniform(1, 4),
        gap=rng.uniform(8, 20),
        dome=(y - size - rng.uniform(2, 9), rng.uniform(0.2, 0.6)),
        liver=rng.uniform(-15, 10),
        stomach=rng.uniform(3, 8),
        chest=(
            front,
            x * math.sin(front) + y * math.cos(front) + 1.35 * size + rng.uniform(3, 12),
        ),
        ribs=rng.uniform(0, 2 * math.pi),
        tubes=[
            (*aorta, rng.uniform(-0.15, 0.15), size * rng.uniform(0.3, 0.4)),
            (*vein, rng.uniform(-0.15, 0.15), size * rng.uniform(0.22, 0.36)),
        ],
        signal=rng.uniform(low, high).astype(np.float32),
    )


def draw_grid(rng: np.random.Generator, heart: Heart) -> Grid:
    """Draw 8 to 12 slices of 5 to 10 mm that hold the heart and one or two more at each end.

    Voxels are square in plane, 1.2 to 1.8 mm, 64 to 84 along each side.
    """
    tilt = math.hypot(*heart.tilt)
    extent = heart.length * math.cos(tilt) + heart.radius * math.sin(tilt)
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
        factors=(2, 2, round(thickness / 1.2)),
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


def ellipsoid(points: tuple, centre: tuple, radii: tuple) -> np.ndarray:
    """Return about the distance in mm to an ellipsoid's surface, negative inside."""
    squares = sum(((p - c) / r) ** 2 for p, c, r in zip(points, centre, radii, strict=True))
    return (np.sqrt(squares) - 1) * min(radii)


def heart_axes(heart: Heart, points: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return points in the heart's own axes in mm: lateral, anterior and depth under the valves."""
    cosine, sine = math.cos(heart.septum), math.sin(heart.septum)
    upright = [[-cosine, -sine, 0], [-sine, cosine, 0], [0, 0, -1]]
    axes = (upright @ Rotation.from_euler("xy", heart.tilt).as_matrix()).tolist()
    x, y, z = points[0] - heart.centre[0], points[1] - heart.centre[1], points[2]
    lateral, anterior, depth = (a * x + b * y + c * z for a, b, c in axes)
    return lateral, anterior, depth + heart.length / 2


def surfaces(heart: Heart, frame: tuple) -> dict[str, np.ndarray]:
    """Return about the distance in mm to each surface of the ventricles, negative inside.

    Both are half ellipsoids, widest a little below the valve plane. The right one leans on the left
    and follows its taper, so it sinks into the septum before the apex.
    """
    lateral, anterior, depth = frame
    angle = np.arctan2(anterior, lateral)
    radius = np.hypot(lateral, anterior) / (
        1 + sum(size * np.cos(k * angle + phase) for k, size, phase in heart.wobble)
    )
    below = depth - heart.widest
    along = below / (heart.length - heart.widest)
    along_cavity = below / (heart.length - heart.apical_wall - heart.widest)
    cavity = heart.radius - heart.wall * (1 + 0.15 * np.cos(angle - heart.thick_side))
    lean = heart.rv_offset * heart.radius * np.sqrt(np.clip(1 - along**2, 0, None))
    right = (lateral + lean, anterior - 0.05 * heart.radius, below)
    radii = (*(share * heart.radius for share in heart.rv_radii), heart.rv_length - heart.widest)
    return {
        "epicardium": (np.hypot(radius / heart.radius, along) - 1) * heart.radius,
        "endocardium": (np.hypot(radius / cavity, along_cavity) - 1) * cavity,
        "right_cavity": ellipsoid(right, (0, 0, 0), radii),
        "right_wall": ellipsoid(right, (0, 0, 0), tuple(r + heart.rv_wall for r in radii)),
    }


def paint_body(
    body: Body, points: tuple, around: np.ndarray, coarse: np.ndarray, fine: np.ndarray
) -> np.ndarray:
    """Return the tissue code of each point around the heart, `around` mm away from it.

    The chest wall with its ribs lies in front, the organs below the diaphragm behind, higher
    towards the apex. Fat covers the heart and fills narrow gaps; lung fills the rest.
    """
    x, y, z = points
    tissue = np.full(coarse.shape, CODES["lung"], np.uint8)
    tissue[fine > 2] = CODES["wall"]
    height, slope = body.dome
    under = height - slope * z - 0.004 * (x - 10) ** 2 - y - 1.5 * coarse
    right = x - body.liver + 2 * coarse
    tissue[under > 0] = CODES["fat"]
    tissue[(under > 1.5) & (right > 0)] = CODES["liver"]
    tissue[(under > 1.5) & (right > 3) & (fine > 1.9)] = CODES["vessel"]
    tissue[(under > body.stomach) & (right < -5)] = CODES["stomach"]
    front, distance = body.chest
    beyond = x * math.sin(front) + y * math.cos(front) - distance + coarse
    gap = around - np.maximum(beyond, under)
    across = x * math.cos(front) - y * math.sin(front)
    rib = np.sin((z + 0.4 * across) * (2 * math.pi / 24) + body.ribs) > 0.4
    tissue[beyond > 0] = CODES["fat"]
    tissue[beyond > 2] = CODES["muscle"]
    tissue[(beyond > 3.5) & (beyond < 11) & rib] = CODES["marrow"]
    tissue[beyond > 13] = CODES["fat"]
    tissue[around < body.fat * (1 + 0.5 * coarse)] = CODES["fat"]
    tissue[(tissue == CODES["lung"]) & (gap < body.gap + 3 * coarse)] = CODES["fat"]
    return tissue


def paint_vessels(
    heart: Heart, body: Body, points: tuple, frame: tuple, tissue: np.ndarray
) -> None:
    """Paint blood outside the ventricles, as bright as theirs: only context tells it apart."""
    x, y, z = points
    pieces = [
        np.hypot(x - column - lean * z, y - row) - radius
        for column, row, lean, radius in body.tubes
    ]
    if frame[2].min() < 0.6 * heart.radius:
        pieces += [ellipsoid(frame, row[:3], row[3:]) for row in heart.chambers]
    for distance in pieces:
        tissue[distance < 2] = CODES["wall"]
    for distance in pieces:
        tissue[distance < 0] = CODES["vessel"]


def paint_ventricles(
    heart: Heart, frame: tuple, surface: dict, fine: np.ndarray, tissue: np.ndarray
) -> np.ndarray:
    """Paint the ventricles over `tissue` and return the label of each point (uint8)."""
    depth = frame[2]
    under_valves = depth > 0
    outside = surface["epicardium"] > 0
    right = under_valves & outside & (surface["right_cavity"] < 0)
    left = under_valves & ~outside & (surface["endocardium"] < 0)
    tissue[under_valves & (surface["right_wall"] < 0)] = CODES["wall"]
    label = np.zeros(tissue.shape, np.uint8)
    for name, inside in (
        ("right_ventricle", right),
        ("myocardium", under_valves & ~outside),
        ("left_ventricle", left),
    ):
        tissue[inside] = CODES[name]
        label[inside] = LABELS[name]
    rough = (right & (surface["right_cavity"] > -5)) | (left & (surface["endocardium"] > -2.5))
    tissue[rough & (depth > 0.3 * heart.length) & (fine > 0.9)] = CODES["papillary"]
    bore = heart.radius - heart.wall
    for angle, reach, thick, level in heart.papillary:
        side = reach * bore * math.cos(angle), reach * bore * math.sin(angle)
        radii = (thick * heart.radius, thick * heart.radius, 0.24 * heart.length)
        muscle = ellipsoid(frame, (*side, level * heart.length), radii) < 0.5 * fine
        tissue[left & muscle] = CODES["papillary"]
    return label


def fine_slice(
    heart: Heart, body: Body, points: tuple, coarse: np.ndarray, fine: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return signal (left ventricular blood is 1) and label of one slice's points (x, y, z)."""
    frame = heart_axes(heart, points)
    surface = surfaces(heart, frame)
    around = np.minimum(surface["epicardium"], surface["right_wall"])
    tissue = paint_body(body, points, around, coarse, fine)
    paint_vessels(heart, body, points, frame, tissue)
    label = paint_ventricles(heart, frame, surface, fine, tissue)
    smooth, rough = np.array([shares[2:] for shares in TISSUES.values()], np.float32).T
    signal = body.signal[tissue] * (1 + smooth[tissue] * coarse + rough[tissue] * fine)
    return np.clip(signal, 0, None), label


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


def receive(rng: np.random.Generator, signal: np.ndarray) -> np.ndarray:
    """Return an image as a scanner stores it: int16, arbitrary units.

    The coil shades it smoothly, each breath-hold has a gain of its own, and the noise is Rician as
    in the magnitude of a complex signal.
    """
    axes = np.ix_(*(np.linspace(-1, 1, count) for count in signal.shape))
    slopes, bends = rng.normal(0, [(0.15, 0.15, 0.05), (0.08, 0.08, 0.03)])
    shading = sum(s * axis + b * axis**2 for s, b, axis in zip(slopes, bends, axes, strict=True))
    gain = np.exp(shading) * rng.normal(1, 0.03, signal.shape[2])
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


def main(*, case: str, index: int, seed: int, thick_axis: str, image: Path, label: Path) -> None:
    """Write the image and label of one case, which depend on nothing but `seed` and `index`.

    `thick_axis`: the array axis that runs through the slices, last, first or middle, or mixed for
    an orientation drawn for each case. Raises ValueError for anything else.
    """
    if thick_axis not in STORAGE:
        raise ValueError(
            f"{case}: found thick_axis {thick_axis!r}, expected one of {', '.join(STORAGE)}"
        )
    rng = generator(seed, "phantom", index)
    heart = draw_heart(rng)
    body = draw_body(rng, heart)
    grid = draw_grid(rng, heart)
    affine = draw_affine(rng, grid)
    signal, classes = scan(rng, heart, body, grid)
    orientation = generator(seed, "phantom storage", index).choice(STORAGE[thick_axis])
    write_nifti(image, stored(receive(rng, signal), affine, orientation, case))
    write_nifti(label, stored(classes, affine, orientation, case))


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
