"""slicewise against files recorded from nnU-Net: see golden/record.py.

Each dataset takes a branch of its own (golden/datasets.py says which) and goes through our scripts
from the raw files to the arrays once; each test then holds one fact of it to nnU-Net's.
"""

import json
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import split_folds
from chain import Chain, analyse, export, plan, plan_of
from golden import datasets
from slicewise.files import read_json
from slicewise.planners import PLANNERS

GOLDEN = Path(__file__).parent / "golden"

STATISTICS = "foreground_intensity_properties_per_channel"
EXPORTED = [(name, case) for name in datasets.RECIPES for case in datasets.golden_case_names(name)]

by_dataset = pytest.mark.parametrize("name", datasets.RECIPES)
by_case = pytest.mark.parametrize(("name", "case"), EXPORTED)


@cache
def recorded(*parts: str):
    """Return the content of a golden file: JSON or an array."""
    path = GOLDEN.joinpath(*parts)
    if path.suffix == ".npy":
        return np.load(path, allow_pickle=False)
    return json.loads(path.read_text(encoding="utf-8"))


def configuration(plan: dict) -> dict:
    return plan["configurations"]["2d"]


def outline(plan: dict) -> dict:
    """Return the top-level keys of a plan, but for our own, the statistics and configurations."""
    apart = ("slicewise", STATISTICS, "configurations")
    return {key: value for key, value in plan.items() if key not in apart}


def run_pipeline(name: str, folder: Path) -> SimpleNamespace:
    """Run our scripts on a dataset, from raw files to arrays, in two groups of cases."""
    digest = datasets.write(name, folder / "raw")
    chain = analyse(Chain(folder / "raw/dataset.json", folder), groups=2)
    plan(chain, dataset_name=recorded(name, "plans.json")["dataset_name"])
    export(chain, datasets.golden_case_names(name))
    return SimpleNamespace(
        digest=digest,
        cases=chain.cases,
        fingerprint=read_json(chain.fingerprint),
        plan=read_json(chain.plan),
        arrays=chain.arrays,
    )


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """Return a function that runs the pipeline on a dataset, once for all tests of the module."""
    return cache(lambda name: run_pipeline(name, tmp_path_factory.mktemp(name)))


@by_dataset
def test_the_generator_makes_the_recorded_voxels(name, pipeline):
    assert pipeline(name).digest == recorded(name, "source.json")["voxels_sha256"]


@by_dataset
def test_the_fingerprint_has_the_same_keys(name, pipeline):
    ours, theirs = pipeline(name).fingerprint, recorded(name, "dataset_fingerprint.json")
    assert set(ours) == set(theirs)
    assert set(ours[STATISTICS]["0"]) == set(theirs[STATISTICS]["0"])


@by_dataset
@pytest.mark.parametrize(
    "key", ["spacings", "shapes_after_crop", "median_relative_size_after_cropping"]
)
def test_the_fingerprint_is_equal(name, key, pipeline):
    assert pipeline(name).fingerprint[key] == recorded(name, "dataset_fingerprint.json")[key]


@by_dataset
def test_intensity_statistics_are_equal_to_float32_rounding(name, pipeline):
    ours, theirs = pipeline(name).fingerprint, recorded(name, "dataset_fingerprint.json")
    assert ours[STATISTICS] == {
        channel: pytest.approx(statistics, rel=1e-5)
        for channel, statistics in theirs[STATISTICS].items()
    }


@by_dataset
def test_the_plan_is_equal_above_its_configurations(name, pipeline):
    assert outline(pipeline(name).plan) == outline(recorded(name, "plans.json"))


@by_dataset
def test_configuration_2d_is_equal(name, pipeline):
    assert configuration(pipeline(name).plan) == configuration(recorded(name, "plans.json"))


@by_dataset
def test_the_plan_holds_the_statistics_of_the_fingerprint(name, pipeline):
    assert pipeline(name).plan[STATISTICS] == pipeline(name).fingerprint[STATISTICS]


@by_dataset
def test_the_keys_of_a_plan_are_nnunets_and_slicewise(name, pipeline):
    assert set(pipeline(name).plan) - {"slicewise"} == set(recorded(name, "plans.json"))


@by_dataset
def test_folds_of_a_dataset_are_equal(name, pipeline, tmp_path):
    split_folds.main(cases=pipeline(name).cases, folds=5, splits=tmp_path / "splits_final.json")
    ours = json.loads((tmp_path / "splits_final.json").read_text())
    assert ours == recorded(name, "splits_final.json")


@by_case
def test_exported_labels_are_equal(name, case, pipeline):
    ours = np.load(pipeline(name).arrays / f"{case}_seg.npy", allow_pickle=False)
    np.testing.assert_array_equal(ours, recorded(name, f"{case}_seg.npy")[0])


@by_case
def test_exported_images_are_equal_to_float32_rounding(name, case, pipeline):
    ours = np.load(pipeline(name).arrays / f"{case}.npy", allow_pickle=False)
    theirs = recorded(name, f"{case}.npy").swapaxes(0, 1)
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    assert np.abs(ours - theirs).max() <= 1e-5 * max(1, theirs.std())


@pytest.mark.parametrize(
    "run", recorded("splits.json"), ids=lambda run: f"{run['cases'][0]}-{run['folds']}"
)
def test_folds_of_a_list_of_names_are_equal(run, tmp_path):
    split_folds.main(cases=run["cases"], folds=run["folds"], splits=tmp_path / "splits.json")
    assert json.loads((tmp_path / "splits.json").read_text()) == run["splits"]


@pytest.mark.parametrize("run", recorded("planner.json"), ids=lambda run: run["inputs"]["name"])
def test_plans_of_a_fingerprint_are_equal(run):
    inputs = run["inputs"]
    assert plan_of(inputs, "default", inputs["gpu_memory_gb"]) == run["plans"]


@pytest.mark.parametrize("name", PLANNERS)
def test_plans_of_other_planners_targets_and_spacings_are_equal(name):
    default = {run["inputs"]["name"]: run for run in recorded("planner.json")}
    runs = [run for run in recorded("presets.json") if run["planner"] == PLANNERS[name].nnunet_name]
    assert runs
    for run in runs:
        base = default[run["fingerprint"]]
        expected = {
            **base["plans"],
            **run["plans"],
            "configurations": {"2d": {**configuration(base["plans"]), **run["2d"]}},
        }
        memory, spacing = map(run.get, ("gpu_memory_target_in_gb", "overwrite_target_spacing"))
        assert plan_of(base["inputs"], name, memory, spacing) == expected, run["fingerprint"]


@pytest.mark.parametrize("name", PLANNERS)
def test_the_records_of_a_planner_hold_other_patches_and_turned_axes(name):
    runs = [run for run in recorded("presets.json") if run["planner"] == PLANNERS[name].nnunet_name]
    assert any("patch_size" in run["2d"] for run in runs)
    assert any("transpose_forward" in run["plans"] for run in runs)
