"""Raw datasets in nnU-Net's layout or the Medical Segmentation Decathlon's, case by case."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from slicewise import geometry
from slicewise.files import read_json
from slicewise.labels import Labels, parse_labels

if TYPE_CHECKING:
    import nibabel as nib
    import numpy as np


@dataclass(frozen=True)
class ImageSource:
    """One channel of a case: a 3D file, or one volume of a 4D file."""

    path: Path
    volume: int | None = None


@dataclass(frozen=True)
class Case:
    """The files of one case; `label` is None where there is no reference."""

    name: str
    images: tuple[ImageSource, ...]
    label: Path | None

    @property
    def files(self) -> list[Path]:
        """Return every file of the case, each once."""
        images = dict.fromkeys(source.path for source in self.images)
        return [*images, *([self.label] if self.label else [])]


@dataclass(frozen=True)
class Volume:
    """The images of one case in reading order.

    image: float32 (channel, z, y, x); spacing: mm (z, y, x); orientation: letters of the file's
    axes as stored; affine and shape: those of the file.
    """

    image: np.ndarray
    spacing: tuple[float, ...]
    orientation: str
    affine: np.ndarray
    shape: tuple[int, ...]


class Dataset:
    """A dataset folder, known by its dataset.json."""

    def __init__(self, dataset_json: str | Path, content: dict | None = None):
        self.json_path = Path(dataset_json)
        self.root = self.json_path.parent
        self.content = read_json(dataset_json) if content is None else content

    def _fail(self, found: str, expected: str) -> ValueError:
        return ValueError(f"{self.json_path}: found {found}, expected {expected}")

    @property
    def is_decathlon(self) -> bool:
        """Say whether this is the Decathlon's layout: a `training` list and labels by value."""
        return isinstance(self.content.get("training"), list) and "modality" in self.content

    @cached_property
    def channel_names(self) -> list[str]:
        """Return the channel names in the order of the channels."""
        names = self.content.get("channel_names", self.content.get("modality"))
        if not isinstance(names, dict) or not names:
            raise self._fail("no channel_names", 'for example "channel_names": {"0": "MRI"}')
        return [str(name) for _, name in sorted(names.items(), key=lambda item: int(item[0]))]

    @property
    def named_labels(self) -> dict[str, int | list[int]]:
        """Return labels by name, as nnU-Net has them, for the Decathlon's labels by value too."""
        labels = self.content["labels"]
        if self.is_decathlon and all(value.isdecimal() for value in labels):
            by_value = sorted(labels.items(), key=lambda item: int(item[0]))
            return {name: int(value) for value, name in by_value}
        return dict(labels)

    @cached_property
    def labels(self) -> Labels:
        """Return what the values of label files mean.

        Raises ValueError naming the file for labels that nnU-Net would not accept.
        """
        labels = self.content.get("labels")
        if not isinstance(labels, dict) or not labels:
            raise self._fail("no labels", 'for example "labels": {"background": 0, "spleen": 1}')
        try:
            return parse_labels(self.named_labels, self.content.get("regions_class_order"))
        except ValueError as error:
            raise ValueError(f"{self.json_path}: {error}") from None

    def check(self) -> None:
        """Raise ValueError for a dataset.json that lacks what later stages need."""
        if not isinstance(self.content.get("numTraining"), int):
            raise self._fail(
                f"numTraining {self.content.get('numTraining')!r}", "the number of training cases"
            )
        _ = self.channel_names, self.labels

    @property
    def file_ending(self) -> str:
        """Return the ending of image and label files."""
        return self.content.get("file_ending", ".nii.gz")

    @cached_property
    def _cases(self) -> dict[str, Case]:
        if self.is_decathlon:
            cases = [self._decathlon_case(entry) for entry in self.content["training"]]
        elif "dataset" in self.content:
            cases = [self._listed_case(*item) for item in self.content["dataset"].items()]
        else:
            names = self.names_in(self.root / "imagesTr")
            cases = [self.conventional_case(name) for name in names]
        if not cases:
            raise self._fail(
                "no cases", f"images {self.root / 'imagesTr'}/CASE_0000{self.file_ending}"
            )
        return {case.name: case for case in cases}

    def _decathlon_case(self, entry: dict) -> Case:
        image = self.root / entry["image"]
        name = image.name.removesuffix(self.file_ending)
        several = len(self.channel_names) > 1
        images = tuple(
            ImageSource(image, channel if several else None)
            for channel in range(len(self.channel_names))
        )
        return Case(name, images, self.root / entry["label"])

    def _listed_case(self, name: str, entry: dict) -> Case:
        images = tuple(ImageSource(self.root / image) for image in entry["images"])
        return Case(name, images, self.root / entry["label"])

    def names_in(self, folder: Path) -> list[str]:
        """Return the names of the cases whose images lie in `folder`, sorted."""
        suffix = f"_0000{self.file_ending}"
        return sorted(
            path.name.removesuffix(suffix)
            for path in folder.glob(f"*{suffix}")
            if not path.name.startswith(".")
        )

    def conventional_case(self, name: str) -> Case:
        """Return where the files of a case lie by nnU-Net's convention, there or not."""
        label = self.root / "labelsTr" / f"{name}{self.file_ending}"
        return Case(name, self.image_sources(self.root / "imagesTr", name), label)

    def image_sources(self, folder: Path, name: str) -> tuple[ImageSource, ...]:
        """Return the channels of a case that lie in `folder` as CASE_0000, CASE_0001, ..."""
        return tuple(
            ImageSource(folder / f"{name}_{channel:04d}{self.file_ending}")
            for channel in range(len(self.channel_names))
        )

    def new_cases(self, folder: str | Path) -> list[Case]:
        """Return the cases in a folder of new images, CASE_0000 and so on for each channel.

        Raises ValueError for a folder without any.
        """
        names = self.names_in(Path(folder))
        if not names:
            raise ValueError(
                f"inference.images: found no *_0000{self.file_ending} in {folder}, expected at "
                "least one case; name its files CASE_0000, CASE_0001, ... by channel"
            )
        return [Case(name, self.image_sources(Path(folder), name), None) for name in names]

    def cases(self) -> list[str]:
        """Return the names of the training cases, sorted."""
        return sorted(self._cases)

    def case(self, name: str) -> Case:
        """Return the files of one training case."""
        if name not in self._cases:
            raise self._fail(f"no case {name!r}", f"one of its {len(self._cases)} cases")
        return self._cases[name]


def open_dataset(dataset_json: str | Path) -> Dataset:
    """Open the dataset that a dataset.json describes."""
    return Dataset(dataset_json)


def _load(case: str, path: Path) -> nib.Nifti1Image:
    import nibabel as nib

    try:
        return nib.load(path)
    except FileNotFoundError:
        raise ValueError(f"case {case}: {path} is missing") from None
    except (nib.filebasedimages.ImageFileError, OSError, EOFError) as error:
        raise ValueError(f"case {case}: {path} is not a readable NIfTI file ({error})") from None


def _read_channel(case: str, source: ImageSource) -> tuple[nib.Nifti1Image, np.ndarray]:
    """Return a file and one 3D volume of it, float32, in file order."""
    import numpy as np

    file = _load(case, source.path)
    expected = 3 if source.volume is None else 4
    if len(file.shape) != expected:
        raise ValueError(
            f"case {case}: {source.path} has {len(file.shape)} dimensions {file.shape}, "
            f"expected {expected}"
        )
    try:
        voxels = file.dataobj if source.volume is None else file.dataobj[..., source.volume]
        voxels = np.asarray(voxels).astype(np.float32)
    except (OSError, EOFError, IndexError) as error:
        raise ValueError(f"case {case}: {source.path} cannot be read ({error})") from None
    if not np.isfinite(voxels).all():
        count = np.count_nonzero(~np.isfinite(voxels))
        raise ValueError(
            f"case {case}: {source.path} holds {count} voxels that are nan or infinite, expected "
            "numbers; set them to the background's value"
        )
    return file, voxels


def _check_grid(
    case: str, path: Path, file: nib.Nifti1Image, first: nib.Nifti1Image | Volume
) -> None:
    """Raise ValueError when a file does not lie on the grid of the case's first image."""
    import numpy as np

    if file.shape[:3] != first.shape[:3]:
        raise ValueError(
            f"case {case}: {path} has shape {file.shape[:3]}, expected {first.shape[:3]} "
            "as in the case's first image"
        )
    if not np.allclose(file.affine, first.affine, atol=1e-2):
        raise ValueError(
            f"case {case}: {path} has affine {np.round(file.affine, 3).tolist()}, expected "
            f"{np.round(first.affine, 3).tolist()} as in the case's first image"
        )


def _spacing(file: nib.Nifti1Image, reorient: bool) -> tuple[float, ...]:
    """Return the spacing of a file in mm, reading order."""
    orientation = geometry.axis_codes(file.affine)
    zooms = file.header.get_zooms()[:3]
    return tuple(geometry.reading_spacing(zooms, file.affine, orientation, reorient))


def read_header(case: Case) -> Volume:
    """Return the geometry of a case as stored, without its voxels (`image` is empty)."""
    import numpy as np

    file = _load(case.name, case.images[0].path)
    return Volume(
        np.empty(0, np.float32),
        _spacing(file, reorient=False),
        geometry.axis_codes(file.affine),
        file.affine,
        tuple(file.shape[:3]),
    )


def read_images(case: Case, reorient: bool) -> Volume:
    """Read all channels of a case in reading order, turned to RAS+ when `reorient`.

    Raises ValueError naming the case and the file for anything that is not a 3D image on one grid.
    """
    import numpy as np

    first, channels = None, []
    for source in case.images:
        file, voxels = _read_channel(case.name, source)
        first = first or file
        _check_grid(case.name, source.path, file, first)
        orientation = geometry.axis_codes(first.affine)
        channels.append(geometry.to_reading_order(voxels, orientation, reorient))
    # One channel is taken as it is: most images have no other, and may be large.
    image = np.stack(channels) if len(channels) > 1 else np.ascontiguousarray(channels[0])[None]
    return Volume(
        image,
        _spacing(first, reorient),
        orientation,
        first.affine,
        tuple(first.shape[:3]),
    )


def read_label(
    case: Case, labels: Labels, reorient: bool, volume: Volume | None = None
) -> np.ndarray:
    """Read the label of a case: int16 (z, y, x) in reading order.

    volume: the images of the case, where they are read already; else the first is opened.
    Raises ValueError for a grid that is not the image's and for values that `labels` lacks.
    """
    import numpy as np

    file, voxels = _read_channel(case.name, ImageSource(case.label))
    _check_grid(case.name, case.label, file, volume or _load(case.name, case.images[0].path))
    with np.errstate(invalid="ignore"):
        label = voxels.astype(np.int16)
    # Labels are 0, 1, 2, ... without gaps.
    wrong = label != voxels
    wrong |= (voxels < 0) | (voxels > labels.stored[-1])
    if wrong.any():
        unknown = np.unique(voxels[wrong]).tolist()
        raise ValueError(
            f"case {case.name}: {case.label} holds {unknown[:5]}, expected only the values of "
            f"dataset.json, {list(labels.stored)}"
        )
    orientation = geometry.axis_codes(file.affine)
    return geometry.to_reading_order(label, orientation, reorient)
