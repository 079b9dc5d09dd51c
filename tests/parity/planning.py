"""Plans of fingerprints by every planner, memory target and own spacing; folds of case names."""

import json
from pathlib import Path

from chain import plan_of
from parity import oracle
from parity.comparison import Comparison
from parity.preprocessing import VALUES, differing
from slicewise.folds import split
from slicewise.planners import PLANNERS


def compare(oracle_python: Path, folder: Path, data: Path | None) -> list[Comparison]:
    """Compare the plans of each planner, and all folds."""
    oracle.run(oracle_python, "oracle_planning", folder)
    runs = json.loads((folder / "plans.json").read_text())
    folds = json.loads((folder / "folds.json").read_text())
    wrong = sum(differing(split(run["cases"], run["folds"]), run["splits"]) for run in folds)
    return [
        *(compare_planner(name, runs) for name in PLANNERS),
        Comparison(f"folds of {len(folds)} lists of case names", wrong, 0, VALUES),
    ]


def compare_planner(name: str, runs: list[dict]) -> Comparison:
    """Compare the plans of one planner on all fingerprints, memory targets and own spacings."""
    chosen = [run for run in runs if run["planner"] == PLANNERS[name].nnunet_name]
    wrong = 0
    for run in chosen:
        memory, spacing = map(run.get, ("gpu_memory_target_in_gb", "overwrite_target_spacing"))
        wrong += differing(plan_of(run["inputs"], name, memory, spacing), run["plans"])
    title = f"{len(chosen)} plans of fingerprints, planner {name}"
    return Comparison(title, wrong if chosen else float("nan"), 0, VALUES)
