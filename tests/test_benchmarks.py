"""The benchmark: how it measures, counts and reports; it runs nnU-Net nowhere here."""

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
import psutil
import pytest
import yaml

from benchmarks import (
    data,
    evaluation,
    figure,
    measuring,
    patches,
    pipeline,
    prediction,
    report,
    run,
    table,
    training,
)
from benchmarks.lines import LINES, STAGES, Line, Result, lines_of
from benchmarks.measuring import Measurement, Run, Worker, alternate, paired, spread
from benchmarks.programs import THEIRS, Bench, Scans, in_turn
from scans import write_dataset
from slicewise.config import load
from slicewise.dataset import open_dataset
from slicewise.files import write_json, write_nifti

pytestmark = pytest.mark.skipif(not measuring.LINUX, reason="memory is read from /proc")

SECONDS = Line("training-48", "training", "a command", target=2)
RATE = Line("patches-a", "patches", "patches", "rate", "patches/s", target=2, memory_target=2)
ABOUT = {
    "processor": "some processor",
    "cores": 2,
    "nnunet_versions": "nnunetv2 2.8.1",
    "slicewise_versions": "torch 2",
}

GREEDY = """
import subprocess, sys, time
inner = '''
import time
block = bytearray(200 * 2**20)
start = time.process_time()
while time.process_time() - start < 0.5:
    pass
time.sleep(0.3)
'''
subprocess.run([sys.executable, "-c", inner], check=True)
"""


def measured(wall=1.0, cpu=1.0, peak=100.0, **told):
    return Measurement(wall, cpu, peak, told)


def runs_of(pairs):
    """Return a warm-up that is far off, then pairs of measurements (nnU-Net's, ours)."""
    off = measured(1e6, 1e6, 1e6, amount=1, seconds=1e6, first_s=1e6)
    turns = [(off, off), *pairs]
    return [
        Run(program, "", turn, one)
        for turn, both in enumerate(turns)
        for program, one in zip(("nnunet", "slicewise"), both, strict=True)
    ]


def test_the_memory_and_cpu_time_of_a_grandchild_count(tmp_path):
    command = [sys.executable, "-c", GREEDY]
    found = measuring.run(command, os.environ, tmp_path / "log")
    assert found.peak_mib > 200
    assert 0.5 < found.cpu_s < 5
    assert found.wall_s > 0.7


def test_a_command_that_fails_shows_what_it_printed(tmp_path):
    command = [sys.executable, "-c", "raise SystemExit('the disk is full')"]
    with pytest.raises(RuntimeError, match="the disk is full"):
        measuring.run(command, os.environ, tmp_path / "log")


WORKER = """
import time
from benchmarks.serving import claim_output, serve
tell = claim_output()
print("programs print what they like")
def work():
    start = time.process_time()
    while time.process_time() - start < 0.3:
        pass
    return {"amount": 3}
serve(tell, {"mean": 1.5}, work)
"""


def test_a_worker_answers_when_asked_and_is_measured_meanwhile(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(measuring.__file__).rsplit("/", 2)[0]}
    with Worker([sys.executable, "-c", WORKER], environment, tmp_path / "log") as worker:
        assert worker.ready == {"mean": 1.5}
        time.sleep(0.2)
        found = worker.ask()
    assert found.told == {"amount": 3}
    assert 0.25 < found.cpu_s < 1
    assert found.peak_mib > 3
    assert "what they like" in (tmp_path / "log").read_text()


def test_a_worker_that_ends_too_soon_shows_what_it_printed(tmp_path):
    command = [sys.executable, "-c", "raise SystemExit('no such dataset')"]
    with pytest.raises(RuntimeError, match="no such dataset"):
        Worker(command, os.environ, tmp_path / "log")


def test_a_worker_that_is_gone_when_asked_shows_what_it_printed(tmp_path):
    command = [sys.executable, "-c", "print('{}', flush=True); raise SystemExit('out of memory')"]
    with Worker(command, os.environ, tmp_path / "log") as worker:
        time.sleep(0.5)
        with pytest.raises(RuntimeError, match="out of memory"):
            worker.ask()


LEAVES_A_CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(sys.argv[1], "w").write(str(child.pid))
raise SystemExit("the disk is full")
"""


def test_nothing_that_a_command_started_outlives_its_failure(tmp_path):
    command = [sys.executable, "-c", LEAVES_A_CHILD, tmp_path / "pid"]
    with pytest.raises(RuntimeError, match="the disk is full"):
        measuring.run(command, os.environ, tmp_path / "log")
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.05)
    raise AssertionError("the child still runs")


def test_programs_take_turns_after_a_warm_up_of_every_way():
    order = []

    def call(name, wall):
        def measure():
            order.append(name)
            return measured(wall)

        return measure

    ways = {"slow": call("slow", 2), "quick": call("quick", 1)}
    runs, fault = alternate(ways, call("ours", 1), pairs=2)
    # the first is thrown away
    assert order == ["slow", "slow", "quick", "ours", "quick", "ours", "quick", "ours"]
    assert [run.turn for run in runs] == [0, 0, 0, 1, 1, 2, 2]
    assert fault == ""
    assert len(paired(runs)) == 2


def test_the_outputs_that_are_checked_are_those_of_the_way_that_counts():
    order = []

    def call(name, wall):
        return lambda: order.append(name) or measured(wall)

    def check(warm_up):
        assert order[-2:] == ["quick", "ours"]
        return "seen"

    ways = {"quick": call("quick", 1), "slow": call("slow", 2)}
    assert alternate(ways, call("ours", 1), 1, check)[1] == "seen"


def test_nothing_is_counted_where_outputs_differ():
    runs, fault = alternate({"": measured}, measured, 5, check=lambda warm_up: "3 voxels")
    assert fault == "3 voxels"
    assert paired(runs) == []
    assert Result(SECONDS, runs_of([(measured(), measured())]), fault=fault).pairs == []


def test_a_spread_is_the_median_and_the_ends():
    assert spread([3.0, 1.0, 10.0]) == measuring.Spread(3.0, 1.0, 10.0)


def test_the_speed_is_the_median_of_the_ratios_of_pairs():
    pairs = [(measured(10), measured(5)), (measured(30), measured(10)), (measured(8), measured(2))]
    result = Result(SECONDS, runs_of(pairs))
    # that of the medians would be 10 / 5 = 2
    assert result.speed == measuring.Spread(3.0, 2.0, 4.0)


def test_more_units_a_second_are_faster():
    theirs, ours = measured(amount=100, seconds=2), measured(amount=400, seconds=2)
    assert Result(RATE, runs_of([(theirs, ours)])).speed.median == 4


def test_less_memory_is_a_ratio_above_one():
    pairs = [(measured(peak=300), measured(peak=100))]
    assert Result(SECONDS, runs_of(pairs)).memory.median == 3


@pytest.mark.parametrize(
    ("line", "theirs", "ours", "expected"),
    [
        (SECONDS, measured(4), measured(2), True),
        (SECONDS, measured(3), measured(2), False),
        (
            RATE,
            measured(peak=200, amount=1, seconds=1),
            measured(peak=90, amount=3, seconds=1),
            True,
        ),
        (
            RATE,
            measured(peak=200, amount=1, seconds=1),
            measured(peak=150, amount=3, seconds=1),
            False,
        ),
        (
            Line("a", "b", "c", "first", target_s=4),
            measured(first_s=8),
            measured(first_s=3.9),
            True,
        ),
        (Line("a", "b", "c"), measured(), measured(), None),
    ],
)
def test_targets_are_of_speed_of_memory_too_or_in_seconds(line, theirs, ours, expected):
    row = report.summary_row(Result(line, runs_of([(theirs, ours)])), ABOUT)
    assert row["reached"] is expected


def test_every_run_is_in_the_table_of_its_stage():
    result = Result(SECONDS, runs_of([(measured(4), measured(2))] * 5))
    frame = report.runs_table([result, Result(RATE)])
    assert len(frame) == 12
    assert frame.groupby("program")["counted"].sum().to_dict() == {"nnunet": 5, "slicewise": 5}
    assert frame.query("counted and program == 'nnunet'")["value"].tolist() == [4.0] * 5


def summary_of(tmp_path, *results):
    return report.write_summary(tmp_path / "summary.csv", results, ABOUT)


def test_the_summary_has_a_row_for_every_line_measured_or_not(tmp_path):
    frame = summary_of(tmp_path, Result(LINES[0], runs_of([(measured(4), measured(2))])))
    assert frame["line"].tolist() == [line.key for line in LINES]
    assert frame["status"].tolist() == ["measured"] + ["not measured"] * (len(LINES) - 1)


def test_stages_that_do_not_run_keep_their_rows(tmp_path):
    for line, wall in ((LINES[0], 4), (LINES[1], 6), (LINES[0], 8)):
        frame = summary_of(tmp_path, Result(line, runs_of([(measured(wall), measured(2))])))
    assert frame["speed"].tolist()[:2] == [4, 3]


@pytest.mark.parametrize("fault", ["", report.FAILED])
def test_what_was_measured_is_not_lost_to_a_stage_that_measures_nothing(fault, tmp_path):
    summary_of(tmp_path, Result(LINES[0], runs_of([(measured(4), measured(2))])))
    frame = summary_of(tmp_path, Result(LINES[0], fault=fault))
    assert frame["status"][0] == "measured"
    assert frame["speed"][0] == 2
    frame = summary_of(tmp_path, Result(LINES[0], fault="3 voxels"))
    assert frame["status"][0] == "3 voxels"


def test_numbers_of_the_readme_stay_where_there_are_no_new_ones(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"{table.BEGIN}\n{table.END}\n")
    first, second = (
        [Result(line, runs_of([(measured(wall), measured(2))]), note="so many")]
        for line, wall in ((LINES[0], 12), (LINES[1], 10))
    )
    table.write(readme, report.write_summary(tmp_path / "a.csv", first, ABOUT))
    other = ABOUT | {"processor": "another"}
    for _ in range(2):
        table.write(readme, report.write_summary(tmp_path / "b.csv", second, other))
    text = readme.read_text()
    assert f"| {LINES[0].title} (so many) | 12.0 s |" in text
    assert f"| {LINES[1].title} (so many) | 10.0 s |" in text
    assert text.count("Median of") == 2
    assert "\nMedian of 1 pairs" in text
    assert "; another, 2 cores" in text.split(table.EARLIER)[0]
    assert "; some processor, 2 cores" in text.split(table.EARLIER)[1]
    table.write(readme, report.write_summary(tmp_path / "c.csv", [Result(LINES[0])], other))
    assert readme.read_text().count("**") == 4
    wrong = [Result(LINES[0], fault="3 voxels")]
    table.write(readme, report.write_summary(tmp_path / "d.csv", wrong, other))
    assert f"| {LINES[0].title} | 3 voxels |" in readme.read_text()


def test_elsewhere_than_on_linux_the_benchmark_says_so(monkeypatch):
    monkeypatch.setattr(measuring, "LINUX", False)
    with pytest.raises(SystemExit, match="on Linux only"):
        run.main(["--nnunet", "python"])


def test_the_table_takes_the_place_between_its_marks(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    result = Result(LINES[0], runs_of([(measured(12), measured(2))] * 5))
    for _ in range(2):
        table.write(readme, summary_of(tmp_path, result))
    text = readme.read_text()
    assert text.startswith(f"before\n{table.BEGIN}\n")
    assert text.endswith(f"{table.END}\nafter\n")
    assert "old" not in text
    assert "**6.00** (6.00 to 6.00) | 6 times, reached |" in text
    assert text.count("| not measured |") == len(LINES) - 1
    assert "5 pairs" in text
    assert "some processor, 2 cores" in text


@pytest.mark.parametrize(
    ("value", "text"), [(12.34, "12.3 s"), (0.5, "500 ms"), (1e-4, "0.10 ms"), (2.5e-5, "25.0 µs")]
)
def test_short_times_are_in_units_that_show_them(value, text):
    assert table.seconds(value) == text


@pytest.mark.parametrize("text", ["no marks", f"{table.BEGIN} {table.BEGIN} {table.END}"])
def test_a_readme_without_a_place_for_the_table_is_refused(text, tmp_path):
    (tmp_path / "README.md").write_text(text)
    with pytest.raises(ValueError, match="once each"):
        table.write(tmp_path / "README.md", summary_of(tmp_path))


def test_the_table_says_what_is_wrong_with_outputs(tmp_path):
    frame = summary_of(tmp_path, Result(LINES[0], fault="outputs differ: 3 voxels"))
    assert "| outputs differ: 3 voxels |" in table.table(frame)


def test_the_figure_shows_each_measured_line(tmp_path):
    lines = [line for line in LINES if line.quantity == "wall"]
    results = [Result(line, runs_of([(measured(4), measured(2))])) for line in lines]
    frame = summary_of(tmp_path, *results)
    drawn = figure.draw(frame)
    titles = [label.get_text() for label in drawn.axes[0].get_yticklabels()]
    assert titles == [line.title for line in lines]
    figure.write(tmp_path, frame)
    assert (tmp_path / "benchmark.svg").stat().st_size > 1000
    assert (tmp_path / "benchmark.png").stat().st_size > 1000


def test_the_figure_of_nothing_is_empty(tmp_path):
    figure.write(tmp_path, summary_of(tmp_path))
    assert (tmp_path / "benchmark.png").exists()


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_can_be_measured_and_has_lines(name):
    assert callable(importlib.import_module(f"benchmarks.{name}").measure)
    assert lines_of(name)


def test_the_readme_has_a_row_for_each_line(root):
    text = (root / "README.md").read_text(encoding="utf-8")
    assert text.count(table.BEGIN) == text.count(table.END) == 1
    written = text.split(table.BEGIN)[1].split(table.END)[0]
    assert [line.title for line in LINES if f"| {line.title}" not in written] == []


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
