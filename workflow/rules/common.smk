"""The config, held against its schema, and what the stages ask of it: cases, groups and keys."""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

SCRIPTS = Path(str(workflow.current_basedir)).parent / "scripts"
if str(SCRIPTS) not in sys.path:
    sys.path.append(str(SCRIPTS))

from slicewise import model_folders, runs
from slicewise.config import load
from slicewise.sources import digest

try:
    config.update(load(config))
    DATASETS = runs.open_datasets(config)
    runs.check_models(config)
except ValueError as error:
    raise WorkflowError(str(error)) from None

RESULTS = config["results"]
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"
EXPERIMENTS = list(config["experiments"])
FOLDS = config["cross_validation"]["run"]
SEEDS = config["cross_validation"]["seeds"]
FOLD_FOLDER = f"{RESULTS}/{{dataset}}/{{experiment}}/fold-{{fold}}_seed-{{seed}}"


wildcard_constraints:
    dataset="|".join(DATASETS),
    experiment="|".join(EXPERIMENTS),
    index=r"\d+",
    key=r"[A-Za-z0-9_-]+",
    group=r"\d+",
    fold=r"\d+",
    seed=r"\d+",


def one_of(names: list[str]) -> str:
    """Return a pattern that fits these names, and nothing at all where there are none."""
    return "|".join(names) or "(?!)"


def section(name: str, key: str | None = None):
    """Return a params function: a section of the wildcards' experiment, or one key of it."""

    def of_experiment(wildcards):
        found = config["experiments"][wildcards.experiment][name]
        return found[key] if key else found

    return of_experiment


def inference(wildcards) -> dict:
    """Return how the wildcards' experiment predicts; which images is no matter of it."""
    return {key: value for key, value in section("inference")(wildcards).items() if key != "images"}


def group_cases(wildcards) -> list[str]:
    """Return the names of the cases in a group."""
    return DATASETS[wildcards.dataset].groups[int(wildcards.group)]


def group_files(wildcards) -> list[str]:
    """Return the image and label files of the cases in a group."""
    return DATASETS[wildcards.dataset].files(group_cases(wildcards))


def of_groups(pattern: str):
    """Return an input function: `pattern` filled for every group of the wildcards' dataset."""
    return lambda wildcards: expand(
        pattern, group=DATASETS[wildcards.dataset].groups, allow_missing=True
    )


def dataset_json(wildcards) -> str:
    """Return the dataset.json of the wildcards' dataset."""
    return str(DATASETS[wildcards.dataset].json_path)


def given_splits(wildcards) -> list[str]:
    """Return the folds that the user brings with the wildcards' dataset, if any."""
    path = DATASETS[wildcards.dataset].json_path.with_name("splits_final.json")
    return [str(path)] if path.exists() else []


def arrays_folder(dataset: str, experiment: str) -> str:
    """Return the folder of the arrays that an experiment trains on."""
    planning = config["experiments"][experiment]["planning"]
    return f"{RESULTS}/{dataset}/arrays/{runs.arrays_key(planning, config['preprocessing'])}"


def manifests(dataset: str, experiment: str) -> list[str]:
    """Return the manifests of all arrays that an experiment trains on."""
    folder = arrays_folder(dataset, experiment)
    return [f"{folder}/group-{group}.manifest.json" for group in DATASETS[dataset].groups]


def arrays(wildcards) -> str:
    """Return the folder of the arrays of the wildcards' experiment."""
    return arrays_folder(wildcards.dataset, wildcards.experiment)


def exported(wildcards) -> list[str]:
    """Return the manifests of the arrays of the wildcards' experiment."""
    return manifests(wildcards.dataset, wildcards.experiment)


def planning_of(key: str, name: str):
    """Return a value of the planning section that the experiments of an arrays key share."""
    return next(
        experiment["planning"][name]
        for experiment in config["experiments"].values()
        if runs.arrays_key(experiment["planning"], config["preprocessing"]) == key
    )


def new_images(wildcards) -> list[str]:
    """Return the files in the folder of new images of an experiment."""
    folder = section("inference", "images")(wildcards)
    if folder is None:
        raise WorkflowError("inference.images: found null, expected a folder of new images")
    return sorted(str(path) for path in Path(folder).glob("*.nii*"))
