"""What is wrong with a dataset before one of its images is opened: dataset.json, cases, folds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slicewise import schemas
from slicewise.case_names import name_problems, shown
from slicewise.dataset import EXPECTED, Dataset
from slicewise.documents import read_document
from slicewise.folds import read_given_folds
from slicewise.problems import BadInput, Problem, wrong

ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:")
"""How a path begins that counts from a root or, on Windows, from a drive."""

LISTING = frozenset(("channel_names", "modality", "file_ending", "training", "dataset"))
"""Keys of a dataset.json that say which cases there are."""

SHOWN_FILES = 4
"""Files that the problem of a number of cases names."""


def read_description(path: Path, mend: str = "") -> list[Problem]:
    """Return what is wrong with a dataset.json by itself."""
    try:
        dataset = Dataset(path, read_document(path, EXPECTED, mend))
    except BadInput as refused:
        return refused.problems
    return _description_problems(dataset)[0]


def _description_problems(dataset: Dataset) -> tuple[list[Problem], set[str]]:
    """Return what is wrong with the content of a dataset.json, and the keys that are."""
    content = _with_doubtful_entries(dataset.content)
    mistakes = schemas.mistakes(content, schemas.read_schema("dataset"))
    problems = [mistake.problem(dataset.json_path) for mistake in mistakes]
    wrong_keys = {mistake.key.split(".")[0].split("[")[0] for mistake in mistakes}
    if not wrong_keys & {"channel_names", "modality"}:
        problems += _channel_problems(dataset)
    if not wrong_keys & {"labels", "regions_class_order"}:
        try:
            _ = dataset.labels
            problems += _class_name_problems(dataset)
        except BadInput as refused:
            problems += refused.problems
    return problems, wrong_keys


def _class_name_problems(dataset: Dataset) -> Iterator[Problem]:
    """Yield the names of classes that tables and figures cannot show."""
    for name in dataset.labels.classes:
        if not name.isprintable() or "$" in name:
            expected = "a name that can be printed, without $, which figures take for mathematics"
            yield _problem(dataset, f"the label {shown(name)}", expected)


def _with_doubtful_entries(content: dict) -> dict:
    """Return a dataset.json with one entry for each list of cases whose entries are of their form.

    Every job's process looks at it, and the validator takes 30 µs for an entry.
    """
    training, listing = content.get("training"), content.get("dataset")
    if isinstance(training, list) and all(map(_is_pair, training)):
        content = {**content, "training": training[:1]}
    if isinstance(listing, dict) and all(map(_is_listed, listing.values())):
        content = {**content, "dataset": dict(list(listing.items())[:1])}
    return content


def _is_pair(entry: Any) -> bool:
    """Say whether this is an image and a label of the Decathlon's list."""
    return isinstance(entry, dict) and all(
        isinstance(entry.get(key), str) for key in ("image", "label")
    )


def _is_listed(entry: Any) -> bool:
    """Say whether this is a case of nnU-Net's list: images and a label."""
    images = entry.get("images") if isinstance(entry, dict) else None
    texts = [*images, entry.get("label")] if isinstance(images, list) and images else [None]
    return all(isinstance(text, str) for text in texts)


def _channel_problems(dataset: Dataset) -> Iterator[Problem]:
    """Yield the gap in the numbers of the channels, if there is one."""
    numbers = sorted(map(int, dataset.named_channels))
    if numbers != list(range(len(numbers))):
        found, expected = (
            f"the channels {', '.join(map(str, some))}" for some in (numbers, range(len(numbers)))
        )
        yield _problem(dataset, found, expected)


def check_dataset(
    path: Path, folds: int, mend: str = ""
) -> tuple[Dataset | None, tuple[str, ...], list[Problem]]:
    """Return a dataset, its cases in order, and all that is wrong with it but for its voxels.

    folds: how many are asked for; mend: what to do where there is no dataset.json. The dataset is
    None where there is any problem.
    """
    try:
        dataset = Dataset(path, read_document(path, EXPECTED, mend))
    except BadInput as refused:
        return None, (), refused.problems
    problems, wrong_keys = _description_problems(dataset)
    cases: tuple[str, ...] = ()
    if not wrong_keys & LISTING:
        listing = list(_listing_problems(dataset))
        try:
            cases = () if listing else tuple(dataset.cases())
        except BadInput as refused:
            listing = refused.problems
        problems += listing or _case_problems(
            dataset, cases, folds, "numTraining" not in wrong_keys
        )
    return (None if problems else dataset), cases, problems


def _of_no_case(dataset: Dataset) -> str:
    """Return the files that lie with the others and belong to no case, such as misspelt ones."""
    names = ["/".join(Path(path).parts[-2:]) for path in dataset.unused_files()]
    more = f" and {len(names) - SHOWN_FILES} more" if len(names) > SHOWN_FILES else ""
    return f"; of no case are {', '.join(names[:SHOWN_FILES])}{more}" if names else ""


def _case_problems(
    dataset: Dataset, cases: tuple[str, ...], folds: int, counted: bool
) -> Iterator[Problem]:
    """Yield what is wrong with the names of cases, their number and their folds.

    counted: whether dataset.json says how many there should be.
    """
    yield from name_problems(dataset.json_path, cases)
    if counted and dataset.content["numTraining"] != len(cases):
        yield _problem(
            dataset,
            f"numTraining {dataset.content['numTraining']}",
            f"{len(cases)}, the number of its cases, which the planned batch depends on",
            "set it to that number, or look for cases that are missing or not meant to be there"
            f"{_of_no_case(dataset)}",
        )
    if len(cases) < folds:
        yield _problem(
            dataset,
            f"{len(cases)} cases",
            f"at least {folds}, one for each of cross_validation.folds",
            "set cross_validation.folds lower, from 2 up",
        )
    try:
        path = dataset.json_path.with_name("splits_final.json")
        if path.exists():
            read_given_folds(path, cases, folds)
    except BadInput as refused:
        yield from refused.problems


def _listing_problems(dataset: Dataset) -> Iterator[Problem]:
    """Yield what is wrong with the lists of files that a dataset.json may hold."""
    if dataset.is_decathlon:
        yield from _decathlon_problems(dataset)
        return
    channels = len(dataset.channel_names)
    for name, entry in dataset.content.get("dataset", {}).items():
        where = f"dataset.{name}" if name.isprintable() else f"dataset.{shown(name)}"
        if len(entry["images"]) != channels:
            found = f"{where}.images: {len(entry['images'])} files"
            yield _problem(dataset, found, f"{channels}, one for each channel")
        for path in (*entry["images"], entry["label"]):
            if "\0" in path:
                yield _problem(dataset, f"{where}: {shown(path)}", "a path")


def _decathlon_problems(dataset: Dataset) -> Iterator[Problem]:
    """Yield the entries of a Decathlon's list that name no file of its folder, or a case twice."""
    names = Counter(dataset.decathlon_name(entry) for entry in dataset.content["training"])
    for name, count in names.items():
        if count > 1:
            found = f"training: {count} entries of the case {shown(name)}"
            yield _problem(dataset, found, "each case once")
    for index, entry in enumerate(dataset.content["training"]):
        for key in ("image", "label"):
            if not _is_inside(entry[key]):
                yield _problem(
                    dataset,
                    f"training[{index}].{key}: {shown(entry[key])}",
                    f"a path below {dataset.root}, without ..",
                )
            elif not entry[key].endswith(dataset.file_ending):
                found = f"training[{index}].{key}: {shown(entry[key])}"
                yield _problem(dataset, found, f"a file that ends with {dataset.file_ending}")


def _is_inside(path: str) -> bool:
    """Say whether a path of a Decathlon's list stays in its folder."""
    return not ABSOLUTE.match(path) and "\0" not in path and ".." not in path.split("/")


def _problem(dataset: Dataset, found: str, expected: str, mend: str = "") -> Problem:
    return wrong(dataset.json_path, found, expected, mend)
