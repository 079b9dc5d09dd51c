"""Studies: which experiments answer a question together, on which datasets, folds and seeds.

What is trained is what the studies ask for; a training that several of them ask for is done once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from pathlib import Path

OF_EXPERIMENTS = {"reading": "arrays", "patch_size": "patch"}
"""Kinds of studies that ensembles have no part in, and what they lack."""

SCORING = ("comparison", "patch_size", "anisotropy")
"""Kinds of studies that score networks; `reading` measures how arrays are read and trains none."""

COLORED = ("comparison", "anisotropy")
"""Kinds of studies whose figures give experiments colours; those of the others give them to
classes or to ways of reading."""

OF_A_DATASET = (
    "spacing",
    "patch",
    "training",
    "dice_profile",
    "gallery",
    "heat_map",
    "errors",
    "configurations",
)
"""What figures and tables of a dataset are called behind its name; those of a study have its name
there."""

OF_A_COMPARISON = ("_pairs", "_empty", "_seeds", "_ranking")
"""What a comparison writes behind its name, beside the files that are called by the name alone."""

Run = tuple[int, int]
"""A fold and a seed."""


def expanded(name: str, kind: dict) -> dict[str, dict]:
    """Return the datasets that one name of the config stands for: itself, in most cases.

    Scans that are thickened along several axes or by several factors are a dataset for each of
    both, called NAME_AXISxFACTOR.
    """
    thicken = kind.get("thicken", {})
    values = [thicken.get("axis"), thicken.get("factor")]
    if not any(isinstance(value, list) for value in values):
        return {name: kind}
    axes, factors = (value if isinstance(value, list) else [value] for value in values)
    return {
        f"{name}_{axis}x{factor}": {"thicken": {**thicken, "axis": axis, "factor": factor}}
        for axis, factor in product(axes, factors)
    }


def missing(datasets: Mapping[str, dict]) -> dict[str, str]:
    """Return the optional datasets whose folder is not there, and what is made of them.

    The value of each is the path of that folder.
    """
    gone = {
        name: kind["raw"]
        for name, kind in datasets.items()
        if kind.get("optional") and not Path(kind["raw"]).exists()
    }
    made = {name: kind["thicken"]["of"] for name, kind in datasets.items() if "thicken" in kind}
    return gone | {name: gone[source] for name, source in made.items() if source in gone}


def completed(config: dict) -> dict:
    """Return a config with what its studies leave open filled in.

    Datasets that are missing are left out, and studies that have none left.
    """
    gone = missing(config["datasets"])
    stand_for = {n: expanded(n, k) for n, k in config["datasets"].items() if n not in gone}
    datasets = {name: kind for several in stand_for.values() for name, kind in several.items()}
    config = config | {"datasets": datasets}
    found = {}
    for name, study in config["studies"].items():
        given = {key: value for key, value in study.items() if value is not None}
        study = of_everything(config) | given
        if "experiments" not in given and study["kind"] in OF_EXPERIMENTS:
            study["experiments"] = list(config["experiments"])
        chosen = [one for named in study["datasets"] for one in stand_for.get(named, [named])]
        study["datasets"] = [one for one in dict.fromkeys(chosen) if one in datasets]
        found[name] = study | {"reference": given.get("reference") or study["experiments"][0]}
    found = {name: study for name, study in found.items() if study["datasets"]}
    return config | {"studies": found}


def of_everything(config: dict) -> dict:
    """Return the study that compares all experiments and ensembles, on all datasets."""
    models, runs = [*config["experiments"], *config["ensembles"]], config["cross_validation"]
    return {
        "kind": "comparison",
        "datasets": list(config["datasets"]),
        "experiments": models,
        "reference": models[0],
        "folds": runs["run"],
        "seeds": runs["seeds"],
    }


def contradictions(config: dict) -> Iterator[str]:
    """Yield what is wrong with the studies of a config that fits its schema, one line each."""
    gone = missing(config["datasets"])
    stand_for = [expanded(name, kind) for name, kind in config["datasets"].items()]
    every = [name for several in stand_for for name in several]
    for name in dict.fromkeys(name for name in every if every.count(name) > 1):
        yield f"datasets: found {name} twice, as thicken makes it too; allowed: names of their own"
    known = {
        "datasets": dict.fromkeys([*config["datasets"], *every]),
        "experiments": [*config["experiments"], *config["ensembles"]],
    }
    wrong = [
        line
        for name, study in config["studies"].items()
        for line in _wrong_study(f"studies.{name}", study, known, config)
    ]
    yield from wrong
    if wrong:
        return
    if gone and len(gone) == len(config["datasets"]):
        folders = ", ".join(dict.fromkeys(gone.values()))
        yield f"datasets: found no folder {folders}; allowed: at least one dataset that is there"
    elif not (sound := completed(config))["studies"]:
        yield (
            f"studies: found none whose datasets are there, but {', '.join(sound['datasets'])}; "
            "allowed: at least one study of a dataset that is there"
        )
    else:
        yield from _files_alike(sound)
        yield from () if gone else _without_thick_slices(sound)


def _wrong_study(key: str, study: dict, known: Mapping, config: dict) -> Iterator[str]:
    """Yield what a study names that is not there, one line each."""
    for part, names in known.items():
        kinds = "datasets" if part == "datasets" else "experiments and ensembles"
        for name in study[part] or ():
            if name not in names:
                yield f"{key}.{part}: found {name}; allowed: {kinds}, here {', '.join(names)}"
    compared = study["experiments"] or known["experiments"]
    if study["reference"] and study["reference"] not in compared:
        yield (
            f"{key}.reference: found {study['reference']}; allowed: one of its experiments, "
            f"{', '.join(compared)}"
        )
    for name in study["experiments"] or ():
        lacks = OF_EXPERIMENTS.get(study["kind"])
        if lacks and name in config["ensembles"]:
            yield (
                f"{key}.experiments: found the ensemble {name}; allowed: experiments, as an "
                f"ensemble has no {lacks} of its own"
            )
    folds = config["cross_validation"]["folds"]
    for fold in study["folds"] or ():
        if fold >= folds:
            yield (
                f"{key}.folds: found fold {fold}; allowed: 0 to {folds - 1}, as "
                f"cross_validation.folds is {folds}"
            )


def _files_alike(config: dict) -> Iterator[str]:
    """Yield the studies whose figures would have the name of others."""
    first: dict[str, str] = {}
    for dataset in config["datasets"]:
        for figure in OF_A_DATASET:
            first[f"{dataset}_{figure}".lower()] = f"the figure {figure} of {dataset}"
    for name, study in config["studies"].items():
        parts = ("", *OF_A_COMPARISON) if study["kind"] == "comparison" else ("",)
        for dataset in study["datasets"]:
            this = f"{name} of {dataset}"
            others = [first.setdefault(f"{dataset}_{name}{part}".lower(), this) for part in parts]
            if alike := [other for other in others if other != this]:
                yield (
                    f"studies.{name}: found a name by which its figure of {dataset} is called as "
                    f"{alike[0]}; allowed: another"
                )


def _without_thick_slices(config: dict) -> Iterator[str]:
    """Yield the studies of anisotropy that are of one thickness only."""
    for name, study in config["studies"].items():
        thick = any("thicken" in config["datasets"][one] for one in study["datasets"])
        if study["kind"] == "anisotropy" and not thick:
            yield (
                f"studies.{name}.datasets: found {', '.join(study['datasets'])}; allowed: at least "
                "one dataset with thick slices, of the kind thicken"
            )


def members(config: dict, models: Iterable[str]) -> list[str]:
    """Return the experiments among some models and those that their ensembles fuse."""
    experiments = (config["ensembles"].get(model, [model]) for model in models)
    wanted = {name for names in experiments for name in names}
    return [name for name in config["experiments"] if name in wanted]


def experiments_of(config: dict, dataset: str) -> list[str]:
    """Return the experiments that are planned on a dataset, in the order of the config."""
    studies = (study for study in config["studies"].values() if dataset in study["datasets"])
    return members(config, [model for study in studies for model in study["experiments"]])


def models_of(config: dict, dataset: str) -> list[str]:
    """Return the experiments and ensembles that are scored on a dataset, in the config's order.

    Members of an ensemble are among them, as they are trained and predict.
    """
    named = {model for study in _scoring(config, dataset) for model in study["experiments"]}
    fused = [name for name in config["ensembles"] if name in named]
    return [*members(config, named), *fused]


def runs_of(config: dict, dataset: str, model: str) -> list[Run]:
    """Return the folds and seeds that a model runs with on a dataset, those of all its studies."""
    found: dict[Run, None] = {}
    for study in _scoring(config, dataset):
        if model in study["experiments"] or model in members(config, study["experiments"]):
            found |= dict.fromkeys(product(study["folds"], study["seeds"]))
    return list(found)


def twins(config: dict, model: str) -> list[str]:
    """Return a model and the experiments that differ from it in planning.slice_axis alone.

    Where two of them slice the same axis of a dataset, their networks are the same to the byte. An
    ensemble has none but itself.
    """
    experiments = config["experiments"]
    if model not in experiments:
        return [model]

    def but_for_axis(name: str) -> dict:
        return experiments[name] | {"planning": {**experiments[name]["planning"], "slice_axis": 0}}

    alike = (name for name in experiments if but_for_axis(name) == but_for_axis(model))
    return list(dict.fromkeys([model, *alike]))


def twins_on(config: dict, study: dict, dataset: str) -> list[str]:
    """Return the models of a study, and twins of theirs, that run on a dataset as the study does.

    They have networks of all its folds and seeds there, whichever studies ask for them.
    """
    wanted = set(product(study["folds"], study["seeds"]))
    named = [twin for model in study["experiments"] for twin in twins(config, model)]
    return [twin for twin in dict.fromkeys(named) if wanted <= set(runs_of(config, dataset, twin))]


def palette(config: dict) -> list[str]:
    """Return all experiments and ensembles in the order in which figures give them colours.

    It is that in which they first stand in studies whose figures colour them, then that of the
    config: an experiment has one colour in all figures of a run.
    """
    colored = (one for one in config["studies"].values() if one["kind"] in COLORED)
    named = [model for study in colored for model in study["experiments"]]
    return list(dict.fromkeys([*named, *config["experiments"], *config["ensembles"]]))


def folds_of(config: dict, model: str) -> list[int]:
    """Return the folds that a model runs with on any dataset, sorted."""
    runs = [run for dataset in config["datasets"] for run in runs_of(config, dataset, model)]
    return sorted({fold for fold, _ in runs})


def main_study(config: dict, dataset: str) -> str | None:
    """Return the study whose experiments the figures of a dataset show.

    It is the first comparison, else the first that scores networks, else the first of all: what one
    figure shows has to be scored on the same folds.
    """
    names = [name for name, study in config["studies"].items() if dataset in study["datasets"]]
    kinds = ("comparison", *SCORING, "reading")
    return min(names, key=lambda name: kinds.index(config["studies"][name]["kind"]), default=None)


def _scoring(config: dict, dataset: str) -> list[dict]:
    """Return the studies that score networks on a dataset."""
    return [
        study
        for study in config["studies"].values()
        if dataset in study["datasets"] and study["kind"] in SCORING
    ]
