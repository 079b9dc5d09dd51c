"""What a config says against itself: mistakes that no key shows alone."""

from __future__ import annotations

import os
from collections.abc import Iterator

from slicewise import studies


def plan_of(model: dict) -> str:
    """Return the path of the plans.json of a trained model."""
    return os.path.join(os.path.normpath(model["nnunet"]), "plans.json")


def contradictions(config: dict) -> Iterator[str]:
    """Yield the mistakes that no key shows by itself, one line each."""
    folds = config["cross_validation"]["folds"]
    for fold in config["cross_validation"]["run"]:
        if fold >= folds:
            yield (
                f"cross_validation.run: found fold {fold}; allowed: 0 to {folds - 1}, "
                f"as cross_validation.folds is {folds}"
            )
    for name, changes in config["experiments"].items():
        model = config["model"] | changes.get("model", {})
        plans = changes.get("planning", {}).get("plans")
        if model["nnunet"] and plans not in (None, plan_of(model)):
            yield (
                f"experiments.{name}.planning.plans: found {plans}; allowed: nothing, as the "
                f"model's plan is {plan_of(model)}"
            )
    yield from _scaled_patches(config)
    yield from _names_alike(config)
    for name, kind in config["datasets"].items():
        cases = kind.get("phantom", {}).get("cases", folds)
        if cases < folds:
            yield (
                f"datasets.{name}.phantom.cases: found {cases}; allowed: at least {folds}, "
                f"a case for each of cross_validation.folds"
            )
    yield from _wrong_origins(config)
    yield from dict.fromkeys(_batch_contradictions(config))
    yield from _wrong_ensembles(config)
    yield from studies.contradictions(config)


def _scaled_patches(config: dict) -> Iterator[str]:
    """Yield the experiments that scale the patch of a plan that they are given."""
    for name, changes in config["experiments"].items():
        own = changes.get("planning", {})
        planning = config["planning"] | own
        model = config["model"] | changes.get("model", {})
        if planning["patch_scale"] != 1 and (planning["plans"] or model["nnunet"]):
            where = f"experiments.{name}.planning" if "patch_scale" in own else "planning"
            yield (
                f"{where}.patch_scale: found {planning['patch_scale']:g}; allowed: 1, as the plan "
                f"that experiment {name} is given brings its own patch"
            )


def _names_alike(config: dict) -> Iterator[str]:
    """Yield names whose folders are one where a file system looks at no case of letters."""
    for section in ("datasets", "experiments", "ensembles", "studies"):
        first: dict[str, str] = {}
        for name in config[section]:
            other = first.setdefault(name.lower(), name)
            if other != name:
                yield (
                    f"{section}.{name}: found {other} too; allowed: names that differ in more than "
                    "upper and lower case, which many file systems take for one"
                )


def _wrong_origins(config: dict) -> Iterator[str]:
    """Yield the datasets of thick slices that are of none with thin ones, one line each."""
    thin = [name for name, kind in config["datasets"].items() if "thicken" not in kind]
    for name, kind in config["datasets"].items():
        of = kind.get("thicken", {}).get("of")
        if of and of not in thin:
            known = f"one of {', '.join(thin)}" if thin else "a dataset of another kind"
            yield f"datasets.{name}.thicken.of: found {of}; allowed: {known}"


def _batch_contradictions(config: dict) -> Iterator[str]:
    """Yield what the settings of an experiment say against each other about a batch's slices."""
    for name, changes in config["experiments"].items():
        training = config["training"] | changes.get("training", {})
        empty, forced = training["empty_slices"], training["oversample_foreground"]
        where = "training" if "training" not in changes else f"experiments.{name}.training"
        if training["batch_size"] and training["devices"] > training["batch_size"]:
            yield (
                f"{where}.devices: found {training['devices']}; allowed: at most "
                f"{training['batch_size']}, as batch_size is {training['batch_size']} and each "
                "device takes a part of every batch"
            )
        if empty and empty + forced > 1 + 1e-9:
            yield (
                f"{where}.empty_slices: found {empty:g}; allowed: at most {1 - forced:g}, the rest "
                f"of the batch, as oversample_foreground is {forced:g}"
            )
        if empty and training["slices"] == "foreground":
            yield (
                f"{where}.empty_slices: found {empty:g}; allowed: 0 or null, as slices are those "
                "with foreground"
            )


def _wrong_ensembles(config: dict) -> Iterator[str]:
    """Yield the ensembles whose name or members do not fit the experiments, one line each."""
    experiments, shared = config["experiments"], config["inference"]["images"]
    for name, members in config["ensembles"].items():
        if name in experiments:
            yield f"ensembles.{name}: found the name of an experiment; allowed: a name of its own"
        for member in members:
            if member not in experiments:
                yield (
                    f"ensembles.{name}: found {member}; allowed: experiments, here "
                    f"{', '.join(experiments)}"
                )
        images = {
            str(experiments.get(member, {}).get("inference", {}).get("images", shared))
            for member in members
        }
        if len(images) > 1:
            yield (
                f"ensembles.{name}: found members with the inference.images "
                f"{', '.join(sorted(images))}; allowed: one folder for all of them"
            )
