"""The stages of the benchmark: what they run, and how they see that outputs differ."""

import importlib
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import yaml

from benchmark_runs import measured, runs_of
from benchmarks import data, evaluation, measuring, patches, pipeline, prediction, run, training
from benchmarks.lines import STAGES, Result, lines_of
from benchmarks.measuring import Run
from benchmarks.programs import THEIRS, Bench, Scans, in_turn
from scans import write_dataset
from slicewise.config import load
from slicewise.dataset import open_dataset
from slicewise.files import write_json, write_nifti

pytestmark = pytest.mark.skipif(not measuring.LINUX, reason="memory is read from /proc")


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_can_be_measured_and_has_lines(name):
    assert callable(importlib.import_module(f"benchmarks.{name}").measure)
    assert lines_of(name)


def program(monkeypatch, tmp_path, outcome):
    """Run the program with one stage whose results are `outcome`; return its exit code."""

    def measure(bench):
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(patches, "measure", measure)
    given = ["--nnunet", sys.executable, "--results", str(tmp_path), "patches"]
    return run.main(given)


GOOD = Result(
    lines_of("patches")["hippocampus-crop"], runs_of([(measured(amount=1, seconds=1),) * 2])
)


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        ([GOOD], 0),
        ([Result(GOOD.line)], 0),
        ([Result(GOOD.line, GOOD.runs, fault="shapes differ")], 1),
        (RuntimeError("nnunetv2 is not there"), 1),
    ],
)
def test_the_exit_code_is_one_where_outputs_differ_or_a_stage_breaks_down(
    outcome, code, monkeypatch, tmp_path, capsys
):
    assert program(monkeypatch, tmp_path, outcome) == code
    frame = pd.read_csv(tmp_path / "patches.csv")
    assert len(frame) == (4 if isinstance(outcome, list) and outcome[0].runs else 0)
    assert (tmp_path / "summary.csv").exists()
    printed = capsys.readouterr()
    assert ("times as fast" in printed.out) == (outcome == [GOOD])


def test_what_a_stage_measured_before_it_broke_down_is_kept(monkeypatch, tmp_path):
    def outcome():
        yield GOOD
        raise RuntimeError("the disk is full")

    assert program(monkeypatch, tmp_path, outcome()) == 1
    status = pd.read_csv(tmp_path / "summary.csv").query("stage == 'patches'")["status"]
    assert status.tolist() == ["measured", "failed", "failed", "failed"]


def test_an_unknown_stage_is_refused(capsys):
    with pytest.raises(SystemExit):
        run.main(["--nnunet", "python", "elsewhere"])
    assert "found elsewhere, expected of preparation, " in capsys.readouterr().err


def test_patches_that_differ_beyond_chance_are_a_fault():
    theirs = {"shapes": [[1, 2], [2]], "mean": 0.0, "sd": 1.0, "foreground": 0.1}
    theirs |= {"contrast_spread": 0.117, "roughness": 0.309}
    assert patches.fault_of(theirs, theirs, []) == ""
    assert "sd 1.2" in patches.fault_of(theirs, theirs | {"sd": 1.2}, [])
    # hippocampus patches that are not augmented
    assert "contrast_spread" in patches.fault_of(theirs, theirs | {"contrast_spread": 0.075}, [])
    assert "roughness" in patches.fault_of(theirs, theirs | {"roughness": 0.354}, [])
    assert "shapes" in patches.fault_of(theirs, theirs | {"shapes": [[1, 2], [3]]}, [])
    assert "foreground nan" in patches.fault_of(theirs, theirs | {"foreground": float("nan")}, [])


@pytest.mark.parametrize("name", ["first", "last"])
def test_losses_that_differ_are_a_fault(name):
    losses = {"first": 0.9, "last": 0.8}

    def fault(told):
        return training.fault_of([Run("nnunet", "", 0, measured(**losses)), told])

    assert fault(Run("slicewise", "", 0, measured(**losses))) == ""
    for wrong in (0.81, float("nan")):
        other = Run("slicewise", "", 0, measured(**losses | {name: wrong}))
        assert f"{name} loss" in fault(other)


def scans_of(tmp_path):
    """Return a dataset of three scans with labels 0 to 2, the first two held out."""
    scans = Scans(Bench(tmp_path, tmp_path, None, 1, 1), tmp_path, "Dataset005_Any")
    write_dataset(scans.raw, [(8, 9, 5)] * 3)
    splits = [{"train": ["case_02"], "val": ["case_00", "case_01"]}]
    write_json(scans.results / "splits_final.json", splits)
    return scans


def put_labels(scans, folder, change=None):
    """Write the true labels of the validation scans, `change` done to that of the last."""
    folder.mkdir(parents=True)
    for case in scans.held_out:
        truth = nib.load(scans.raw / "labelsTr" / f"{case}.nii.gz")
        voxels = np.asarray(truth.dataobj).astype(np.uint8)
        if change and case == scans.held_out[-1]:
            voxels = change(voxels)
        write_nifti(folder / f"{case}.nii.gz", nib.Nifti1Image(voxels, truth.affine))


def unknown_label(voxels):
    voxels[0, 0, 0] = 77
    return voxels


@pytest.mark.parametrize(
    ("change", "bad"),
    [(None, []), (unknown_label, ["case_01"]), (lambda voxels: voxels[:-1], ["case_01"])],
)
def test_predictions_of_other_labels_or_shapes_are_at_fault(change, bad, tmp_path):
    scans = scans_of(tmp_path)
    put_labels(scans, scans.fold / "predictions", change)
    assert pipeline.bad_predictions(scans, scans.fold / "predictions") == bad
    assert pipeline.bad_predictions(scans, tmp_path / "nowhere") == ["case_00", "case_01"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (None, ""),
        (np.zeros_like, "voxels differ, of"),
        (lambda voxels: voxels[:-1], "case_01.nii.gz has shape (7, 9, 5)"),
    ],
)
def test_segmentations_that_differ_are_a_fault(change, fault, tmp_path):
    scans = scans_of(tmp_path)
    (tmp_path / "images").mkdir()
    for case in scans.held_out:
        (tmp_path / "images" / f"{case}_0000.nii.gz").touch()
    put_labels(scans, tmp_path / "predicted")
    put_labels(scans, scans.results / THEIRS / "predicted", change)
    found = prediction.fault_of(scans, [])
    assert fault in found
    assert bool(found) == bool(fault)


def test_scores_that_differ_are_a_fault(tmp_path):
    scans = scans_of(tmp_path)

    def summary(dice):
        cases = [{"reference_file": f"{tmp_path}/a.nii.gz", "metrics": {"1": {"Dice": dice}}}]
        return {"metric_per_case": cases}

    write_json(tmp_path / "summary.json", summary(0.5))
    write_json(scans.fold / "summary.json", summary(0.5))
    assert evaluation.fault_of(scans, []) == ""
    write_json(scans.fold / "summary.json", summary(0.6))
    assert evaluation.fault_of(scans, []) == "1 values of summary.json"


def test_the_generated_scans_are_anisotropic_and_the_same_each_time(tmp_path):
    bench = Bench(tmp_path, tmp_path, None, 1, 1)
    image, label, spacing = data.anisotropic_scan(np.random.default_rng(0))
    again, *_ = data.anisotropic_scan(np.random.default_rng(0))
    np.testing.assert_array_equal(image, again)
    assert all(171 < side * spacing[0] < 184 for side in image.shape[:2])
    assert 20 <= image.shape[2] <= 24
    assert spacing[2] / spacing[0] > 3
    assert set(np.unique(label)) == {0, 1, 2, 3}
    assert data.hippocampus(bench) is None


def test_a_smaller_dataset_links_to_the_first_scans(tmp_path):
    write_dataset(tmp_path / "all", [(8, 9, 5)] * 3)
    data.take_some(tmp_path / "all", tmp_path / "some", 2)
    some = open_dataset(tmp_path / "some" / "dataset.json")
    assert list(some.cases()) == ["case_00", "case_01"]
    assert all(path.is_symlink() for path in map(Path, some.case("case_00").files))
    assert some.content["numTraining"] == 2


PASSES = """
import torch
network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
for _ in range(3):
    network(torch.zeros(1, 2))
"""


THREADS = """
import torch
from concurrent.futures import ThreadPoolExecutor
network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
with ThreadPoolExecutor(4) as pool:
    list(pool.map(network, [torch.zeros(1, 2)] * 8))
"""


def test_passes_through_a_network_leave_stamps_in_any_process(tmp_path):
    environment = os.environ | {
        "PYTHONPATH": str(prediction.STAMPS),
        "BENCHMARK_STAMPS": str(tmp_path),
    }
    before = time.monotonic()
    subprocess.run([sys.executable, "-c", PASSES], env=environment, check=True)
    subprocess.run([sys.executable, "-c", "pass"], env=environment, check=True)
    assert len(list(tmp_path.iterdir())) == 1
    begins, ends = prediction.stamps_in(tmp_path)
    # of three passes through the network, none of its layers
    assert len(begins) == len(ends) == 3
    times = [before, *itertools.chain(*zip(begins, ends, strict=True)), time.monotonic()]
    assert times == sorted(times)


def test_threads_that_start_together_leave_one_file_and_the_end_of_each_pass(tmp_path):
    environment = os.environ | {
        "PYTHONPATH": str(prediction.STAMPS),
        "BENCHMARK_STAMPS": str(tmp_path),
    }
    subprocess.run([sys.executable, "-c", THREADS], env=environment, check=True)
    assert len(list(tmp_path.iterdir())) == 1
    begins, ends = prediction.stamps_in(tmp_path)
    assert len(ends) == 8
    assert begins[0] < ends[0]


def test_our_workflow_gets_the_cores_of_the_benchmark_and_what_a_stage_sets(tmp_path):
    scans = Scans(Bench(tmp_path, tmp_path, None, 1, 3), tmp_path, "Dataset005_Any")
    command = scans.snakemake({"training": {"epochs": 7}}, "predict")
    assert command[command.index("--cores") + 1] == 3
    config = load(yaml.safe_load(Path(command[-1]).read_text()))
    assert config["training"]["epochs"] == 7
    assert config["training"]["threads"] == 3
    assert config["training"]["device"] == "cpu"
    assert "predict" in command


def test_commands_in_turn_stop_at_the_first_that_fails(tmp_path):
    write = [sys.executable, "-c", "import sys; open(sys.argv[1], 'w')"]
    fail = [sys.executable, "-c", "raise SystemExit('not enough memory')"]
    first, last = tmp_path / "a file", tmp_path / "another"
    command = in_turn([*write, first], fail, [*write, last])
    with pytest.raises(RuntimeError, match="not enough memory"):
        measuring.run(command, os.environ, tmp_path / "log")
    assert first.exists()
    assert not last.exists()


def test_the_environment_keeps_compiled_modules_for_both(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    scans = Scans(Bench(tmp_path, tmp_path, None, 1, 2), tmp_path, "Dataset005_Any")
    environment = scans.environment(threads=1)
    assert "PYTHONDONTWRITEBYTECODE" not in environment
    assert environment["OMP_NUM_THREADS"] == "1"
    assert scans.number == "5"
    json.dumps(environment)
