"""Datasets that come as archives: opened once they are unpacked, while the workflow runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from slicewise.archives import dataset_json
from slicewise.dataset import Dataset
from slicewise.dataset_checks import check_dataset
from slicewise.problems import Problem, refuse_errors, wrong
from slicewise.runs import RunDataset, open_thick

MEND = "unpack the archive yourself, mend it and name its folder as `raw`"


class Datasets(Mapping):
    """The datasets of a run by name: an archive's is opened as soon as it is unpacked.

    opened: those that need no unpacking; unpacked: returns the folder of an archive by the name of
    its dataset, or raises what has Snakemake unpack it and ask again.
    """

    def __init__(self, config: dict, opened: dict[str, RunDataset], unpacked: Callable[[str], str]):
        self._config, self._opened, self._unpacked = config, dict(opened), unpacked

    def __getitem__(self, name: str) -> RunDataset:
        kind = self._config["datasets"][name]
        if name not in self._opened and "thicken" in kind:
            self._opened[name] = open_thick(self._config, name, self[kind["thicken"]["of"]])
        if name not in self._opened:
            source = open_unpacked(self._unpacked(name), self._config["cross_validation"]["folds"])
            per_job = self._config["execution"]["cases_per_job"]
            self._opened[name] = RunDataset(name, source, tuple(source.cases()), None, per_job)
        return self._opened[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._config["datasets"])

    def __len__(self) -> int:
        return len(self._config["datasets"])


def open_unpacked(folder: str | Path, folds: int) -> Dataset:
    """Return the dataset of an unpacked archive; raise BadInput with all that is wrong with it."""
    source, cases, problems = check_dataset(dataset_json(Path(folder)), folds, MEND)
    if source:
        problems = [one for case in cases for one in _outside(source, case, folder)]
    refuse_errors(problems)
    return source


def _outside(source: Dataset, case: str, folder: str | Path) -> Iterator[Problem]:
    """Yield the files of a case that lie outside the folder.

    nnU-Net lets the list `dataset` of a dataset.json name files anywhere. In a folder of the user's
    that is their choice, in an archive it would be that of whoever packed it.
    """
    for path in source.case(case).files:
        if not Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder)):
            found = f"the file {path}"
            yield wrong(source.json_path, found, "a file of the archive", MEND, case)
