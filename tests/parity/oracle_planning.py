"""nnU-Net's half of planning.py: plans of fingerprints, by all its planners, and folds.

Takes a folder; writes plans.json, a list of runs with their inputs, and folds.json.
"""

import json
import sys
from pathlib import Path

from golden.record import planner_inputs, planner_output, preset_settings, split_runs


def main(folder: Path) -> None:
    """Plan for every fingerprint and setting that the golden files hold, anew."""
    inputs = {one["name"]: one for one in planner_inputs()}
    settings = [
        (name, "ExperimentPlanner", {"gpu_memory_target_in_gb": one["gpu_memory_gb"]})
        for name, one in inputs.items()
    ]
    runs = []
    for name, planner, changes in [*settings, *preset_settings()]:
        plans = planner_output(inputs[name], planner, **changes)
        runs.append({"inputs": inputs[name], "planner": planner, **changes, "plans": plans})
    (folder / "plans.json").write_text(json.dumps(runs))
    (folder / "folds.json").write_text(json.dumps(split_runs()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
