"""What a config asks for, in a few lines: how many networks are trained, and on what."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from slicewise.runs import RunDataset


def of_run(module: str | None, config: dict, datasets: Mapping[str, RunDataset]) -> str:
    """Return what a run consists of: datasets, experiments, and the networks to train for them.

    module: the name that another workflow takes slicewise in by, if one does.
    """
    lines = {
        "datasets": ", ".join(_dataset(name, config, datasets) for name in config["datasets"]),
        "experiments": ", ".join(config["experiments"]),
        "ensembles": ", ".join(
            f"{name} of {' and '.join(members)}" for name, members in config["ensembles"].items()
        ),
        "networks": _networks(config),
        "results": config["results"],
    }
    title = f"slicewise, as the module {module}" if module else "slicewise"
    return "\n".join([title, *(f"  {key + ':':13}{text}" for key, text in lines.items() if text)])


def _networks(config: dict) -> str:
    """Return how many networks are to be trained, for what, and for how long."""
    parts, validation = config["experiments"].values(), config["cross_validation"]
    trained = [part["training"] for part in parts if not part["model"]["nnunet"]]
    if not trained:
        return "none to train"
    datasets, folds, seeds = config["datasets"], validation["run"], validation["seeds"]
    count = len(datasets) * len(trained) * len(folds) * len(seeds)
    epochs, iterations = (_range(trained, key) for key in ("epochs", "iterations_per_epoch"))
    return (
        f"{count}, of {_counted(datasets, 'dataset')}, {_counted(trained, 'experiment')}, "
        f"{len(folds)} of {validation['folds']} folds, {_counted(seeds, 'seed')}; "
        f"epochs: {epochs}, iterations in each: {iterations}"
    )


def _dataset(name: str, config: dict, datasets: Mapping[str, RunDataset]) -> str:
    """Return a dataset with its number of cases, where that is known before an archive is open."""
    kind = config["datasets"][name]
    if "archive" in config["datasets"].get(kind.get("thicken", {}).get("of"), kind):
        return f"{name} (an archive)"
    return f"{name} ({_counted(datasets[name].cases, 'case')})"


def _counted(things: Collection, noun: str) -> str:
    """Return how many things there are, in words."""
    return f"{len(things)} {noun}" + "s" * (len(things) != 1)


def _range(trained: list[dict], key: str) -> str:
    """Return a setting of several trainings: its value, or the smallest and the largest."""
    values = sorted({training[key] for training in trained})
    return f"{values[0]:,}" if len(values) == 1 else f"{values[0]:,} to {values[-1]:,}"
