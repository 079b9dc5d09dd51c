"""What a run consists of: its datasets with their cases in groups, and its keys of arrays."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shlex
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from slicewise.archives import is_address
from slicewise.config import as_yaml
from slicewise.dataset import Dataset
from slicewise.dataset_checks import check_dataset, read_description
from slicewise.problems import Problem, wrong
from slicewise.records import ANEW

ARRAYS_FOLLOW = (
    "slice_axis",
    "in_plane_order",
    "overwrite_target_spacing",
    "plans",
    "configuration",
)
"""The keys of a planning section that exported arrays depend on."""

MAX_GROUPS = 256
"""No stage submits more jobs than this, however many cases there are."""

FEWEST_GROUPS = 2
"""Even a small dataset is cut in two, so that two cores share it."""

BYTES_PER_JOB = 8_000_000
"""Bytes of images that one job takes where the config does not say how many cases.

Gzipped scans of this size took 0.3 to 0.6 s of CPU time to analyse and 1.1 s to export, beside
0.25 s for the start of each job.
"""

CASES_LOOKED_AT = 100
"""Cases whose images are looked up for their size: every job's process forms the groups anew."""

PHANTOM_BYTES = 100_000
"""What the images of one phantom hold about: groups are formed before there are any."""

FOUND_SNAKEFILES = ("Snakefile", "workflow/Snakefile")
"""Where Snakemake looks for a workflow that nobody named."""

PHANTOM_CHANNELS = {"channel_names": {"0": "MRI"}}
"""What of a phantom dataset's dataset.json is known before it is written."""


@dataclass(frozen=True)
class RunDataset:
    """A dataset of a run.

    name: its name in the config; source: its files; cases: names, sorted; generated: the settings
    that the run makes it by, phantoms or thick slices, or None; cases_per_job: how many cases a
    group holds about, or None to let the size of the images decide; origin: the dataset that it has
    thick slices of, or None.
    """

    name: str
    source: Dataset
    cases: tuple[str, ...]
    generated: dict | None
    cases_per_job: int | None
    origin: RunDataset | None = None

    @cached_property
    def groups(self) -> dict[int, list[str]]:
        """Return the cases of each group that is not empty.

        A case's group follows from its name and the number of groups, a power of two: adding a
        case leaves the others where they are until the dataset outgrows that power. Thick slices
        are grouped as what they are made of.
        """
        if self.origin:
            return self.origin.groups
        if self.cases_per_job:
            wanted = max(1, len(self.cases) / self.cases_per_job)
        else:
            wanted = max(FEWEST_GROUPS, self._bytes() / BYTES_PER_JOB)
        count = min(MAX_GROUPS, 2 ** math.ceil(math.log2(wanted)))
        groups: dict[int, list[str]] = {}
        for case in self.cases:
            groups.setdefault(zlib.crc32(case.encode()) % count, []).append(case)
        return dict(sorted(groups.items()))

    def _bytes(self) -> float:
        """Return about how large the images of all cases are together, from some of the cases."""
        if self.generated:
            return PHANTOM_BYTES * len(self.cases)
        some = self.cases[:: math.ceil(len(self.cases) / CASES_LOOKED_AT)]
        images = {image.path for case in some for image in self.source.case(case).images}
        return sum(map(_bytes_of, images)) * len(self.cases) / len(some)

    @property
    def json_path(self) -> Path:
        """Return the path of its dataset.json; what a run makes has none before it is made."""
        return self.source.json_path

    @property
    def title(self) -> str:
        """Return the name for plans.json: the folder's where nnU-Net would accept it."""
        folder = self.json_path.parent.name
        return folder if re.fullmatch(r"Dataset\d{3}_.+", folder) else self.name

    @property
    def unused_files(self) -> list[str]:
        """Return images and labels beside those of its cases; what a run makes has none."""
        return [] if self.generated else self.source.unused_files()

    def files(self, cases: Sequence[str]) -> list[str]:
        """Return the image and label files of some cases, as far as they can be read."""
        return readable(path for case in cases for path in self.source.case(case).files)

    def sizes(self, cases: Sequence[str]) -> list[int]:
        """Return the bytes of the files of some cases; of what a run makes they do not matter.

        A file that is mended may be older than what came of it, if it was copied with its date.
        """
        if self.generated:
            return []
        return [_bytes_of(path) for case in cases for path in self.source.case(case).files]


def readable(files: Iterable[Path]) -> list[str]:
    """Return those of some files that are there and can be read.

    Of the others Snakemake would not say whose they are. The job that looks for them does.
    """
    return [str(path) for path in files if os.path.isfile(path) and os.access(path, os.R_OK)]


def _bytes_of(path: Path) -> int:
    """Return how large a file is; one that cannot be looked at counts as 0: its job names it."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def open_datasets(config: dict) -> tuple[dict[str, RunDataset], list[Problem]]:
    """Return the datasets of a config by name, and all that is wrong with them.

    Raw ones are listed, phantoms only named; those that cannot be used are left out, as are those
    of archives and what has thick slices of them, which slicewise.unpacked opens.
    """
    datasets, problems = {}, []
    per_job = config["execution"]["cases_per_job"]
    for name, kind in config["datasets"].items():
        generated = kind.get("phantom")
        if generated:
            source = Dataset(_made_json(config, name), PHANTOM_CHANNELS)
            cases = tuple(f"phantom_{index:03d}" for index in range(generated["cases"]))
            problems += _made_problems(source)
        elif "thicken" in kind:
            continue
        elif "archive" in kind:
            problems += _archive_problems(name, kind["archive"])
            continue
        else:
            mend = f"set datasets.{name}.raw to the folder that has it"
            path = Path(kind["raw"]) / "dataset.json"
            source, cases, found = check_dataset(path, config["cross_validation"]["folds"], mend)
            problems += found
        if source:
            datasets[name] = RunDataset(name, source, cases, generated, per_job)
    for name, kind in config["datasets"].items():
        if "thicken" in kind and kind["thicken"]["of"] in datasets:
            datasets[name] = open_thick(config, name, datasets[kind["thicken"]["of"]])
            problems += _made_problems(datasets[name].source)
    return datasets, problems


def open_thick(config: dict, name: str, origin: RunDataset) -> RunDataset:
    """Return a dataset of thick slices of another one, `origin`, whose cases and labels it has."""
    source = Dataset(_made_json(config, name), origin.source.meaning)
    settings = config["datasets"][name]["thicken"]
    per_job = config["execution"]["cases_per_job"]
    return RunDataset(name, source, origin.cases, settings, per_job, origin)


def _made_json(config: dict, name: str) -> Path:
    """Return where the dataset.json of a dataset is that the run makes."""
    return Path(config["results"]) / name / "raw" / "dataset.json"


def _made_problems(source: Dataset) -> list[Problem]:
    """Return what is wrong with the dataset.json of a dataset that an earlier run made."""
    if not source.json_path.exists():
        return []
    return [replace(one, mend=ANEW) for one in read_description(source.json_path)]


def _archive_problems(name: str, archive: str) -> list[Problem]:
    """Return what is wrong with an archive before it is opened: a path that leads to no file."""
    if is_address(archive) or Path(archive).is_file():
        return []
    found = f"{archive}, which is no file"
    return [wrong(f"datasets.{name}.archive", found, "a .tar, .tar.gz or .zip file")]


def arrays_key(planning: dict, preprocessing: dict) -> str:
    """Return the name of the arrays that a planning section leads to.

    It names all that arrays depend on, so experiments that differ only in patch or training share
    them: the slicing policy in words, and a digest of the rest.
    """
    depends_on = {key: planning[key] for key in ARRAYS_FOLLOW}
    plans = planning["plans"]
    if plans and Path(plans).exists():
        depends_on["plans"] = hashlib.sha256(Path(plans).read_bytes()).hexdigest()
    content = json.dumps([depends_on, preprocessing], sort_keys=True)
    policy = "plans" if plans else planning["slice_axis"]
    return f"{policy}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def with_new_images(overrides: Mapping) -> dict:
    """Return what a run was given as --config, and IMAGES as the folder of new images."""
    return {**overrides, "inference": {**overrides.get("inference", {}), "images": "IMAGES"}}


def predict_command(
    target: str,
    configfiles: Sequence[Path],
    overrides: Mapping,
    snakefile: str | Path = FOUND_SNAKEFILES[0],
) -> str:
    """Return the command that makes `target`, for a shell in this folder.

    configfiles and overrides: what goes with it as --configfile and --config; snakefile: that of
    the running workflow.
    """
    here = Path.cwd()

    def named(path: Path) -> str:
        return str(path.relative_to(here) if path.is_relative_to(here) else path)

    parts = ["snakemake", "--cores", "all"]
    if named(Path(snakefile)) not in FOUND_SNAKEFILES:
        parts += ["--snakefile", named(Path(snakefile))]
    parts.append(target)  # before --configfile, which takes all that follows
    parts += ["--configfile", *map(named, configfiles)] if configfiles else []
    pairs = [f"{key}={as_yaml(value)}" for key, value in overrides.items()]
    return shlex.join([*parts, "--config", *pairs] if pairs else parts)
