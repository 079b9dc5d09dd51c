"""The files of a small run, planned from raw scans, as write_methods reads them."""

from pathlib import Path

import write_methods
from chain import Chain, analyse, plan
from scans import write_dataset
from slicewise.config import load
from slicewise.files import read_json, write_json
from slicewise.hardware import machine
from slicewise.studies import runs_of
from slicewise.study_facts import RunFacts

GROUND = {"slicewise": {"version": "0.1.0", "commit": "a" * 40, "changed": []}, "python": "3.11.7"}


def write_run(folder: Path, shapes=((24, 20, 6),) * 4, **config) -> dict:
    """Plan the experiments of a config on a dataset called own; return arguments of write_methods.

    Where a config names other datasets, they have the same scans.
    """
    raw = write_dataset(folder / "raw", shapes)
    whole = load({"datasets": {"own": {"raw": str(raw.parent)}}, **config})
    chain = analyse(Chain(raw, folder))
    names, experiments = list(whole["datasets"]), list(whole["experiments"])
    models = [*experiments, *whole["ensembles"]]
    plans = []
    for name, experiment in whole["experiments"].items():
        plan(chain, slice_axis=experiment["planning"]["slice_axis"])
        plans.append(folder / f"{name}.json")
        write_json(plans[-1], read_json(chain.plan))
    steps = [{"name": "foreground", "labels": [1, 2], "kept": True}]
    write_json(folder / "postprocessing.json", {"steps": steps})
    record = GROUND | {
        "packages": {"torch": "2.13.0", "numpy": "2.4.6"},
        "machine": machine(),
        "trained_on": [{"device": "cpu", **machine()}],
        "config": whole,
        "runs": [
            {"dataset": name, "experiment": model, "fold": fold, "seed": seed}
            for name in names
            for model in models
            for fold, seed in runs_of(whole, name, model)
        ],
    }
    write_json(folder / "provenance.json", record)
    each = {"dataset_json": raw, "spacing": chain.spacing, "orientation": chain.orientation}
    each |= {"validation": chain.validation, "splits": chain.splits}
    return {
        "provenance": folder / "provenance.json",
        "datasets": names,
        "given_splits": [False] * len(names),
        **{kind: [path] * len(names) for kind, path in each.items()},
        "planned": [(name, experiment) for name in names for experiment in experiments],
        "plans": plans * len(names),
        "decided": [(name, model) for name in names for model in models],
        "postprocessing": [folder / "postprocessing.json"] * len(names) * len(models),
    }


def gather_run(folder: Path, **config) -> RunFacts:
    """Return the facts of what `write_run` writes."""
    arguments = write_run(folder, **config)
    files = ("dataset_json", "spacing", "orientation", "validation", "splits")
    return write_methods.gather(
        read_json(arguments["provenance"]),
        arguments["datasets"],
        arguments["given_splits"],
        {kind: arguments[kind] for kind in files},
        dict(zip(arguments["planned"], arguments["plans"], strict=True)),
        dict(zip(arguments["decided"], arguments["postprocessing"], strict=True)),
    )
