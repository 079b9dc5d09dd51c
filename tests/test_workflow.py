"""The workflow as its users run it: dry runs, one whole run on tiny phantoms, and what reruns."""

import json
import os
import py_compile
import re
import shlex
import shutil
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from checkouts import TINY, Checkout, checkout
from models import PLAIN
from scans import write_dataset
from slicewise.checksums import sha256
from slicewise.files import read_json
from slicewise.resources import STARTED_MB
from slurm.runs import PROFILE, described
from slurm.whole_run import rules_that_are_submitted

FIGURES = (
    "spacing",
    "patch",
    "training",
    "dice_profile",
    "heat_map",
    "errors",
    "comparison",
    "gallery",
)
MODELS = ("coarsest", "finest", "both")
ERRORS = ("errors_per_slice.parquet", "errors_per_case.csv")
FOLDS = [f"{name}/fold-{fold}_seed-0" for name in MODELS for fold in (0, 1)]


@pytest.fixture
def fresh(root, tmp_path):
    return checkout(root, tmp_path)


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    """Run everything on four tiny phantoms, once for all tests below."""
    made = checkout(root, tmp_path_factory.mktemp("workflow"))
    done = made.snakemake("--configfile", "tiny.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    return made


@pytest.fixture
def results(finished):
    return finished.folder / "results"


def test_the_default_run_needs_no_argument(fresh):
    done = fresh.snakemake("--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^make_phantoms +2$", done.stdout + done.stderr, re.MULTILINE)


@pytest.mark.parametrize(
    ("target", "rules"),
    [
        (
            "fingerprint",
            {"make_phantoms", "describe_phantoms", "analyze_cases", "merge_fingerprint"},
        ),
        ("plan", {"plan_arrays", "plan_network", "split_folds"}),
        ("export", {"export_cases"}),
        ("train", {"train_fold"}),
        (
            "evaluate",
            {"predict_member_fold", "fuse_fold", "evaluate_fold", "decide_postprocessing"},
        ),
        ("figures", {f"plot_{figure}" for figure in FIGURES}),
    ],
)
def test_every_stage_is_a_target(fresh, target, rules):
    assert rules <= set(fresh.jobs(target))


def test_no_two_jobs_share_a_log_or_a_benchmark(fresh):
    """Joined by an underscore, dataset a, experiment b_c and a_b, c would have the same name."""
    fresh.without_messages()
    theirs = {"model": {"nnunet": str(PLAIN.folder), "configuration": PLAIN.configuration}}
    fresh.configure(
        datasets=dict.fromkeys(("a", "a_b"), TINY["datasets"]["phantom"]),
        experiments={"c": {}, "b_c": {}, "d": theirs, "b_d": theirs},
        ensembles={name: ["c", "b_c"] for name in ("e", "b_e")},
        cross_validation={"folds": 2, "run": [0]},
        inference={"images": str(PLAIN.images)},
    )
    targets = ("all", "export_nnunet", "predict", "--dry-run", "--configfile", "tiny.yaml")
    done = fresh.snakemake(*targets)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    for kind, least in (("log", 100), ("benchmark", 60)):
        files = re.findall(rf"^    {kind}: (.+)$", said, re.MULTILINE)
        assert len(files) > least
        assert [path for path, count in Counter(files).items() if count > 1] == []


def test_a_compiled_module_that_a_full_disk_cut_off_is_made_again(fresh):
    """CPython does not look whether all of it was written, and fails at it in every later run."""
    module = fresh.folder / "workflow/scripts/slicewise/runs.py"
    compiled = Path(py_compile.compile(str(module), doraise=True))
    compiled.write_bytes(compiled.read_bytes()[:100])
    assert "analyze_cases" in fresh.jobs("fingerprint")


READ_ONLY = """
import pathlib

unlink = pathlib.Path.unlink

def refuse(self, *options, **more):
    if self.suffix == ".pyc":
        raise PermissionError(13, "Permission denied", str(self))
    unlink(self, *options, **more)

pathlib.Path.unlink = refuse
"""


def test_compiled_modules_that_are_not_ours_to_judge_or_to_remove_stop_nothing(fresh, monkeypatch):
    """As where slicewise is installed for all, compiled by another Python or on a full disk."""
    compiled = fresh.folder / "workflow/scripts/slicewise/__pycache__"
    compiled.mkdir(exist_ok=True)
    foreign = compiled / "runs.cpython-27.pyc"
    damaged = compiled / f"gone.{sys.implementation.cache_tag}.pyc"
    for path in (foreign, damaged):
        path.write_bytes(b"not a module of this Python")
    (fresh.folder / "sitecustomize.py").write_text(READ_ONLY)
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(fresh.folder))
        assert "analyze_cases" in fresh.jobs("fingerprint")
    assert damaged.exists()
    assert "analyze_cases" in fresh.jobs("fingerprint")
    assert foreign.exists()
    assert not damaged.exists()


def test_a_wrong_config_stops_before_the_first_job(fresh):
    fresh.configure(training={"epoch": 3}, planning={"slice_axis": "thickest"})
    done = fresh.snakemake("--configfile", "tiny.yaml")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "training.epoch" in said
    assert "slice_axis" in said
    assert "thickest" in said
    assert "Traceback" not in said
    assert not (fresh.folder / "results").exists()


def test_predict_says_that_it_needs_a_folder_of_images(fresh):
    done = fresh.snakemake("predict", "--dry-run", "--configfile", "tiny.yaml")
    assert done.returncode != 0
    assert "inference.images" in done.stdout + done.stderr


def test_a_folder_without_images_stops_predict_before_its_first_job(fresh):
    (fresh.folder / "new").mkdir()
    given = f"inference={{images: {fresh.folder / 'new'}}}"
    done = fresh.snakemake("predict", "--dry-run", "--config", given, "--configfile", "tiny.yaml")
    assert done.returncode != 0
    assert "inference.images: found no *_0000.nii.gz in" in done.stdout + done.stderr


def test_every_artifact_is_there(results):
    phantom = results / "phantom"
    expected = [
        phantom / "dataset_fingerprint.json",
        phantom / "spacing.csv",
        phantom / "splits_final.json",
        *(phantom / name / "plans.json" for name in ("coarsest", "finest")),
        *(phantom / name / "patch_adequacy.csv" for name in ("coarsest", "finest")),
    ]
    expected += [phantom / name / "postprocessing.json" for name in MODELS]
    expected += [phantom / "best_configuration.json", results / "tables/phantom_configurations.csv"]
    for fold in FOLDS:
        trained = [] if fold.startswith("both") else ["checkpoint_final.pt", "history.csv"]
        for name in (*trained, "per_slice.csv", "per_case.csv", "summary.json", *ERRORS):
            expected.append(phantom / fold / name)
    for figure in FIGURES:
        expected += [results / f"figures/phantom_{figure}.{kind}" for kind in ("svg", "png", "pdf")]
        expected.append(results / f"tables/phantom_{figure}.csv")
    assert [path for path in expected if not path.is_file()] == []


def test_every_held_out_case_is_predicted_and_scored(results):
    phantom = results / "phantom"
    splits = read_json(phantom / "splits_final.json")
    for name in FOLDS:
        held_out = splits[int(name[-8])]["val"]
        predictions = (phantom / name / "predictions").glob("*.nii.gz")
        assert sorted(path.name for path in predictions) == [f"{c}.nii.gz" for c in held_out]
        assert set(pd.read_csv(phantom / name / "per_case.csv")["case"]) == set(held_out)
        assert len(read_json(phantom / name / "summary.json")["metric_per_case"]) == len(held_out)


def test_experiments_and_their_ensemble_score_the_same_slices(results):
    keys = ["case", "class", "axis", "slice", "position_mm"]
    first, *others = (
        pd.read_csv(results / f"phantom/{name}/fold-0_seed-0/per_slice.csv")[keys]
        for name in MODELS
    )
    for other in others:
        pd.testing.assert_frame_equal(first, other)


def test_figures_show_the_ensemble_beside_its_members(results):
    compared = pd.read_csv(results / "tables/phantom_comparison.csv")
    assert set(compared["experiment"]) == {"finest", "both"}
    assert set(pd.read_csv(results / "tables/phantom_gallery.csv")["experiment"]) == set(MODELS)


def test_the_best_configuration_is_found_among_all(results):
    best = read_json(results / "phantom/best_configuration.json")
    assert set(best["scores"]) == set(MODELS)
    for name, score in best["scores"].items():
        cases = pd.concat(
            pd.read_csv(results / f"phantom/{name}/fold-{fold}_seed-0/per_case.csv")
            for fold in (0, 1)
        )
        expected = cases.groupby("class")["dice"].mean().mean()
        assert score["foreground_dice"] == pytest.approx(expected)
    assert best["predict"].startswith(f"snakemake --cores all results/phantom/{best['best']}/")


def test_probabilities_go_once_they_are_fused(results):
    assert list(results.rglob("probabilities")) == []
    assert list((results / "phantom/coarsest").rglob("*.npy")) == []


def test_slices_add_up_to_cases(results):
    for name in FOLDS:
        slices, cases = (
            pd.read_csv(results / "phantom" / name / f"per_{kind}.csv")
            for kind in ("slice", "case")
        )
        summed = slices.groupby(["case", "class"])[["tp", "fp", "fn"]].sum()
        whole = cases.set_index(["case", "class"])[["tp", "fp", "fn"]]
        np.testing.assert_array_equal(summed, whole.loc[summed.index])


def test_coarsest_and_finest_slice_across_different_axes(results):
    planned = [read_json(results / f"phantom/{name}/plans.json") for name in ("coarsest", "finest")]
    assert planned[0]["transpose_forward"] == [0, 1, 2]
    assert planned[1]["transpose_forward"][0] != 0


def test_nothing_is_left_half_written(results):
    assert [path for path in results.rglob(".*") if path.name != ".snakemake_timestamp"] == []


def test_every_job_has_a_log(results):
    assert (results / "logs/train_fold/phantom/coarsest/fold-0_seed-0.log").is_file()


def test_a_second_run_does_nothing(finished):
    assert finished.jobs() == {}


def test_how_a_training_runs_is_no_reason_to_train_again(finished):
    running = {"loader_workers": 2, "checkpoint_every": 3, "max_skipped_steps": 5}
    finished.configure(training=TINY["training"] | running)
    try:
        assert finished.jobs() == {}
    finally:
        finished.configure()


def test_a_plotting_edit_redraws_one_figure(finished):
    script = finished.folder / "workflow/scripts/plot_training.py"
    before = script.read_text()
    try:
        script.write_text(before + "\n# a new comment\n")
        assert finished.jobs() == {"plot_training": 1}
    finally:
        script.write_text(before)


def test_an_edit_of_a_package_module_reruns_the_rules_that_use_it(finished):
    module = finished.folder / "workflow/scripts/slicewise/metrics.py"
    before = module.read_text()
    try:
        module.write_text(before + "\nSOMETHING_NEW = 1\n")
        jobs = finished.jobs()
    finally:
        module.write_text(before)
    assert jobs["evaluate_fold"] == 6
    assert not {"train_fold", "export_cases", "predict_member_fold"} & set(jobs)


def test_a_new_learning_rate_retrains_and_does_not_export(finished):
    finished.configure(training=TINY["training"] | {"learning_rate": 0.02})
    try:
        jobs = finished.jobs()
    finally:
        finished.configure()
    assert jobs["train_fold"] == jobs["predict_member_fold"] == 4
    assert jobs["evaluate_fold"] == 6
    assert not {"analyze_cases", "plan_arrays", "plan_network", "export_cases"} & set(jobs)


def test_one_more_case_reruns_its_group_the_merge_and_what_follows(finished):
    one_more = {"cases": 5, "seed": 1, "thick_axis": "mixed"}
    finished.configure(datasets={"phantom": {"phantom": one_more}}, execution={"cases_per_job": 3})
    grown = finished.jobs()
    finished.configure()
    assert grown["make_phantoms"] == 1
    assert grown["analyze_cases"] == 1
    assert grown["merge_fingerprint"] == 1
    assert grown["train_fold"] == 4


def test_without_its_ensemble_a_run_repeats_no_prediction(finished):
    finished.configure(ensembles={})
    try:
        jobs = finished.jobs("evaluate")
    finally:
        finished.configure()
    assert jobs == {"find_best_configuration": 1, "evaluate": 1}


def test_through_slurm_each_job_asks_for_what_it_needs_and_for_twice_as_much_at_once_more(
    finished, tmp_path
):
    copy = Checkout(shutil.copytree(finished.folder, tmp_path / "copy"))
    copy.without_messages()
    scores = copy.folder / "results/phantom/finest/fold-0_seed-0/per_slice.parquet"
    os.truncate(scores, 10**9)  # as of very many scans
    asked = ["--dry-run", "--forceall", "--configfile", "tiny.yaml", *PROFILE, "--attempt"]
    first, second = (
        described(done.stdout + done.stderr)
        for done in (copy.snakemake(*asked, attempt) for attempt in ("1", "2"))
    )
    submitted = rules_that_are_submitted(copy.folder / "workflow/rules") & set(first)
    assert len(submitted) > 12
    for rule in submitted:
        once, twice = (int(found[rule]["mem_mb"]) for found in (first, second))
        assert 2 * once - 50 <= twice <= 2 * once
        once, twice = (int(found[rule]["runtime"]) for found in (first, second))
        assert 2 * once - 1 <= twice <= 2 * once
    assert {rule for rule in submitted if first[rule].get("gpu") == "1"} == {
        "train_fold",
        "predict_member_fold",
    }
    for rule in ("plot_dice_profile", "compare_experiments", "plot_gallery"):
        assert int(first[rule]["mem_mb"]) > 12_000 > int(first["plot_patch"]["mem_mb"])


def test_a_cpu_asks_for_no_gpu_and_a_broken_plan_is_left_to_the_job_to_name(finished, tmp_path):
    copy = Checkout(shutil.copytree(finished.folder, tmp_path / "copy"))
    copy.without_messages()
    (copy.folder / "results/phantom/finest/plans.json").write_text("{")
    asked = {}
    for name in ("coarsest", "finest"):
        target = f"results/phantom/{name}/fold-0_seed-0/history.csv"
        options = ["--dry-run", "--configfile", "tiny.yaml", *PROFILE]
        done = copy.snakemake(target, *options, "--config", "training={device: cpu}")
        asked[name] = described(done.stdout + done.stderr)["train_fold"]
    assert asked["coarsest"]["gpu"] == asked["finest"]["gpu"] == "0"
    assert int(asked["coarsest"]["mem_mb"]) > int(asked["finest"]["mem_mb"]) == STARTED_MB


def test_a_job_asks_for_something_though_the_table_of_scans_was_deleted(finished, tmp_path):
    copy = Checkout(shutil.copytree(finished.folder, tmp_path / "copy"))
    copy.without_messages()
    scores = Path("results/phantom/coarsest/fold-0_seed-0/per_slice.csv")
    for path in ("results/phantom/spacing.csv", scores):
        (copy.folder / path).unlink()
    done = copy.snakemake("-n", str(scores), "--configfile", "tiny.yaml", *PROFILE)
    told = described(done.stdout + done.stderr)
    assert list(told) == ["evaluate_fold"]
    assert told["evaluate_fold"]["mem_mb"].isdecimal()
    assert told["evaluate_fold"]["runtime"].isdecimal()


def embedded(page: str, name: str) -> dict:
    """Return what a report of Snakemake's holds under a name."""
    start = page.index(f'var {name} = {{"')  # its libraries have variables of that name, too
    return json.JSONDecoder().raw_decode(page, page.index("{", start))[0]


def test_a_report_has_every_category_and_captions_without_faults(finished):
    done = finished.snakemake("--configfile", "tiny.yaml", "--report", "report.html")
    assert done.returncode == 0, done.stdout + done.stderr
    page = (finished.folder / "report.html").read_text()
    assert {name: sorted(of) for name, of in embedded(page, "categories").items()} == {
        "Data and plan": ["phantom"],
        "Methods": ["Other"],
        "Provenance": ["Other"],
        "Scores": ["phantom"],
        "Slice explorer": ["Other"],
        "Study comparison": ["phantom"],
        "Training": ["phantom"],
    }
    results = embedded(page, "results")
    for path, result in results.items():
        assert set(result["labels"]) == {"shows", "file"}, path
        for fault in ("system-message", "{{", "{%", "problematic"):
            assert fault not in result["caption"], path
    assert "javascript:app.showCategory" in page  # the description links to what it names
    assert "200 resamples" in results["results/figures/phantom_comparison.svg"]["caption"]


def test_the_record_names_the_run_and_holds_for_its_files(results):
    record = read_json(results / "report/provenance.json")
    assert {run["experiment"] for run in record["runs"]} == set(MODELS)
    assert len(record["inputs"]["phantom"]) == 8
    assert len(record["trained_on"]) == 1
    for path, digest in record["outputs"].items():
        assert sha256(results / path) == digest
    assert sum("checkpoint_final.pt" in path for path in record["outputs"]) == 4


def test_the_methods_are_of_this_run(results):
    text = (results / "report/methods.md").read_text()
    assert "The dataset phantom held four cases" in text
    assert "Training took one epoch of two iterations" in text


def test_new_images_are_predicted_by_all_folds_and_fused_by_the_command_that_is_told(finished):
    told = read_json(finished.folder / "results/phantom/best_configuration.json")["predict"]
    images = finished.folder / "results/phantom/raw/imagesTr"
    command = shlex.split(told.replace("IMAGES", str(images)))[3:]
    command[0] = "predict"
    done = finished.snakemake(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in MODELS:
        predicted = finished.folder / f"results/phantom/{name}/predicted"
        assert len(list(predicted.glob("*.nii.gz"))) == 4


def test_two_devices_train_anew_in_one_job_that_asks_for_them(finished, tmp_path):
    """A training is the same for another number of devices but for rounding, which counts.

    It asks for as many GPUs, but for none where the config says that it takes the CPU, and for a
    core and one for its worker with each GPU, but for no more than the run has.
    """
    made = Checkout(shutil.copytree(finished.folder, tmp_path / "copy"))
    rule = made.folder / "workflow/rules/train.smk"
    # the resources of a job that has no message are shown
    rule.write_text(re.sub(r"^    message:\n.+\n", "", rule.read_text(), flags=re.MULTILINE))
    made.configure(training=TINY["training"] | {"devices": 2, "device": "cuda"})
    target = "results/phantom/coarsest/fold-0_seed-0/checkpoint_final.pt"
    for cores, threads in ((8, 4), (2, 2)):
        planned = made.snakemake(target, "--dry-run", "--configfile", "tiny.yaml", cores=cores)
        said = planned.stdout + planned.stderr
        assert re.search(
            rf"^    threads: {threads}\n    resources: .*\bgpu=2\b", said, re.MULTILINE
        )
    made.configure(training=TINY["training"] | {"devices": 2, "device": "cpu"})
    folder = made.folder / "results/phantom/coarsest/fold-0_seed-0"
    before = (folder / "checkpoint_final.pt").read_bytes()
    done = made.snakemake(target, "--configfile", "tiny.yaml")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert re.search(r"^    resources: .*\bgpu=0\b", said, re.MULTILINE)
    assert not re.search(r"^    threads: ", said, re.MULTILINE)  # 1, which is not said
    assert "2/2" in said
    assert (folder / "checkpoint_final.pt").read_bytes() != before
    log = made.folder / "results/logs/train_fold/phantom/coarsest/fold-0_seed-0.log"
    assert log.read_text().count("pseudo Dice") == 1


def test_a_raw_dataset_of_the_users_own_runs_to_its_arrays(fresh):
    raw = write_dataset(fresh.folder / "Dataset001_Own", [(14, 16, 6)] * 4, channels=("a", "b"))
    fresh.configure(datasets={"own": {"raw": str(raw.parent)}})
    done = fresh.snakemake("plan", "export", "--configfile", "tiny.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    plans = read_json(fresh.folder / "results/own/coarsest/plans.json")
    assert plans["dataset_name"] == "Dataset001_Own"


def test_other_labels_analyse_the_cases_again(fresh):
    raw = write_dataset(fresh.folder / "raw", [(14, 16, 6)] * 4)
    fresh.configure(datasets={"own": {"raw": str(raw.parent)}})
    done = fresh.snakemake("fingerprint", "--configfile", "tiny.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    content = read_json(raw)
    raw.write_text(json.dumps(content | {"description": "of no effect"}))
    assert "analyze_cases" not in fresh.jobs("fingerprint")
    labels = {"background": 0, "both": [1, 2], "second": 2}
    raw.write_text(json.dumps(content | {"labels": labels, "regions_class_order": [1, 2]}))
    assert "analyze_cases" in fresh.jobs("fingerprint")


def test_bad_data_stops_with_a_message(fresh):
    raw = write_dataset(fresh.folder / "raw", [(8, 8, 5)] * 4)
    (raw.parent / "labelsTr/case_02.nii.gz").write_bytes(b"not a NIfTI file")
    fresh.configure(datasets={"own": {"raw": str(raw.parent)}})
    done = fresh.snakemake("fingerprint", "--configfile", "tiny.yaml")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "case case_02" in said
    assert "labelsTr/case_02.nii.gz: found a file that is not gzipped, expected" in said
