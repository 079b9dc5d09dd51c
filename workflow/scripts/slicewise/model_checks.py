"""What is wrong with a folder of nnU-Net's trained models before a checkpoint is opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from slicewise.dataset_checks import read_description
from slicewise.documents import read_document
from slicewise.model_folders import ALL, checkpoint_path
from slicewise.problems import BadInput, Problem, wrong
from slicewise.records import read_folds


def folder_problems(experiment: str, model: dict, folds: Sequence[int]) -> Iterator[Problem]:
    """Yield what a model's folder lacks of its files and of the folds that are to run."""
    folder, key = Path(model["nnunet"]), f"experiments.{experiment}.model"
    mend = f"set {key}.nnunet to the folder TRAINER__PLANS__CONFIGURATION of a trained model"
    yield from read_description(folder / "dataset.json", mend)
    try:
        plans = read_document(folder / "plans.json", "the plans of a trained model", mend)
        yield from _configuration_problems(folder / "plans.json", plans, model, key)
    except BadInput as refused:
        yield from refused.problems
    splits = folder / "splits_final.json"
    try:
        if splits.exists():
            read_folds(splits, "mend it, or take it from where the model was trained")
    except BadInput as refused:
        yield from refused.problems
    wanted = [ALL] if model["fold"] == ALL else folds
    pattern = f"fold_*/checkpoint_{model['checkpoint']}.pth"
    there = sorted(path.parent.name.removeprefix("fold_") for path in folder.glob(pattern))
    missing = [fold for fold in wanted if not checkpoint_path(model, fold).is_file()]
    if missing:
        yield wrong(
            checkpoint_path(model, missing[0]),
            f"no such file, but of fold {', '.join(there) or 'none'}",
            f"one for each fold of {', '.join(map(str, wanted))}",
            f"set cross_validation.run to the folds that are there, or {key}.fold: all for "
            "fold_all",
        )


def _configuration_problems(path: Path, plans: dict, model: dict, key: str) -> Iterator[Problem]:
    """Yield that a model's plans lack the configuration that it is said to be of."""
    known = plans.get("configurations")
    if not isinstance(known, dict) or model["configuration"] not in known:
        named = ", ".join(known) if isinstance(known, dict) and known else "none"
        found = f"the configurations {named}, and {key}.configuration: {model['configuration']}"
        yield wrong(path, found, "the name of one that is there")
