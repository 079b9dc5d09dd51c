"""All that a config names, looked at before the first job: every problem is told at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from slicewise import studies
from slicewise.archives import is_address
from slicewise.case_names import name_problems
from slicewise.model_checks import folder_problems
from slicewise.problems import BadInput, Problem, refuse_errors, wrong
from slicewise.runs import RunDataset, open_datasets, readable
from slicewise.user_plans import read_user_plan


def open_inputs(config: dict) -> dict[str, RunDataset]:
    """Return the datasets of a config by name.

    Raises BadInput with everything that is wrong with them, with folders of trained models, with
    plans and checkpoints that the user brings and with where results are to go. Voxels and weights
    are looked at by the jobs that read them.
    """
    problems = list(_place_problems(config))
    datasets, found = open_datasets(config)
    problems += found
    for name, experiment in config["experiments"].items():
        problems += _experiment_problems(name, experiment, config, datasets)
    problems = list(dict.fromkeys(problems))
    if problems:
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise BadInput(problems, f"{count} before the first job; nothing was run")
    return datasets


def new_images(dataset: RunDataset, folder: str | Path) -> list[str]:
    """Return the files in a folder of new images, as far as they can be read.

    Raises BadInput for a folder without any, and for cases with names that none may have.
    """
    cases = dataset.source.new_cases(folder)
    refuse_errors(name_problems(folder, [case.name for case in cases]))
    return readable(path for case in cases for path in case.files)


def _place_problems(config: dict) -> Iterator[Problem]:
    """Yield what is in the way of the results: a file, or a dataset that they would mix with."""
    results = Path(config["results"])
    place = results.resolve()
    in_the_way = next((p for p in (place, *place.parents) if p.exists()), place)
    if not in_the_way.is_dir():
        yield wrong("results", f"{results}, where {in_the_way} is a file", "a folder")
    for name, kind in config["datasets"].items():
        key = "raw" if "raw" in kind else "archive"
        if key not in kind or is_address(kind[key]):
            continue
        given = Path(kind[key]).resolve()
        if place == given or place.is_relative_to(given) or given.is_relative_to(place):
            yield wrong(
                "results",
                f"{results}, which overlaps with datasets.{name}.{key}, {kind[key]}",
                "two places, neither of them in the other",
                "a run writes and deletes in results, never where your scans are",
            )


def _experiment_problems(
    name: str, experiment: dict, config: dict, datasets: dict[str, RunDataset]
) -> Iterator[Problem]:
    """Yield what is wrong with the files that an experiment names."""
    model, planning = experiment["model"], experiment["planning"]
    if model["nnunet"]:
        found = list(folder_problems(name, model, studies.folds_of(config, name)))
        yield from found
        if found:
            return
    counts = {len(dataset.source.channel_names): None for dataset in datasets.values()} or [None]
    for channels in counts if planning["plans"] else ():
        try:
            read_user_plan(planning["plans"], channels, None, planning["configuration"])
        except BadInput as refused:
            yield from refused.problems
    pretrained = experiment["training"]["pretrained"]
    if pretrained and not model["nnunet"] and not Path(pretrained).is_file():
        key = f"experiments.{name}.training.pretrained"
        yield wrong(key, f"{pretrained}, which is no file", "a checkpoint")
