"""Record the golden files of this folder with nnU-Net itself.

Run it in an environment that holds nnunetv2 2.8.1 (`pip install nnunetv2==2.8.1`) and no other
part of this project:

    export PYTHONPATH=tests
    python tests/golden/record.py                 # everything
    python tests/golden/record.py ct planner      # some datasets, planner.json
    python tests/golden/record.py presets splits  # presets.json, which builds on planner.json

Every dataset of datasets.py goes through nnU-Net's own entry points: fingerprint extraction,
planning of all configurations (the golden plan keeps 2d), preprocessing for 2d and the
cross-validation split.
"""

import json
import os
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

from golden.datasets import RECIPES, case_names, golden_case_names, planner_files, save, write

GOLDEN = Path(__file__).parent
NNUNET = "2.8.1"
PACKAGES = ("nnunetv2", "batchgenerators", "numpy", "scipy", "scikit-image", "SimpleITK", "nibabel")
DATASET_ID = 1
FOLDERS = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")

CASE_LISTS = {
    "hippocampus": [f"hippocampus_{number:03d}" for number in range(1, 395, 3)],
    "unpadded": [f"case_{number}" for number in range(1, 24)],
    "letters": ["patientB", "patient_a", "Patient-C", "patient.d", "10", "9", "é"],
    "five": [f"s{number}" for number in range(5)],
}


def write_json(path: Path, content: object) -> None:
    """Write JSON; of a list, each element on a line of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, list):
        text = "[\n" + ",\n".join(json.dumps(element) for element in content) + "\n]"
    else:
        text = json.dumps(content, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def folders(dataset: str) -> tuple[Path, Path]:
    """Return the raw and the preprocessed folder of a dataset."""
    name = f"Dataset{DATASET_ID:03d}_{dataset}"
    return Path(os.environ["nnUNet_raw"], name), Path(os.environ["nnUNet_preprocessed"], name)


def only_2d(plans: dict) -> dict:
    """Return plans with no configuration but 2d."""
    return {**plans, "configurations": {"2d": plans["configurations"]["2d"]}}


def run_nnunet() -> None:
    """Run nnU-Net's own commands on the one dataset in its raw folder."""
    from nnunetv2.experiment_planning.plan_and_preprocess_api import (
        extract_fingerprints,
        plan_experiments,
        preprocess,
    )

    extract_fingerprints([DATASET_ID], num_processes=1, check_dataset_integrity=True)
    plan_experiments([DATASET_ID])
    preprocess([DATASET_ID], configurations=["2d"], num_processes=[1])


def keep(preprocessed: Path, target: Path, cases: list[str], kept: list[str]) -> None:
    """Keep the fingerprint, plan, folds of all `cases`, and the arrays of those `kept`."""
    from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2
    from nnunetv2.utilities.crossval_split import generate_crossval_split

    fingerprint = json.loads((preprocessed / "dataset_fingerprint.json").read_text())
    write_json(target / "dataset_fingerprint.json", fingerprint)
    plans = json.loads((preprocessed / "nnUNetPlans.json").read_text())
    write_json(target / "plans.json", only_2d(plans))
    splits = generate_crossval_split(list(np.sort(cases)))
    write_json(target / "splits_final.json", splits)
    arrays = nnUNetDatasetBlosc2(str(preprocessed / "nnUNetPlans_2d"))
    for case in kept:
        image, label, _, _ = arrays.load_case(case)
        np.save(target / f"{case}.npy", np.asarray(image[:], np.float32))
        np.save(target / f"{case}_seg.npy", np.asarray(label[:]).astype(np.int8))


def record_dataset(dataset: str) -> None:
    """Record the fingerprint, plan, folds and some preprocessed arrays of one dataset."""
    raw, preprocessed = folders(dataset)
    golden = GOLDEN / dataset
    shutil.rmtree(golden, ignore_errors=True)
    digest = write(dataset, raw)
    run_nnunet()
    versions = {package: version(package) for package in PACKAGES}
    write_json(golden / "source.json", {"voxels_sha256": digest, "versions": versions})
    keep(preprocessed, golden, case_names(dataset), golden_case_names(dataset))
    shutil.rmtree(raw)
    shutil.rmtree(preprocessed)


def random_fingerprint(
    name: str, random: np.random.RandomState, edges: tuple[int, int], gigabytes: list[int]
) -> dict:
    """Return the inputs of one planner run: a fingerprint and what else the planner looks at.

    edges: smallest and largest median size in voxels, but for the axis of the coarsest spacing.
    """
    spacing = np.exp(random.uniform(np.log(0.2), np.log(10), size=3))
    if random.uniform() < 0.5:
        spacing[random.permutation(3)[:2]] = min(spacing)
    shape = np.exp(random.uniform(*np.log(edges), size=3))
    shape[int(np.argmax(spacing))] = random.uniform(5, 200)
    cases = random.randint(1, 8)
    spacings = np.round(spacing * random.uniform(0.8, 1.25, size=(cases, 3)), 4)
    shapes = np.maximum(np.round(shape * random.uniform(0.8, 1.25, size=(cases, 3))), 2)
    return {
        "name": name,
        "spacings": spacings.tolist(),
        "shapes_after_crop": shapes.astype(int).tolist(),
        "median_relative_size_after_cropping": round(float(random.uniform(0.3, 1.0)), 3),
        "channels": [
            ["CT", "MRI", "noNorm", "zscore"][i] for i in random.randint(0, 4, random.randint(1, 5))
        ],
        "labels": int(random.randint(1, 30)),
        "cases": int(random.choice([1, 5, 20, 100, 500, 2000])),
        "gpu_memory_gb": int(random.choice(gigabytes)),
    }


def chosen_fingerprints() -> list[dict]:
    """Return planner inputs for branches that random ones seldom take."""
    common = {
        "median_relative_size_after_cropping": 1.0,
        "channels": ["MRI"],
        "labels": 2,
        "cases": 200,
        "gpu_memory_gb": 8,
    }
    grids = {
        "hippocampus": ([[1.0, 1.0, 1.0]], [[36, 50, 35]]),
        "natural images, one slice": ([[999.0, 1.0, 1.0]], [[1, 1024, 768]]),
        "patch reduced often": ([[5.0, 0.3, 0.3]], [[40, 1200, 1200]]),
        "narrow slices": ([[3.0, 0.4, 1.5]], [[60, 900, 24]]),
        "in-plane anisotropy above two": ([[6.0, 0.5, 2.0]], [[30, 512, 128]]),
        "in-plane anisotropy of exactly two": ([[6.0, 1.0, 0.5]], [[30, 128, 256]]),
        "smaller than the smallest feature map": ([[4.0, 1.0, 1.0]], [[20, 7, 6]]),
        "half voxels in the median": (
            [[3.0, 1.0, 1.0], [3.0, 1.0, 1.0]],
            [[20, 100, 90], [21, 101, 95]],
        ),
        "below the percentile's bound": (
            [[1.0, 1.2, 1.2], *[[8.0, 1.2, 1.2]] * 4],
            [[9, 200, 180]] * 5,
        ),
        "percentile": ([[s, 1.25, 1.25] for s in (5.0, 6.5, 8.0, 10.0, 10.0)], [[9, 216, 256]] * 5),
    }
    return [
        {"name": name, "spacings": spacings, "shapes_after_crop": shapes, **common}
        for name, (spacings, shapes) in grids.items()
    ]


def planner_output(inputs: dict, planner_name: str = "ExperimentPlanner", **settings) -> dict:
    """Run one of nnU-Net's planners on a fingerprint, with a raw dataset that it only looks at."""
    import torch
    from nnunetv2.experiment_planning.experiment_planners.residual_unets import (
        residual_encoder_unet_planners as planners,
    )

    raw, preprocessed = folders("planner")
    dataset_json, fingerprint = planner_files(inputs)
    write_json(raw / "dataset.json", dataset_json)
    write_json(preprocessed / "dataset_fingerprint.json", fingerprint)
    for channel in range(len(inputs["channels"])):
        voxels = np.ones((2, 2, 2), np.uint8)
        save(raw / f"imagesTr/case_{channel:04d}.nii.gz", voxels, np.eye(4))
    planner = getattr(planners, planner_name)(DATASET_ID, **settings)
    # No search for 3d_lowres, which takes minutes and which 2d does not depend on.
    planner.lowres_creation_threshold = 0
    # A planner builds networks only to count what they hold; on this device they hold no weights.
    with torch.device("meta"):
        planner.plan_experiment()
    plans = json.loads((preprocessed / f"{planner.plans_identifier}.json").read_text())
    shutil.rmtree(raw)
    shutil.rmtree(preprocessed)
    return only_2d(plans)


def planner_inputs() -> list[dict]:
    """Return what planners are run on: fingerprints made by hand, images of any size among them."""
    random = np.random.RandomState(20261123)
    inputs = chosen_fingerprints()
    for number in range(40):
        inputs.append(random_fingerprint(f"random {number}", random, (20, 1200), [4, 8, 24]))
    # Where two samples of the median size do not fit, the patch is reduced.
    for number in range(16):
        inputs.append(random_fingerprint(f"large {number}", random, (600, 2400), [1, 4, 8]))
    return inputs


def record_planner() -> None:
    """Record the default planner's plans."""
    runs = [
        {
            "inputs": inputs,
            "plans": planner_output(inputs, gpu_memory_target_in_gb=inputs["gpu_memory_gb"]),
        }
        for inputs in planner_inputs()
    ]
    write_json(GOLDEN / "planner.json", runs)


def preset_settings() -> list[tuple[str, str, dict]]:
    """Return runs of presets and of overwritten spacings: fingerprint, planner and its settings."""
    presets = [f"nnUNetPlannerResEnc{size}" for size in ("M", "L", "XL")]
    names = [inputs["name"] for inputs in planner_inputs()]
    large = names[-16:]
    random = np.random.RandomState(20261125)
    runs = [(name, preset, {}) for preset in presets for name in [*names[:20], *large[:6]]]
    for preset, gigabytes in zip(presets, ((4, 11), (8, 12), (24, 80)), strict=True):
        for target in gigabytes:
            some = [*names[20:24], *large[6:10]]
            runs += [(name, preset, {"gpu_memory_target_in_gb": target}) for name in some]
    for preset in ("ExperimentPlanner", *presets):
        for name in [*names[:5], *large[10:12]]:
            spacing = np.exp(random.uniform(np.log(0.4), np.log(6), size=3)).round(2)
            runs.append((name, preset, {"overwrite_target_spacing": spacing.tolist()}))
    return runs


def record_presets() -> None:
    """Record where plans of other settings differ from the default planner's in planner.json."""
    default = json.loads((GOLDEN / "planner.json").read_text())
    by_name = {run["inputs"]["name"]: run for run in default}
    runs = []
    for name, planner, settings in preset_settings():
        before = by_name[name]["plans"]
        after = planner_output(by_name[name]["inputs"], planner, **settings)
        top = {key: value for key, value in after.items() if value != before.get(key)}
        inside = top.pop("configurations")["2d"]
        base = before["configurations"]["2d"]
        runs.append(
            {
                "fingerprint": name,
                "planner": planner,
                **settings,
                "plans": top,
                "2d": {key: value for key, value in inside.items() if value != base.get(key)},
            }
        )
    write_json(GOLDEN / "presets.json", runs)


def split_runs() -> list[dict]:
    """Return the folds of lists of case names; five are nnU-Net's own number."""
    from nnunetv2.utilities.crossval_split import generate_crossval_split

    runs = []
    for cases in CASE_LISTS.values():
        for folds in (5, 3) if len(cases) > 5 else (5,):
            splits = generate_crossval_split(list(np.sort(cases)), n_splits=folds)
            runs.append({"cases": cases, "folds": folds, "splits": splits})
    return runs


def record_splits() -> None:
    """Record the folds of lists of case names."""
    write_json(GOLDEN / "splits.json", split_runs())


def main(names: list[str]) -> None:
    """Record what is named, or everything."""
    if version("nnunetv2") != NNUNET:
        raise SystemExit(f"found nnunetv2 {version('nnunetv2')}, the golden files need {NNUNET}")
    others = {"planner": record_planner, "presets": record_presets, "splits": record_splits}
    with tempfile.TemporaryDirectory() as root:
        os.environ.update({folder: f"{root}/{folder}" for folder in FOLDERS})
        for name in names or [*RECIPES, *others]:
            others[name]() if name in others else record_dataset(name)


if __name__ == "__main__":
    main(sys.argv[1:])
