"""Gather all problems of a dataset's scans in one table: of each case, and of several together.

It always succeeds, so that the table stays; what comes next refuses a table with errors.
"""

import re
from collections import defaultdict
from glob import escape
from pathlib import Path

from slicewise.case_names import fault
from slicewise.dataset import ENDINGS, Dataset, open_dataset
from slicewise.files import read_json, write_table
from slicewise.job import logger, run
from slicewise.problems import (
    COLUMNS,
    WARNING,
    Problem,
    counted,
    errors_of,
    listed,
    read_tables,
    rows,
    wrong,
)
from slicewise.stacks import stacked_elsewhere

CHANNEL = re.compile(r"_\d{4}$")
"""How the name of an image ends that has the number of its channel."""


def duplicates(records: dict[str, dict], dataset: Dataset) -> list[Problem]:
    """Return a warning for each case whose images hold the voxels of an earlier one.

    One may be trained on while the other is held out, which makes scores too good.
    """
    groups = defaultdict(list)
    for name in sorted(records):
        groups[records[name]["digest"], *records[name]["shape"]].append(name)
    return [
        Problem(
            WARNING,
            name,
            str(dataset.case(name).images[0].path),
            f"the voxels of case {first}",
            "a scan of its own",
            "take one of both out, or bring folds that keep them together",
        )
        for first, *others in groups.values()
        for name in others
    ]


def unused(files: list[str], dataset: Dataset) -> list[Problem]:
    """Return a warning for each scan that lies beside the others and belongs to no case."""
    return [_unused(Path(file), dataset) for file in files]


def _unused(path: Path, dataset: Dataset) -> Problem:
    """Return why a scan belongs to no case, and under what name it would."""
    images, ending, channels = dataset.images_folder, dataset.file_ending, dataset.channel_names
    own_ending = next(one for one in ENDINGS if path.name.endswith(one))
    name = path.name.removesuffix(own_ending)
    if path.parent == images:
        name = CHANNEL.sub("", name)
    if own_ending != ending:
        found = f"a file that ends with {own_ending}"
        expected = f"{ending}, the file_ending of dataset.json"
        mend = "write it as the others are, or take it out; until then it is left out"
    elif path.parent == images:
        found = "an image that is no channel of a case"
        numbers = dict.fromkeys((0, len(channels) - 1))
        expected = " to ".join(f"{name}_{number:04d}{ending}" for number in numbers)
        mend = "name it so, or take it out; until then it is left out"
    else:
        others = ", ".join(sorted(other.name for other in images.glob(f"{escape(name)}*"))[:3])
        found = "a label without an image" + (f", beside {others}" if others else "")
        expected = f"{images / name}_0000{ending}"
        mend = "add the image; until then the label is left out"
    return Problem(WARNING, "" if fault(name) else name, str(path), found, expected, mend)


def no_foreground(records: dict[str, dict], dataset: Dataset) -> list[Problem]:
    """Return an error where the labels of all cases are empty: nothing could be learnt.

    nnU-Net breaks down over the intensities of no voxel.
    """
    if not records or any(record["foreground_voxels"] for record in records.values()):
        return []
    expected = f"voxels of {', '.join(dataset.labels.classes)}"
    mend = "look into the label files"
    return [wrong(dataset.root, "no foreground in any label", expected, mend)]


def main(*, dataset_json, problems, analyses, unused_files, reorient, validation):
    """Write all problems of a dataset as CSV, errors first, and log warnings.

    Errors are only counted here: what refuses the table lists them.
    """
    dataset = open_dataset(dataset_json)
    records = {name: record for path in analyses for name, record in read_json(path).items()}
    found = read_tables(problems)
    found += unused(unused_files, dataset) + duplicates(records, dataset)
    found += no_foreground(records, dataset)
    found += stacked_elsewhere(records, dataset, reorient)
    found.sort(key=lambda problem: (problem.severity, problem.case, problem.file))
    write_table(validation, COLUMNS, rows(found))
    about = f"{dataset_json}: {counted(found)} in {validation}"
    if found:
        logger.warning(about if errors_of(found) else listed(found, about))
    else:
        logger.info("%s: no problems", dataset_json)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
