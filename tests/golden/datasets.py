"""Small seeded datasets in nnU-Net's raw layout, each taking a branch of nnU-Net's of its own.

Used both where the golden files are recorded and where they are tested against. Voxels come from
the frozen legacy stream of numpy's RandomState and integer arithmetic, so that every version of
numpy makes the same ones.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

AXES = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
"""World axis and sign of each orientation letter."""

TILT = np.array([[12, -5, 0], [5, 12, 0], [0, 0, 13]]) / 13
"""A rotation by 22.6 degrees with rational entries: oblique, yet the same on every machine."""


@dataclass(frozen=True)
class Scan:
    """The grid of one case, in the order of the file's axes; spacing in mm."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    orientation: str = "RAS"
    oblique: bool = False
    empty: bool = False


@dataclass(frozen=True)
class Recipe:
    """One dataset.

    channels: names as in dataset.json; labels: number of foreground classes; body: what is zero
    outside it ("box": nothing is, "ellipsoid": a wide border is); image_type and label_type: dtypes
    of the files; slope: scl_slope of the image files; reader: overwrite_image_reader_writer;
    golden_cases: the cases whose preprocessed arrays are kept.
    """

    scans: tuple[Scan, ...]
    channels: tuple[str, ...] = ("MRI",)
    labels: int = 2
    body: str = "box"
    image_type: str = "float32"
    label_type: str = "uint8"
    slope: float | None = None
    reader: str | None = None
    golden_cases: tuple[int, ...] = (0,)


def _scans(*rows: tuple, **common: object) -> tuple[Scan, ...]:
    return tuple(Scan(*row, **common) for row in rows)


RECIPES = {
    # Below three times: volumes are resampled in 3D. HU of 0 at the edge is outside the mask.
    "ct": Recipe(
        _scans(
            ((24, 22, 12), (0.8, 0.8, 2.0)),
            ((22, 24, 14), (0.75, 0.75, 2.0)),
            ((26, 22, 12), (0.9, 0.9, 2.5)),
            ((20, 20, 13), (0.7, 0.7, 1.5)),
            ((24, 24, 12), (0.82, 0.82, 2.0)),
        ),
        channels=("CT",),
        labels=3,
        image_type="int16",
        golden_cases=(1, 2),
    ),
    "multichannel": Recipe(
        _scans(
            ((20, 22, 14), (1.0, 1.0, 1.5)),
            ((18, 24, 12), (1.1, 1.1, 1.5)),
            ((22, 20, 14), (0.9, 0.9, 1.2)),
            ((20, 20, 16), (1.0, 1.0, 2.0)),
            ((20, 18, 12), (1.0, 1.0, 1.5)),
        ),
        channels=("T2", "ADC", "DWI"),
        labels=1,
        golden_cases=(1,),
    ),
    # Coarse spacing on the last reading axis, but too many slices for the 10th percentile.
    "thick_x": Recipe(
        _scans(
            ((14, 26, 24), (5.0, 1.2, 1.2)),
            ((12, 24, 26), (4.0, 1.25, 1.25)),
            ((16, 28, 24), (6.0, 1.1, 1.1)),
            ((13, 26, 26), (5.0, 1.3, 1.3)),
            ((14, 24, 30), (5.0, 1.2, 1.0)),
        ),
        golden_cases=(1, 4),
    ),
    # The middle axis is coarsest, the median ratio below three, one case above; one has no label.
    "thick_y": Recipe(
        _scans(
            ((26, 12, 20), (1.2, 3.0, 1.5)),
            ((24, 10, 22), (1.25, 3.0, 1.5)),
            ((28, 9, 22), (1.0, 4.0, 1.5)),
            ((24, 13, 24), (1.3, 2.5, 1.2), "RAS", False, True),
            ((26, 11, 20), (1.2, 3.0, 1.4)),
        ),
        labels=4,
        label_type="float32",
        golden_cases=(1, 2, 3),
    ),
    # Both anisotropy conditions hold: the coarse target is the 10th percentile.
    "thick_z": Recipe(
        _scans(
            ((32, 30, 7), (1.25, 1.25, 10.0)),
            ((30, 32, 8), (1.4, 1.4, 8.0)),
            ((36, 28, 6), (1.3, 1.3, 10.0)),
            ((28, 30, 9), (1.5, 1.5, 5.0)),
            ((30, 34, 7), (1.6, 1.25, 9.6)),
            ((32, 32, 8), (1.37, 1.37, 6.5)),
        ),
        labels=3,
        image_type="int16",
        label_type="int16",
        golden_cases=(1, 4),
    ),
    # The 10th percentile falls below the in-plane spacing; a case of one slice.
    "thick_varying": Recipe(
        _scans(
            ((30, 32, 8), (1.5, 1.5, 8.0)),
            ((32, 30, 7), (1.4, 1.4, 7.0)),
            ((28, 28, 10), (1.5, 1.5, 1.0)),
            ((34, 28, 1), (1.6, 1.6, 8.0)),
            ((30, 30, 6), (1.5, 1.5, 6.0)),
            ((26, 34, 9), (1.7, 1.7, 1.0)),
        ),
        golden_cases=(2, 3),
    ),
    # Single cases are thick along another axis than the dataset, so that axis is resampled too.
    "thick_stray": Recipe(
        _scans(
            ((24, 26, 9), (1.2, 1.2, 5.0)),
            ((26, 10, 22), (1.2, 5.0, 1.2)),
            ((8, 24, 24), (4.5, 1.2, 1.3)),
            ((26, 24, 8), (1.2, 1.2, 4.0)),
            ((24, 28, 9), (1.1, 1.1, 5.0)),
            ((24, 22, 16), (1.15, 1.15, 3.3)),
        ),
        golden_cases=(1, 2, 5),
    ),
    # Two equally coarse axes: anisotropic, yet resampled in 3D.
    "two_coarse": Recipe(
        _scans(
            ((12, 14, 30), (2.0, 2.0, 0.5)),
            ((14, 12, 28), (2.0, 2.0, 0.5)),
            ((12, 12, 26), (2.2, 2.2, 0.6)),
            ((14, 14, 30), (1.8, 1.8, 0.5)),
            ((12, 16, 24), (2.0, 2.0, 0.55)),
        ),
        golden_cases=(2,),
    ),
    # Equal spacings: the first axis wins, and most cases need no resampling.
    "isotropic": Recipe(
        _scans(
            ((20, 22, 18), (1.0, 1.0, 1.0)),
            ((18, 20, 20), (1.0, 1.0, 1.0)),
            ((16, 16, 14), (1.5, 1.5, 1.5)),
            ((22, 18, 20), (1.0, 1.0, 1.0)),
            ((20, 20, 20), (1.0, 1.0, 1.0)),
        ),
        golden_cases=(1, 2),
    ),
    # Cropping removes more than a quarter: z-scores use the nonzero mask only.
    "cropped": Recipe(
        _scans(
            ((28, 30, 16), (1.0, 1.0, 2.0)),
            ((30, 28, 14), (1.1, 1.1, 2.0)),
            ((26, 30, 16), (0.9, 0.9, 2.0)),
            ((28, 26, 18), (1.0, 1.0, 1.8)),
            ((30, 30, 16), (1.0, 1.0, 2.2)),
        ),
        channels=("FLAIR", "T1"),
        labels=3,
        body="ellipsoid",
        golden_cases=(0, 1),
    ),
    # Every normalisation by name, the mask of a crop used by z-scores alone.
    "norms": Recipe(
        _scans(
            ((24, 26, 14), (1.0, 1.0, 2.0)),
            ((26, 24, 12), (1.1, 1.1, 2.0)),
            ((24, 24, 14), (0.9, 0.9, 2.0)),
            ((22, 26, 12), (1.0, 1.0, 2.0)),
            ((26, 26, 14), (1.0, 1.0, 2.4)),
        ),
        channels=("rescale_to_0_1", "noNorm", "rgb_to_0_1", "ZScore"),
        labels=1,
        body="ellipsoid",
        image_type="uint8",
        golden_cases=(1,),
    ),
    # One orientation, not RAS, some affines oblique: read as stored. Scaled integers.
    "odd_orientation": Recipe(
        _scans(
            ((24, 26, 10), (1.1, 1.1, 3.5), "LPS", True),
            ((26, 24, 9), (1.2, 1.2, 4.0), "LPS", True),
            ((24, 24, 11), (1.3, 1.1, 3.0), "LPS", False),
            ((26, 26, 10), (1.05, 1.05, 3.6), "LPS", True),
            ((22, 26, 9), (1.15, 1.15, 3.7), "LPS", True),
        ),
        image_type="int16",
        slope=0.25,
        golden_cases=(1, 2),
    ),
    # Every case stored another way round, the thick axis always through the body: reoriented.
    "mixed_orientation": Recipe(
        _scans(
            ((24, 26, 8), (1.1, 1.2, 4.5), "LPS", False),
            ((9, 26, 24), (5.0, 1.3, 1.1), "SAR", True),
            ((26, 9, 24), (1.25, 4.0, 1.15), "PIL", True),
            ((24, 24, 8), (1.2, 1.2, 4.4), "RAS", True),
            ((22, 26, 10), (1.0, 1.1, 3.6), "ARI", True),
            ((8, 24, 26), (4.7, 1.15, 1.35), "ILP", False),
        ),
        labels=3,
        reader="NibabelIOWithReorient",
        golden_cases=(1, 2, 4),
    ),
}


def case_names(name: str) -> list[str]:
    """Return the case names of a dataset, in the order of its scans."""
    return [f"{name}_{number:03d}" for number in range(1, 1 + len(RECIPES[name].scans))]


def golden_case_names(name: str) -> list[str]:
    """Return the cases of a dataset whose preprocessed arrays are golden files."""
    return [case_names(name)[index] for index in RECIPES[name].golden_cases]


def _affine(scan: Scan, random: np.random.RandomState) -> np.ndarray:
    directions = np.zeros((3, 3))
    for axis, letter in enumerate(scan.orientation):
        world, sign = AXES[letter]
        directions[world, axis] = sign
    affine = np.eye(4)
    affine[:3, :3] = (TILT if scan.oblique else np.eye(3)) @ directions * scan.spacing
    affine[:3, 3] = random.randint(-100, 100, size=3)
    return affine


def _inside(shape: tuple[int, ...], centre: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Return the mask of an ellipsoid, in integer arithmetic."""
    squares = np.maximum(radii, 1).astype(np.int64) ** 2
    distance = np.zeros(shape, np.int64)
    for axis, (size, middle) in enumerate(zip(shape, centre, strict=True)):
        along = (np.arange(size, dtype=np.int64) - int(middle)) ** 2 * (
            squares.prod() // squares[axis]
        )
        distance += along.reshape([-1 if other == axis else 1 for other in range(3)])
    return distance <= squares.prod()


def _label(recipe: Recipe, scan: Scan, random: np.random.RandomState) -> np.ndarray:
    """Return overlapping ellipsoids, one for each class: int64 in file order."""
    label = np.zeros(scan.shape, np.int64)
    size = np.array(scan.shape)
    for value in range(1, 1 + recipe.labels):
        centre = size // 2 + random.randint(-(size // 6) - 1, size // 6 + 1)
        radii = np.maximum(size // 5 + random.randint(0, 3), 1)
        label[_inside(scan.shape, centre, radii)] = value
    return label * (not scan.empty)


def _image(label: np.ndarray, body: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """Return one channel, 0 to 255: classes in a smooth texture, 0 outside the body."""
    texture = random.randint(0, 64, size=label.shape)
    for axis in range(3):
        texture = (texture + np.roll(texture, 1, axis)) // 2
    contrast = random.randint(1, 12, size=1 + label.max()) * 12
    return np.where(body, 1 + texture + contrast[label], 0)


def _body(recipe: Recipe, scan: Scan) -> np.ndarray:
    """Return the mask of what is not zero: everything, or an ellipsoid with a hollow and a notch.

    Labels reach out of the ellipsoid, and of its bounding box.
    """
    if recipe.body == "box":
        return np.ones(scan.shape, bool)
    size = np.array(scan.shape)
    body = _inside(scan.shape, size // 2, size // 3)
    body[tuple(slice(n // 2, n // 2 + 2) for n in scan.shape)] = False
    body[: size[0] // 4, size[1] // 2, :] = False
    return body


def _channel(recipe: Recipe, values: np.ndarray) -> np.ndarray:
    """Return values 0 to 255 as a file of the recipe stores them."""
    if recipe.channels == ("CT",):
        return ((values - 60) * 8).astype(recipe.image_type)
    if recipe.image_type == "float32":
        return (values / 8).astype(np.float32)
    return values.astype(recipe.image_type)


def save(path: Path, voxels: np.ndarray, affine: np.ndarray, slope: float | None = None) -> None:
    image = nib.Nifti1Image(voxels, affine)
    image.header.set_qform(affine, code=1)
    image.header.set_sform(affine, code=1)
    if slope is not None:
        image.header.set_slope_inter(slope, -3)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)


def write(name: str, folder: Path) -> str:
    """Write a dataset into a folder and return the SHA-256 digest of all its voxels."""
    recipe, digest = RECIPES[name], hashlib.sha256()
    for index, (case, scan) in enumerate(zip(case_names(name), recipe.scans, strict=True)):
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:3], "big") + index
        random = np.random.RandomState(seed)
        affine, body = _affine(scan, random), _body(recipe, scan)
        label = _label(recipe, scan, random)
        for channel in range(len(recipe.channels)):
            voxels = _channel(recipe, _image(label, body, random))
            digest.update(voxels.tobytes())
            save(folder / f"imagesTr/{case}_{channel:04d}.nii.gz", voxels, affine, recipe.slope)
        voxels = label.astype(recipe.label_type)
        digest.update(voxels.tobytes())
        save(folder / f"labelsTr/{case}.nii.gz", voxels, affine)
    content = dataset_json(recipe.channels, recipe.labels, len(recipe.scans))
    if recipe.reader:
        content["overwrite_image_reader_writer"] = recipe.reader
    (folder / "dataset.json").write_text(json.dumps(content, indent=4) + "\n")
    return digest.hexdigest()


def dataset_json(channels: Sequence[str], labels: int, cases: int) -> dict:
    """Return the content of a dataset.json with so many foreground labels and cases."""
    return {
        "channel_names": {str(index): channel for index, channel in enumerate(channels)},
        "labels": {"background": 0, **{f"class {v}": v for v in range(1, 1 + labels)}},
        "numTraining": cases,
        "file_ending": ".nii.gz",
    }


def planner_files(inputs: dict) -> tuple[dict, dict]:
    """Return a dataset.json and a dataset_fingerprint.json, all that a planner looks at.

    inputs: spacings, shapes_after_crop, median_relative_size_after_cropping, channels (names),
    labels (foreground classes) and cases (numTraining).
    """
    statistics = {"mean": 90.0, "median": 88.0, "std": 21.0, "min": 1.0, "max": 250.0}
    statistics |= {"percentile_99_5": 200.0, "percentile_00_5": 5.0}
    fingerprint = {
        "spacings": inputs["spacings"],
        "shapes_after_crop": inputs["shapes_after_crop"],
        "foreground_intensity_properties_per_channel": {
            str(channel): statistics for channel in range(len(inputs["channels"]))
        },
        "median_relative_size_after_cropping": inputs["median_relative_size_after_cropping"],
    }
    return dataset_json(inputs["channels"], inputs["labels"], inputs["cases"]), fingerprint
