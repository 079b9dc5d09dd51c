"""What a config asks for, in a few lines: how many networks are trained, and on what."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from slicewise import studies
from slicewise.runs import RunDataset


def of_run(
    module: str | None,
    config: dict,
    datasets: Mapping[str, RunDataset],
    missing: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return what a run consists of: datasets, experiments, and the networks to train for them.

    module: the name that another workflow takes slicewise in by, if one does; missing: datasets
    that were left out and the folders that are not there.
    """
    used = [name for name in config["datasets"] if studies.experiments_of(config, name)]
    lines = {
        "quick": "as when_quick says" if config["quick"] else "",
        "datasets": _datasets(used, config, datasets),
        "in no study": _datasets(set(config["datasets"]) - set(used), config, datasets),
        "left out": ", ".join(
            f"{name}, as there is no folder {folder}" for name, folder in missing.items()
        ),
        "experiments": ", ".join(config["experiments"]),
        "ensembles": ", ".join(
            f"{name} of {' and '.join(members)}" for name, members in config["ensembles"].items()
        ),
        "studies": _studies(config),
        "networks": _networks(config),
        "results": config["results"],
    }
    title = f"slicewise, as the module {module}" if module else "slicewise"
    return "\n".join([title, *(f"  {key + ':':13}{text}" for key, text in lines.items() if text)])


def _networks(config: dict) -> str:
    """Return how many networks are to be trained, for what, and for how long."""
    networks = [
        (dataset, model, *run)
        for dataset in config["datasets"]
        for model in studies.models_of(config, dataset)
        if model in config["experiments"] and not config["experiments"][model]["model"]["nnunet"]
        for run in studies.runs_of(config, dataset, model)
    ]
    if not networks:
        return "none to train"
    datasets, experiments, folds, seeds = map(set, zip(*networks, strict=True))
    trained = [config["experiments"][name]["training"] for name in experiments]
    epochs, iterations = (_range(trained, key) for key in ("epochs", "iterations_per_epoch"))
    return (
        f"{len(networks)}, of {_counted(datasets, 'dataset')}, "
        f"{_counted(experiments, 'experiment')}, {len(folds)} of "
        f"{config['cross_validation']['folds']} folds, {_counted(seeds, 'seed')}; "
        f"epochs: {epochs}, iterations in each: {iterations}"
    )


def _studies(config: dict) -> str:
    """Return the studies with what each is about, or nothing where one compares everything."""
    if list(config["studies"].values()) == [studies.of_everything(config)]:
        return ""
    return ", ".join(
        f"{name} ({study['kind'].replace('_', ' ')} of "
        f"{_counted(study['experiments'], 'experiment')} on "
        f"{_counted(study['datasets'], 'dataset')})"
        for name, study in config["studies"].items()
    )


def _datasets(names: Collection[str], config: dict, datasets: Mapping[str, RunDataset]) -> str:
    """Return datasets in the order of the config; those with thick slices only by their source."""
    chosen = {name: kind for name, kind in config["datasets"].items() if name in names}
    sources = [kind["thicken"]["of"] for kind in chosen.values() if "thicken" in kind]
    plain = [_dataset(name, config, datasets) for name in chosen if "thicken" not in chosen[name]]
    thick = [f"{sources.count(name)} of {name} thickened" for name in dict.fromkeys(sources)]
    return ", ".join([*plain, *thick])


def _dataset(name: str, config: dict, datasets: Mapping[str, RunDataset]) -> str:
    """Return a dataset with its number of cases, where that is known before an archive is open."""
    if "archive" in config["datasets"][name]:
        return f"{name} (an archive)"
    return f"{name} ({_counted(datasets[name].cases, 'case')})"


def _counted(things: Collection, noun: str) -> str:
    """Return how many things there are, in words."""
    return f"{len(things)} {noun}" + "s" * (len(things) != 1)


def _range(trained: list[dict], key: str) -> str:
    """Return a setting of several trainings: its value, or the smallest and the largest."""
    values = sorted({training[key] for training in trained})
    return f"{values[0]:,}" if len(values) == 1 else f"{values[0]:,} to {values[-1]:,}"
