"""The first stages of the workflow on a raw dataset, script by script, for tests."""

import json
from dataclasses import dataclass
from pathlib import Path

import analyze_cases
import export_cases
import merge_fingerprint
import plan_arrays
import plan_network
import split_folds
import validate_dataset
from golden.datasets import planner_files
from slicewise.dataset import Dataset, open_dataset
from slicewise.planners import PLANNERS

AS_STORED = {"reorient": False, "orientation": "RAS", "orientations": {"RAS": 1}}


@dataclass(frozen=True)
class Chain:
    """Where each stage reads and writes."""

    dataset_json: Path
    folder: Path

    def __getattr__(self, name: str) -> Path:
        tables = ("extents", "spacing", "adequacy", "validation")
        endings = {"intensities": ".npy"} | dict.fromkeys(tables, ".csv")
        return self.folder / f"{name}{endings.get(name, '.json')}"

    @property
    def arrays(self) -> Path:
        return self.folder / "arrays"

    @property
    def cases(self) -> list[str]:
        return open_dataset(self.dataset_json).cases()


def analyse(chain: Chain, groups: int = 1, reorient: str = "auto") -> Chain:
    """Run the spacing analysis in `groups` groups, and the validation that is part of it."""
    parts, problems = {"analyses": [], "intensities": []}, []
    for group in range(groups):
        problems.append(chain.folder / f"problems_{group}.csv")
        outputs = {
            "problems": problems[-1],
            "analysis": chain.folder / f"{group}.json",
            "intensities": chain.folder / f"{group}.npy",
            "extents": chain.folder / f"extents_{group}.csv",
        }
        analyze_cases.main(
            dataset_json=chain.dataset_json,
            cases=chain.cases[group::groups],
            reorient=reorient,
            **outputs,
        )
        parts["analyses"].append(outputs["analysis"])
        parts["intensities"].append(outputs["intensities"])
    validate_dataset.main(
        dataset_json=chain.dataset_json,
        problems=problems,
        analyses=parts["analyses"],
        unused_files=open_dataset(chain.dataset_json).unused_files(),
        reorient=reorient,
        validation=chain.validation,
    )
    merge_fingerprint.main(
        validation=chain.validation,
        dataset_json=chain.dataset_json,
        **parts,
        reorient=reorient,
        fingerprint=chain.fingerprint,
        spacing=chain.spacing,
        orientation=chain.orientation,
    )
    return chain


def plan(
    chain: Chain,
    slice_axis: str | int = "coarsest",
    plans=None,
    dataset_name: str = "Dataset001_Test",
    in_plane_order: str = "stored",
    planner: str = "default",
    overwrite_target_spacing: list[float] | None = None,
    patch_scale: float = 1.0,
) -> Chain:
    """Plan arrays, network and two folds."""
    plan_arrays.main(
        dataset_json=chain.dataset_json,
        fingerprint=chain.fingerprint,
        orientation=chain.orientation,
        slice_axis=slice_axis,
        in_plane_order=in_plane_order,
        overwrite_target_spacing=overwrite_target_spacing,
        plans=plans,
        preprocessing=chain.preprocessing,
    )
    plan_network.main(
        dataset_json=chain.dataset_json,
        fingerprint=chain.fingerprint,
        preprocessing=chain.preprocessing,
        orientation=chain.orientation,
        spacing=chain.spacing,
        extents=sorted(chain.folder.glob("extents_*.csv")),
        planner=planner,
        gpu_memory_gb=None,
        dataset_name=dataset_name,
        plans=plans,
        patch_scale=patch_scale,
        plan=chain.plan,
        adequacy=chain.adequacy,
    )
    split_folds.main(cases=chain.cases, folds=2, splits=chain.splits)
    return chain


def export(chain: Chain, cases: list[str] | None = None) -> Chain:
    """Export all cases, or some of them."""
    export_cases.main(
        dataset_json=chain.dataset_json,
        cases=cases or chain.cases,
        preprocessing=chain.preprocessing,
        orientation=chain.orientation,
        arrays=chain.arrays,
        manifest=chain.manifest,
    )
    return chain


def plan_of(inputs: dict, planner: str, gpu_memory_gb=None, overwrite_target_spacing=None) -> dict:
    """Return our plan of a recorded fingerprint, without what it holds of our own."""
    content, prints = planner_files(inputs)
    dataset = Dataset("dataset.json", content)
    arrays = plan_arrays.plan_arrays(
        dataset, prints, AS_STORED, "coarsest", overwrite_target_spacing=overwrite_target_spacing
    )
    plan = plan_network.plan_network(
        dataset, prints, arrays, PLANNERS[planner], gpu_memory_gb, "Dataset001_planner"
    )
    del plan["slicewise"]
    return json.loads(json.dumps(plan))
