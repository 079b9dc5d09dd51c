"""Parts of a run on many cases, each as a process of its own: what their scripts' `main` does.

Takes the name of a part, the raw dataset, our results of it, and a folder to write to.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

ALIKE = {"slice_axis": "coarsest", "slices": "all"}


def merge(raw: Path, results: Path, target: Path) -> None:
    """Make one validation, one fingerprint and one plan of all groups of cases."""
    import merge_fingerprint
    import plan_network
    import validate_dataset

    groups = sorted((results / "fingerprint").glob("group-*_problems.csv"))
    names = [path.name.removesuffix("_problems.csv") for path in groups]
    of = {
        kind: [results / "fingerprint" / f"{name}{kind}" for name in names]
        for kind in (".json", "_intensities.npy", "_extents.csv")
    }
    dataset_json, validation = raw / "dataset.json", target / "validation.csv"
    validate_dataset.main(
        dataset_json=dataset_json,
        problems=groups,
        analyses=of[".json"],
        unused_files=[],
        validation=validation,
    )
    made = {
        "fingerprint": target / "dataset_fingerprint.json",
        "spacing": target / "spacing.csv",
        "orientation": target / "orientation.json",
    }
    merge_fingerprint.main(
        validation=validation,
        dataset_json=dataset_json,
        analyses=of[".json"],
        intensities=of["_intensities.npy"],
        reorient="auto",
        **made,
    )
    (preprocessing,) = results.glob("arrays/*/preprocessing.json")
    plan_network.main(
        dataset_json=dataset_json,
        preprocessing=preprocessing,
        extents=of["_extents.csv"],
        planner="default",
        gpu_memory_gb=None,
        dataset_name="many",
        plans=None,
        plan=target / "plans.json",
        adequacy=target / "patch_adequacy.csv",
        **made,
    )


def known(raw: Path, results: Path) -> dict[str, Path]:
    """Return what scores are taken with."""
    return {
        "dataset_json": raw / "dataset.json",
        "splits": results / "splits_final.json",
        "fingerprint": results / "dataset_fingerprint.json",
        "orientation": results / "orientation.json",
    }


def evaluate(raw: Path, results: Path, target: Path) -> None:
    """Score a fold; the labels stand in for its predictions."""
    import evaluate_fold

    evaluate_fold.main(
        predictions=raw / "labelsTr",
        surface_tolerance_mm=1.0,
        dataset="many",
        experiment="coarsest",
        fold=0,
        seed=0,
        per_slice=target / "per_slice.csv",
        per_slice_parquet=target / "per_slice.parquet",
        per_case=target / "per_case.csv",
        summary=target / "summary.json",
        **ALIKE,
        **known(raw, results),
    )


def decide(raw: Path, results: Path, target: Path) -> None:
    """Decide on post-processing over all folds; the labels stand in for their predictions."""
    import decide_postprocessing

    runs = [(fold, 0) for fold in range(5)]
    decide_postprocessing.main(
        predictions=[raw / "labelsTr"] * len(runs),
        experiment="coarsest",
        runs=runs,
        largest_component="auto",
        postprocessing=target / "postprocessing.json",
        **ALIKE,
        **known(raw, results),
    )


def start(raw: Path, results: Path, target: Path) -> None:
    """Open the cases that a fold trains on, and draw the first batch."""
    import train_fold
    from slicewise.dataset import open_dataset
    from slicewise.plans import read_plan
    from slicewise.records import read_fold
    from slicewise.slices import open_cases

    (preprocessing,) = results.glob("arrays/*/preprocessing.json")
    plan = read_plan(results / "ours" / "plans.json")
    labels = open_dataset(raw / "dataset.json").labels
    settings = {
        "slices": "all",
        "empty_slices": None,
        "batch_size": 12,
        "oversample_foreground": 0.33,
        "augmentation": "default",
    }
    names = read_fold(results / "splits_final.json", 0, "train")["train"]
    cases = open_cases(preprocessing.parent, names)
    train_fold.make_batches("train", cases, plan, labels, settings, (0, 0)).batch(0)


def figures(raw: Path, results: Path, target: Path) -> None:
    """Draw the figures of the scores that `many.write_scores` wrote into the target."""
    import compare_experiments
    import plot_comparison
    import plot_dice_profile
    from benchmarks.many import EXPERIMENTS

    scores = {kind: sorted(target.glob(f"{kind}_*")) for kind in ("per_slice", "per_case")}
    alike = {"dataset": "many", "experiments": EXPERIMENTS, "confidence": 0.95, "resamples": 10_000}

    def drawn(name: str) -> dict:
        return {kind: target / f"{name}.{kind}" for kind in ("svg", "png", "pdf")}

    profile = {
        "palette": (),
        "table": target / "plot_dice_profile.csv",
        **drawn("plot_dice_profile"),
    }
    plot_dice_profile.main(bins=10, per_slice=scores["per_slice"], **profile, **alike)
    tables = {"table": target / "compared.csv", "pairs": target / "pairs.parquet"}
    tables |= {kind: target / f"{kind}.csv" for kind in ("empty", "seeds")}
    latex = {f"{kind}_tex": target / f"{kind}.tex" for kind in ("table", "empty", "seeds")}
    compare_experiments.main(study="scale", **tables, **latex, **scores, **alike)
    compared = {kind: tables[kind] for kind in ("table", "pairs")}
    plot_comparison.main(confidence=0.95, palette=(), **compared, **drawn("plot_comparison"))


PARTS = {part.__name__: part for part in (merge, evaluate, decide, start, figures)}


if __name__ == "__main__":
    logging.getLogger("slicewise").setLevel(logging.ERROR)
    PARTS[sys.argv[1]](*map(Path, sys.argv[2:]))
