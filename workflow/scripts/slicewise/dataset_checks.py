"""What is wrong with a dataset before one of its images is opened: dataset.json, cases, folds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from slicewise import schemas
from slicewise.case_names import name_problems, shown
from slicewise.dataset import EXPECTED, Dataset
from slicewise.documents import read_document
from slicewise.folds import read_given_folds
from slicewise.problems import ERROR, BadInput, Problem


def read_description(path: Path, mend: str = "") -> tuple[Dataset | None, list[Problem]]:
    """Return the dataset of a dataset.json, and what is wrong with that file by itself.

    The dataset is None where it cannot be used at all.
    """
    try:
        content = read_document(path, EXPECTED, mend)
    except BadInput as refused:
        return None, refused.problems
    mistakes = schemas.mistakes(content, schemas.read_schema("dataset"))
    problems = [mistake.problem(path) for mistake in mistakes]
    dataset = Dataset(path, content)
    wrong = {mistake.key.split(".")[0] for mistake in mistakes}
    if not wrong & {"channel_names", "modality"}:
        problems += _channel_problems(dataset)
    if not wrong & {"labels", "regions_class_order"}:
        try:
            _ = dataset.labels
        except BadInput as refused:
            problems += refused.problems
    return (None if problems else dataset), problems


def _channel_problems(dataset: Dataset) -> Iterator[Problem]:
    """Yield the gap in the numbers of the channels, if there is one."""
    numbers = sorted(map(int, dataset.named_channels))
    if numbers != list(range(len(numbers))):
        found = f"the channels {', '.join(map(str, numbers))}"
        yield _problem(dataset, found, f"0 to {len(numbers) - 1} without a gap")


def check_dataset(
    path: Path, folds: int, mend: str = ""
) -> tuple[Dataset | None, tuple[str, ...], list[Problem]]:
    """Return a dataset, its cases in order, and all that is wrong with it but for its voxels.

    folds: how many are asked for. The dataset is None where there is any problem.
    """
    dataset, problems = read_description(path, mend)
    if dataset is None:
        return None, (), problems
    problems = list(_listing_problems(dataset))
    if not problems:
        try:
            cases = tuple(dataset.cases())
        except BadInput as refused:
            problems = refused.problems
    if problems:
        return None, (), problems
    problems = name_problems(path, cases)
    stated = dataset.content["numTraining"]
    if stated != len(cases):
        problems.append(
            _problem(
                dataset,
                f"numTraining {stated}",
                f"{len(cases)}, the number of its cases, which the planned batch depends on",
                "set it to that number, or look for the cases that are missing or not meant to be "
                "there",
            )
        )
    if len(cases) < folds:
        problems.append(
            _problem(
                dataset,
                f"{len(cases)} cases",
                f"at least {folds}, one for each of cross_validation.folds",
                "set cross_validation.folds lower, from 2 up",
            )
        )
    problems += _split_problems(path.with_name("splits_final.json"), cases, folds)
    return (None if problems else dataset), cases, problems


def _listing_problems(dataset: Dataset) -> Iterator[Problem]:
    """Yield what is wrong with the lists of files that a dataset.json may hold."""
    if dataset.is_decathlon:
        yield from _decathlon_problems(dataset)
    for name, entry in (
        dataset.content.get("dataset", {}).items() if not dataset.is_decathlon else ()
    ):
        channels = len(dataset.channel_names)
        if len(entry["images"]) != channels:
            found = f"dataset.{name}.images: {len(entry['images'])} files"
            yield _problem(dataset, found, f"{channels}, one for each channel")


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
    absolute = PurePosixPath(path).is_absolute() or PureWindowsPath(path).drive
    return not absolute and "\0" not in path and ".." not in PurePosixPath(path).parts


def _split_problems(path: Path, cases: tuple[str, ...], folds: int) -> list[Problem]:
    """Return what is wrong with the folds that a user brings, if there are any."""
    try:
        if path.exists():
            read_given_folds(path, cases, folds)
    except BadInput as refused:
        return refused.problems
    return []


def _problem(dataset: Dataset, found: str, expected: str, mend: str = "") -> Problem:
    return Problem(ERROR, "", str(dataset.json_path), found, expected, mend)
