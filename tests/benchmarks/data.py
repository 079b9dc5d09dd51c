"""The two datasets: real hippocampus scans where they are at hand, and generated thick slices."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scipy import ndimage

from benchmarks.programs import Bench, Scans
from scans import affine_of, write_case, write_json_of

HIPPOCAMPUS, ANISOTROPIC = "Dataset004_Hippocampus", "Dataset005_Anisotropic"
CASES, CLASSES = 16, 3
VIEW_MM, SLICES = (172.0, 183.0), (20, 25)
IN_PLANE_MM, ACROSS_MM = (0.6, 0.9), (3.0, 8.0)
"""Field of view, slices and spacing of the generated scans, drawn from these ranges. Resampled to
the median spacing all fit in the planned patch, as scans of one protocol do."""


def smooth(rng: np.random.Generator, shape: tuple[int, ...], knots: int) -> np.ndarray:
    """Return a random field of unit variance that turns about `knots` times along each side."""
    coarse = rng.standard_normal([min(knots, size) for size in shape]).astype(np.float32)
    factors = [size / knots for size, knots in zip(shape, coarse.shape, strict=True)]
    field = ndimage.zoom(coarse, factors, order=1)
    return field / field.std()


def anisotropic_scan(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Draw an image int16 and a label uint8 (i, j, k), and the spacing in mm.

    A body holds three nested structures, each brighter than the one around it, their surfaces bent
    by smooth random fields; shading and noise lie over all of it.
    """
    in_plane = round(float(rng.uniform(*IN_PLANE_MM)), 3)
    sides = rng.uniform(*VIEW_MM, size=2) / in_plane
    shape = (*map(round, sides.tolist()), int(rng.integers(*SLICES)))
    spacing = [in_plane, in_plane, round(float(rng.uniform(*ACROSS_MM)), 3)]
    axes = np.ix_(*(np.linspace(-1, 1, size, dtype=np.float32) for size in shape))
    bend = 0.08 * smooth(rng, shape, 6)
    body = sum(axis**2 for axis in axes[:2]) < 0.8
    centre = rng.uniform(-0.25, 0.25, 3)
    distance = np.sqrt(
        sum(((axis - c) / w) ** 2 for axis, c, w in zip(axes, centre, (1, 0.8, 1.6), strict=True))
    )
    label = np.zeros(shape, np.uint8)
    for value, radius in enumerate((0.5, 0.36, 0.2), start=1):
        label[distance + bend < radius] = value
    signal = 40 + 160 * body + 120 * label.astype(np.float32) + 15 * smooth(rng, shape, 40)
    signal *= 1 + 0.1 * smooth(rng, shape, 3)
    signal += rng.normal(0, 12, shape).astype(np.float32)
    return signal.clip(0, 4000).round().astype(np.int16), label, spacing


def write_anisotropic(folder: Path, cases: int = CASES) -> None:
    """Write a dataset of generated scans in nnU-Net's raw layout; the same for every call."""
    for index in range(cases):
        rng = np.random.default_rng([2026, index])
        image, label, spacing = anisotropic_scan(rng)
        write_case(folder, f"case_{index:02d}", [image], label, affine_of("RAS", spacing))
    write_json_of(folder, cases, classes=CLASSES)


def take_some(source: Path, target: Path, count: int) -> None:
    """Make a raw dataset of links to the first scans of another."""
    content = json.loads((source / "dataset.json").read_text())
    labels = sorted((source / "labelsTr").glob("[!.]*.nii.gz"))[:count]
    for kind, ending in (("labelsTr", ".nii.gz"), ("imagesTr", "_0000.nii.gz")):
        (target / kind).mkdir(parents=True)
        for label in labels:
            name = label.name.removesuffix(".nii.gz") + ending
            (target / kind / name).symlink_to((source / kind / name).resolve())
    content["numTraining"] = len(labels)
    (target / "dataset.json").write_text(json.dumps(content))


def hippocampus(bench: Bench, count: int | None = None) -> Scans | None:
    """Return the real scans, all or `count` of them; None where they are not at hand."""
    if bench.real is None:
        return None
    scans = Scans(bench, bench.folder / f"hippocampus-{count or 'all'}", HIPPOCAMPUS)
    if count:
        if not scans.raw.exists():
            take_some(bench.real, scans.raw, count)
    elif not scans.raw.exists():
        scans.raw.parent.mkdir(parents=True)
        scans.raw.symlink_to(bench.real, target_is_directory=True)
    return scans


def anisotropic(bench: Bench) -> Scans:
    """Return the generated scans, written where a stage before has not."""
    scans = Scans(bench, bench.folder / "anisotropic", ANISOTROPIC)
    if not (scans.raw / "dataset.json").exists():
        write_anisotropic(scans.raw)
    return scans


def both(bench: Bench) -> dict[str, Scans]:
    """Return the datasets at hand by the names that lines have for them."""
    found = {"hippocampus": hippocampus(bench), "anisotropic": anisotropic(bench)}
    return {name: scans for name, scans in found.items() if scans}
