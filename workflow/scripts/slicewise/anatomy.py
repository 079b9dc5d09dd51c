"""The anatomy of a phantom: a heart and what lies around it, as formulas in millimetres.

Points are (x, y, z), towards the patient's right, front and head. As in ACDC, the papillary muscles
belong to the left ventricle; the wall of the right ventricle and everything above the valves are
background.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

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
