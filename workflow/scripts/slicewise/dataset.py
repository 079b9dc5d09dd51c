"""Raw datasets in nnU-Net's layout or the Medical Segmentation Decathlon's, case by case."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from slicewise.documents import read_document
from slicewise.labels import Labels, parse_labels
from slicewise.problems import BadInput, error

EXPECTED = "the description of a dataset, of nnU-Net or of the Medical Segmentation Decathlon"

ENDINGS = (".nii.gz", ".nii")
"""Endings of the files that are read."""


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


class Dataset:
    """A dataset folder, known by its dataset.json."""

    def __init__(self, dataset_json: str | Path, content: dict | None = None):
        self.json_path = Path(dataset_json)
        self.root = self.json_path.parent
        self.content = read_document(dataset_json, EXPECTED) if content is None else content

    def _fail(self, found: str, expected: str) -> BadInput:
        return error("", self.json_path, found, expected)

    @property
    def is_decathlon(self) -> bool:
        """Say whether this is the Decathlon's layout: a `training` list and labels by value."""
        return isinstance(self.content.get("training"), list) and "modality" in self.content

    @property
    def named_channels(self) -> dict[str, str]:
        """Return the names of the channels by their numbers."""
        return self.content.get("channel_names", self.content.get("modality"))

    @cached_property
    def channel_names(self) -> list[str]:
        """Return the channel names in the order of the channels."""
        names = self.named_channels
        if not isinstance(names, dict) or not names:
            raise self._fail("no channel_names", 'for example "channel_names": {"0": "MRI"}')
        return [str(name) for _, name in sorted(names.items(), key=lambda item: int(item[0]))]

    @property
    def named_labels(self) -> dict[str, int | list[int]]:
        """Return labels by name, as nnU-Net has them, for the Decathlon's labels by value too."""
        labels = self.content["labels"]
        if self.is_decathlon and all(value.isdecimal() for value in labels):
            odd = next((name for name in labels.values() if not isinstance(name, str)), None)
            if odd is not None:
                raise self._fail(f"labels: the name {odd!r:.80}", "text, as the key is the number")
            by_value = sorted(labels.items(), key=lambda item: int(item[0]))
            return {name: int(value) for value, name in by_value}
        return dict(labels)

    @property
    def meaning(self) -> dict:
        """Return what its dataset.json says of channels and labels, in nnU-Net's form.

        Without labels where none are known yet, as of phantoms that are still to be made.
        """
        meaning = {"channel_names": dict(self.named_channels)}
        if "labels" in self.content:
            meaning["labels"] = self.named_labels
        if "regions_class_order" in self.content:
            meaning["regions_class_order"] = self.content["regions_class_order"]
        return meaning

    @cached_property
    def labels(self) -> Labels:
        """Return what the values of label files mean.

        Raises ValueError naming the file for labels that nnU-Net would not accept.
        """
        labels = self.content.get("labels")
        if not isinstance(labels, dict) or not labels:
            raise self._fail("no labels", 'for example "labels": {"background": 0, "spleen": 1}')
        named = self.named_labels
        try:
            return parse_labels(named, self.content.get("regions_class_order"))
        except BadInput as refused:
            (problem,) = refused.problems
            raise self._fail(f"{problem.file}: {problem.found}", problem.expected) from None

    @property
    def file_ending(self) -> str:
        """Return the ending of image and label files."""
        return self.content.get("file_ending", ".nii.gz")

    @cached_property
    def _entries(self) -> dict[str, dict | None]:
        """Return what dataset.json lists of each case by its name; None where it lists none.

        Cases are made of them when they are asked for: every job's process lists all names, and
        10,000 cases with their paths take longer than the rest of it.
        """
        entries: dict[str, dict | None]
        if self.is_decathlon:
            entries = {self.decathlon_name(entry): entry for entry in self.content["training"]}
        elif "dataset" in self.content:
            entries = dict(self.content["dataset"])
        else:
            entries = dict.fromkeys(self.names_in(self.images_folder))
        if not entries:
            raise self._fail(
                f"no cases{_among(self.images_folder)}",
                f"images {self.images_folder}/CASE_0000{self.file_ending}",
            )
        return entries

    def _decathlon_case(self, name: str, entry: dict) -> Case:
        image = self.root / entry["image"]
        several = len(self.channel_names) > 1
        images = tuple(
            ImageSource(image, channel if several else None)
            for channel in range(len(self.channel_names))
        )
        return Case(name, images, self.root / entry["label"])

    def decathlon_name(self, entry: dict) -> str:
        """Return the name of the case of an entry of the Decathlon's list."""
        return entry["image"].rpartition("/")[2].removesuffix(self.file_ending)

    def _listed_case(self, name: str, entry: dict) -> Case:
        images = tuple(ImageSource(self.root / image) for image in entry["images"])
        return Case(name, images, self.root / entry["label"])

    def names_in(self, folder: Path) -> list[str]:
        """Return the names of the cases of which an image lies in `folder`, sorted.

        Any of the channels counts, so that a case without its first one is missed.
        """
        suffixes = [f"_{c:04d}{self.file_ending}" for c in range(len(self.channel_names))]
        files = _names_in(folder)
        return sorted(
            {
                file.removesuffix(suffix)
                for suffix in suffixes
                for file in files
                if file.endswith(suffix)
            }
        )

    @property
    def images_folder(self) -> Path:
        """Return where the images of cases lie that dataset.json does not list."""
        return self.root / "imagesTr"

    @property
    def labels_folder(self) -> Path:
        """Return where their labels lie."""
        return self.root / "labelsTr"

    def unused_files(self) -> list[str]:
        """Return images and labels that lie with the others and belong to no case, sorted.

        Of cases that dataset.json lists, the others are left out on purpose.
        """
        if self.is_decathlon or "dataset" in self.content:
            return []
        used = {path for name in self._entries for path in self.case(name).files}
        return sorted(
            str(folder / file)
            for folder in (self.images_folder, self.labels_folder)
            for file in _names_in(folder)
            if file.endswith(ENDINGS) and folder / file not in used
        )

    def conventional_case(self, name: str) -> Case:
        """Return where the files of a case lie by nnU-Net's convention, there or not."""
        label = self.labels_folder / f"{name}{self.file_ending}"
        return Case(name, self.image_sources(self.images_folder, name), label)

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
        folder = Path(folder)
        names = self.names_in(folder)
        if not names:
            found = f"no *_0000{self.file_ending} in {folder}{_among(folder)}"
            if not folder.is_dir():
                found = f"{folder}, which is no folder"
            mend = "name its files CASE_0000, CASE_0001, ... by channel"
            raise error("", "inference.images", found, "at least one case", mend)
        return [Case(name, self.image_sources(folder, name), None) for name in names]

    def cases(self) -> list[str]:
        """Return the names of the training cases, sorted."""
        return sorted(self._entries)

    def case(self, name: str) -> Case:
        """Return the files of one training case."""
        if name not in self._entries:
            raise self._fail(f"no case {name!r}", f"one of its {len(self._entries)} cases")
        entry = self._entries[name]
        if entry is None:
            return self.conventional_case(name)
        return (self._decathlon_case if self.is_decathlon else self._listed_case)(name, entry)


def _among(folder: Path) -> str:
    """Return in words what else lies in a folder without a case, with three examples."""
    names = sorted(_names_in(folder))
    return f" among {len(names)} files ({', '.join(names[:3])})" if names else ""


def _names_in(folder: Path) -> list[str]:
    """Return the names of all that can be seen in a folder; none where it cannot be looked into."""
    try:
        return [name for name in os.listdir(folder) if not name.startswith(".")]
    except OSError:
        return []


def open_dataset(dataset_json: str | Path) -> Dataset:
    """Open the dataset that a dataset.json describes."""
    return Dataset(dataset_json)
