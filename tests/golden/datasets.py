"""Small seeded datasets in nnU-Net's raw layout, each taking a branch of nnU-Net's of its own.

Recipes are in recipes.py. Used both where the golden files are recorded and where they are tested
against. Voxels come from the frozen legacy stream of numpy's RandomState and integer arithmetic, so
that every version of numpy makes the same ones.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from golden.recipes import RECIPES, Recipe, Scan

AXES = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
"""World axis and sign of each orientation letter."""

TILT = np.array([[12, -5, 0], [5, 12, 0], [0, 0, 13]]) / 13
"""A rotation by 22.6 degrees with rational entries: oblique, yet the same on every machine."""


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


def _hidden(recipe: Recipe, label: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """Return the label (x, y, z) with what nobody annotated set to the value above the classes."""
    hidden = np.zeros(label.shape, bool)
    if recipe.ignored == "border":
        hidden[-(len(label) // 4) :] = True
        hidden[..., :2] = True
        hidden |= random.randint(0, 10, size=label.shape) == 0
    elif recipe.ignored == "slices":
        hidden[..., np.arange(label.shape[2]) % 4 != 2] = True
    return np.where(hidden, 1 + recipe.labels, label)


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
        if recipe.ignored:
            label = _hidden(recipe, label, random)
        voxels = label.astype(recipe.label_type)
        digest.update(voxels.tobytes())
        save(folder / f"labelsTr/{case}.nii.gz", voxels, affine)
    content = json.dumps(recipe_json(recipe), indent=4)
    (folder / "dataset.json").write_text(content + "\n")
    return digest.hexdigest()


def recipe_json(recipe: Recipe) -> dict:
    """Return the dataset.json of a recipe."""
    content = dataset_json(recipe.channels, recipe.labels, len(recipe.scans))
    if recipe.regions:
        content["labels"] = {"background": 0, **recipe.regions}
        content["regions_class_order"] = list(recipe.written)
    if recipe.ignored:
        content["labels"]["ignore"] = 1 + recipe.labels
    if recipe.reader:
        content["overwrite_image_reader_writer"] = recipe.reader
    return content


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
