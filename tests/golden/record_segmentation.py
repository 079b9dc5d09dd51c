"""Record what nnU-Net makes of logits: grids, ensembles and post-processing, as segmentation/*.

Run it in an environment with nnunetv2 2.8.1: `python tests/golden/record_segmentation.py`.
Inputs come from the frozen legacy stream of numpy's RandomState and exact fractions, so that they
are made anew where the recorded files are tested against.
"""

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import nibabel as nib
import numpy as np

FOLDER = Path(__file__).parent / "segmentation"
PLAIN = {"background": 0, "a": 1, "b": 2}
REGIONS = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "dot": 3}
ORDER = [1, 2, 3]
RESAMPLING = {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None}


@dataclass(frozen=True)
class Grid:
    """The grid of a file and of the plan that its logits lie on.

    shape and spacing (mm): the file's, (z, y, x); forward: axes with the sliced one in front; box
    and exported: the crop and the shape of the logits, (slice, row, column); target: mm (row,
    column) of the plan.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    forward: tuple[int, int, int]
    box: tuple[tuple[int, int], ...]
    exported: tuple[int, int, int]
    target: tuple[float, float]
    labels: dict = field(default_factory=lambda: PLAIN)

    @property
    def transposed_shape(self) -> tuple[int, ...]:
        return tuple(self.shape[axis] for axis in self.forward)

    @property
    def transposed_spacing(self) -> tuple[float, ...]:
        return tuple(self.spacing[axis] for axis in self.forward)


GRIDS = {
    "as_exported": Grid(
        (3, 7, 6), (1, 1, 1), (0, 1, 2), ((0, 3), (0, 7), (0, 6)), (3, 7, 6), (1.0, 1.0)
    ),
    "cropped": Grid(
        (4, 9, 8), (3, 1, 1), (0, 1, 2), ((1, 4), (0, 7), (2, 8)), (3, 7, 6), (1.0, 1.0), REGIONS
    ),
    "resampled": Grid(
        (5, 12, 10), (1.5, 1, 1), (1, 0, 2), ((2, 11), (0, 5), (1, 9)), (9, 6, 7), (1.25, 1.15)
    ),
    "anisotropic": Grid(
        (9, 10, 5), (1, 1.2, 5), (2, 0, 1), ((1, 5), (2, 9), (0, 10)), (4, 9, 13), (0.8, 0.9)
    ),
    "anisotropic_regions": Grid(
        (9, 10, 5),
        (1, 1.2, 5),
        (2, 0, 1),
        ((0, 4), (1, 9), (3, 10)),
        (4, 6, 8),
        (1.3, 1.05),
        REGIONS,
    ),
}


def logits_of(name: str) -> np.ndarray:
    """Return logits on the plan's grid: float32 (output, slice, row, column)."""
    grid = GRIDS[name]
    random = np.random.RandomState(list(GRIDS).index(name))
    whole = random.randint(-4096, 4097, size=(3, *grid.exported))
    return (whole / 1024).astype(np.float32)


def members_of(labels: dict) -> list[np.ndarray]:
    """Return the probabilities of three members: float32 (output, z, y, x)."""
    random = np.random.RandomState(7)
    members = random.randint(0, 1024, size=(3, 3, 3, 5, 4)).astype(np.float32)
    if labels is REGIONS:
        return list(members / np.float32(1024))
    return [member / member.sum(0) for member in members]


@dataclass(frozen=True)
class Scenario:
    """Made-up cases for post-processing: boxes, each a label and its slices in (i, j, k).

    truth and strays: boxes of every case, strays only in the prediction, over the truth; noise:
    cases of random labels instead.
    """

    labels: dict
    truth: tuple = ()
    strays: tuple = ()
    noise: int = 0
    order: list[int] | None = None


def _box(label: int, *edges: int) -> tuple[int, tuple[slice, ...]]:
    starts, sizes = edges[:3], edges[3:]
    return label, tuple(slice(a, a + n) for a, n in zip(starts, sizes, strict=True))


BODY = (_box(1, 1, 1, 1, 4, 6, 3), _box(2, 2, 2, 2, 2, 3, 1))
SCENARIOS = {
    "strays": Scenario(PLAIN, BODY, (_box(1, 7, 9, 0, 1, 2, 1), _box(2, 0, 10, 4, 2, 1, 1))),
    "two_true_parts": Scenario(
        PLAIN,
        (*BODY, _box(2, 6, 8, 2, 2, 3, 2)),
        (_box(1, 7, 0, 4, 1, 1, 1), _box(1, 0, 11, 0, 1, 1, 1)),
    ),
    "gain_and_loss": Scenario(
        PLAIN, (*BODY, _box(2, 7, 10, 4, 1, 1, 1)), (_box(1, 7, 0, 0, 1, 4, 5),) * 2
    ),
    "inside": Scenario(PLAIN, BODY, (_box(2, 4, 6, 3, 1, 1, 1),)),
    "touches_at_a_corner": Scenario(PLAIN, BODY, (_box(1, 5, 7, 4, 1, 1, 1),)),
    "equal_parts": Scenario(
        PLAIN, (_box(1, 0, 0, 0, 2, 2, 2), _box(2, 4, 4, 2, 2, 1, 1)), (_box(1, 6, 9, 3, 2, 2, 2),)
    ),
    "one_class": Scenario(
        {"background": 0, "a": 1}, (_box(1, 1, 1, 1, 4, 6, 3),), (_box(1, 7, 10, 4, 1, 1, 1),)
    ),
    "ignored_strays": Scenario(
        {**PLAIN, "ignore": 3},
        (*BODY, _box(3, 6, 8, 0, 2, 4, 5)),
        (_box(1, 7, 9, 0, 1, 1, 1), _box(2, 6, 9, 4, 1, 1, 1)),
    ),
    "absent_class": Scenario(
        {**PLAIN, "c": 3}, BODY, (_box(1, 7, 9, 0, 1, 1, 1), _box(2, 7, 11, 4, 1, 1, 1))
    ),
    "regions": Scenario(
        REGIONS,
        (*BODY, _box(3, 2, 3, 2, 1, 1, 1)),
        (_box(3, 4, 6, 3, 1, 1, 1), _box(2, 7, 10, 4, 1, 1, 1), _box(2, 1, 5, 1, 1, 1, 1)),
        order=ORDER,
    ),
    "noise": Scenario({**PLAIN, "c": 3}, noise=4),
    "noise_in_regions": Scenario(REGIONS, noise=5, order=ORDER),
    "noise_and_ignore": Scenario({**PLAIN, "ignore": 3}, noise=3),
}


def volumes(name: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return truth and prediction of each case of a scenario: uint8 (i, j, k)."""
    scenario = SCENARIOS[name]
    if scenario.noise:
        return _noise(scenario)
    cases = {}
    for number in range(2):
        truth = np.zeros((8, 12, 5), np.uint8)
        for label, box in scenario.truth:
            truth[box] = label
        known = np.where(truth == scenario.labels.get("ignore"), 0, truth)
        prediction = known.astype(np.uint8)
        for label, box in scenario.strays[number:]:
            prediction[box] = label
        cases[f"case_{number}"] = truth, prediction
    return cases


def _noise(scenario: Scenario) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return cases with a large part of each label and many small ones, most of them wrong."""
    cases = {}
    random = np.random.RandomState(scenario.noise)
    for number in range(scenario.noise):
        truth = np.zeros((8, 12, 5), np.uint8)
        for label in (1, 2, 3):
            start = random.randint(0, 4, size=3)
            truth[tuple(slice(a, a + 3) for a in start)] = label
        speckle = random.randint(0, 12, size=truth.shape)
        drawn = random.randint(0, 3, size=truth.shape)
        prediction = np.where(speckle == 0, drawn, np.where(truth == 3, 1, truth))
        if "ignore" not in scenario.labels:
            prediction = np.where(speckle == 1, 3, np.where(truth == 3, truth, prediction))
        cases[f"case_{number}"] = truth, prediction.astype(np.uint8)
    return cases


def label_manager(labels: dict, order: list[int] | None):
    """Return nnU-Net's label manager of some labels."""
    from nnunetv2.utilities.label_handling.label_handling import LabelManager

    return LabelManager(labels, order if order or labels is not REGIONS else ORDER)


def record_grids() -> None:
    """Record segmentation and probabilities of every grid, (z, y, x) as nnU-Net returns them."""
    from nnunetv2.inference.export_prediction import (
        convert_predicted_logits_to_segmentation_with_correct_shape as convert,
    )
    from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg_to_shape

    arrays = {}
    for name, grid in GRIDS.items():
        configuration = SimpleNamespace(
            spacing=list(grid.target),
            resampling_fn_probabilities=lambda *a: resample_data_or_seg_to_shape(*a, **RESAMPLING),
        )
        properties = {
            "spacing": list(grid.spacing),
            "shape_before_cropping": grid.transposed_shape,
            "bbox_used_for_cropping": [list(edge) for edge in grid.box],
            "shape_after_cropping_and_before_resampling": [b - a for a, b in grid.box],
        }
        plans = SimpleNamespace(
            transpose_forward=list(grid.forward),
            transpose_backward=[grid.forward.index(axis) for axis in range(3)],
        )
        segmentation, probabilities = convert(
            logits_of(name),
            plans,
            configuration,
            label_manager(grid.labels, None),
            properties,
            return_probabilities=True,
        )
        arrays |= {f"{name}/segmentation": segmentation, f"{name}/probabilities": probabilities}
    np.savez_compressed(FOLDER / "grids.npz", **arrays)


def record_ensembles() -> None:
    """Record the mean probabilities of three members and the segmentation they decide on."""
    from nnunetv2.ensembling.ensemble import average_probabilities

    arrays = {}
    for name, labels in (("plain", PLAIN), ("regions", REGIONS)):
        with tempfile.TemporaryDirectory() as folder:
            files = [f"{folder}/{i}.npz" for i in range(3)]
            for path, member in zip(files, members_of(labels), strict=True):
                np.savez(path, probabilities=member)
            mean = average_probabilities(files)
        segmentation = label_manager(labels, None).convert_probabilities_to_segmentation(mean)
        arrays |= {f"{name}/mean": mean, f"{name}/segmentation": segmentation.astype(np.uint8)}
    np.savez_compressed(FOLDER / "ensembles.npz", **arrays)


class SerialPool:
    """Stands in for a pool of processes, each of which would import nnU-Net anew."""

    def __init__(self, _processes: int):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def starmap(self, function, arguments):
        """Call a function with each of some arguments."""
        return [function(*one) for one in arguments]


def record_postprocessing() -> None:
    """Record for every scenario the steps that were kept and the Dice before and after."""
    from nnunetv2.postprocessing.remove_connected_components import determine_postprocessing

    plan = json.loads((FOLDER.parent / "cropped/plans.json").read_text())
    plan["image_reader_writer"] = "NibabelIO"
    recorded = {}
    for name, scenario in SCENARIOS.items():
        content = {"labels": scenario.labels, "file_ending": ".nii.gz"}
        if scenario.order:
            content["regions_class_order"] = scenario.order
        with tempfile.TemporaryDirectory() as folder:
            for case, pair in volumes(name).items():
                for part, voxels in zip(("truth", "predictions"), pair, strict=True):
                    path = Path(folder, part, f"{case}.nii.gz")
                    path.parent.mkdir(exist_ok=True)
                    nib.save(nib.Nifti1Image(voxels, np.diag([1.0, 1.0, 4.0, 1.0])), path)
            serial = SimpleNamespace(Pool=SerialPool)
            with mock.patch("multiprocessing.get_context", return_value=serial):
                folders = (f"{folder}/predictions", f"{folder}/truth")
                determine_postprocessing(*folders, plan, content, num_processes=1)
            decided = json.loads(Path(folder, "predictions/postprocessing.json").read_text())
        recorded[name] = {
            "kept": [step["labels_or_regions"] for step in decided["postprocessing_kwargs"]],
            **{
                ours: {
                    "foreground_mean": decided[theirs]["foreground_mean"]["Dice"],
                    "mean": {key: row["Dice"] for key, row in decided[theirs]["mean"].items()},
                }
                for ours, theirs in (("before", "input_folder"), ("after", "postprocessed"))
            },
        }
    (FOLDER / "postprocessing.json").write_text(json.dumps(recorded, indent=1) + "\n")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    record_grids()
    record_ensembles()
    record_postprocessing()
