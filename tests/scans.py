"""Small raw datasets on disk for tests, made in a few lines."""

import itertools
import json
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np

from slicewise.files import write_nifti
from slicewise.labels import Labels, parse_labels

ORIENTATIONS = [
    "".join(letters)
    for axes in itertools.permutations(("RL", "AP", "SI"))
    for letters in itertools.product(*axes)
]
"""All 48 ways to store a volume: orders of the axes and their directions."""


def affine_of(orientation: str, spacing: Sequence[float], origin=(5.0, -7.0, 11.0)) -> np.ndarray:
    """Return the affine of an array stored in `orientation`, spacing in mm in file order."""
    ras = nib.orientations.axcodes2ornt(orientation)
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (along, sign) in enumerate(ras):
        affine[int(along), axis] = sign * spacing[axis]
    affine[:3, 3] = origin
    return affine


def volume(shape: Sequence[int], seed: int = 0, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Return an image and a label (i, j, k): noise with brighter boxes, one for each class."""
    rng = np.random.default_rng(seed)
    image = rng.normal(100, 10, shape)
    label = np.zeros(shape, np.uint8)
    for value in range(1, classes + 1):
        start = [size * value // (classes + 2) for size in shape]
        box = tuple(slice(a, a + max(2, size // 4)) for a, size in zip(start, shape, strict=True))
        label[box] = value
    return (image + 60 * label).astype(np.float32), label


def write_case(
    folder: Path, name: str, images: Sequence[np.ndarray], label: np.ndarray, affine: np.ndarray
) -> None:
    """Write one case in nnU-Net's raw layout, an image for each channel."""
    for channel, image in enumerate(images):
        path = folder / "imagesTr" / f"{name}_{channel:04d}.nii.gz"
        write_nifti(path, nib.Nifti1Image(image, affine))
    write_nifti(folder / "labelsTr" / f"{name}.nii.gz", nib.Nifti1Image(label, affine))


def labels_of(classes: int) -> Labels:
    """Return the labels of a dataset with so many plain classes."""
    return parse_labels(named_labels(classes))


def named_labels(classes: int) -> dict[str, int]:
    return {"background": 0, **{f"class{i}": i for i in range(1, classes + 1)}}


def write_json_of(
    folder: Path, cases: int, channels: Sequence[str] = ("MRI",), classes: int = 2
) -> Path:
    """Write dataset.json and return its path."""
    content = {
        "channel_names": {str(i): name for i, name in enumerate(channels)},
        "labels": named_labels(classes),
        "numTraining": cases,
        "file_ending": ".nii.gz",
    }
    path = folder / "dataset.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def write_dataset(
    folder: Path,
    shapes: Sequence[Sequence[int]] = ((12, 14, 9),) * 4,
    spacing: Sequence[float] = (1.0, 1.0, 3.5),
    orientations: Sequence[str] = ("RAS",),
    channels: Sequence[str] = ("MRI",),
    classes: int = 2,
) -> Path:
    """Write a raw dataset of len(shapes) cases and return its dataset.json.

    Shapes and spacing are in the order of the file's axes; orientations are dealt out in turn.
    """
    for index, shape in enumerate(shapes):
        image, label = volume(shape, index, classes)
        orientation = orientations[index % len(orientations)]
        images = [image * (channel + 1) for channel in range(len(channels))]
        write_case(folder, f"case_{index:02d}", images, label, affine_of(orientation, spacing))
    return write_json_of(folder, len(shapes), channels, classes)


def write_decathlon(folder: Path, cases: int = 4, channels: Sequence[str] = ("T2", "ADC")) -> Path:
    """Write a dataset in the Decathlon's layout, channels in 4D images; return its dataset.json."""
    training = []
    for index in range(cases):
        image, label = volume((14, 16, 6), index)
        stacked = np.stack([image * (channel + 1) for channel in range(len(channels))], axis=-1)
        affine = affine_of("RAS", (1.0, 1.0, 4.0))
        entry = {kind: f"./{kind}sTr/prostate_{index:02d}.nii.gz" for kind in ("image", "label")}
        write_nifti(folder / entry["image"], nib.Nifti1Image(stacked, affine))
        write_nifti(folder / entry["label"], nib.Nifti1Image(label, affine))
        training.append(entry)
    content = {
        "modality": {str(i): name for i, name in enumerate(channels)},
        "labels": {"0": "background", "1": "PZ", "2": "TZ"},
        "numTraining": cases,
        "training": training,
    }
    path = folder / "dataset.json"
    path.write_text(json.dumps(content))
    return path


def peak_memory(call: Callable, *arguments, **options) -> int:
    """Return the most bytes of arrays that a call has in memory at once, beyond those before it."""
    tracemalloc.start()
    try:
        call(*arguments, **options)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
