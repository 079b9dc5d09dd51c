"""Studies in the workflow: dry runs that show what is trained, scored and drawn for them."""

import re

import pytest

from checkouts import TINY, checkout

EXPERIMENTS = {
    "coarsest": {},
    "axial": {"planning": {"slice_axis": "axial"}},
    "sagittal": {"planning": {"slice_axis": "sagittal"}},
    "plain": {"training": {"augmentation": "none"}},
}
PHANTOM = TINY["datasets"]["phantom"]
STUDIES = {
    "planes": {
        "datasets": ["one"],
        "experiments": ["coarsest", "fused"],
        "folds": [0, 1],
        "seeds": [0, 1],
    },
    "recipes": {"datasets": ["one", "two"], "experiments": ["plain", "coarsest"]},
}
SECTIONS = {
    "datasets": {"one": PHANTOM, "two": PHANTOM, "unused": PHANTOM},
    "experiments": EXPERIMENTS,
    "ensembles": {"fused": ["axial", "sagittal"]},
    "cross_validation": {"folds": 2, "run": [1], "seeds": [0]},
    "studies": STUDIES,
}


@pytest.fixture
def fresh(root, tmp_path):
    made = checkout(root, tmp_path)
    made.configure(**SECTIONS)
    return made


def dry_run(made, *arguments):
    """Return what a dry run says of each job, with its files in place of its message."""
    made.without_messages()
    done = made.snakemake(*arguments, "--dry-run", "--configfile", "tiny.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def outputs(said, rule):
    """Return the outputs of all jobs of a rule."""
    blocks = re.findall(rf"^(?:local)?rule {rule}:\n((?:    .*\n)+)", said, re.MULTILINE)
    lines = [re.search(r"^    output: (.*)$", block, re.MULTILINE)[1] for block in blocks]
    return sorted(path for line in lines for path in line.split(", "))


def trainings(said):
    checkpoints = [path for path in outputs(said, "train_fold") if path.endswith(".pt")]
    return [path.removeprefix("results/").split("/checkpoint")[0] for path in checkpoints]


def test_what_is_trained_is_what_the_studies_ask_for_and_each_once(fresh):
    runs = [f"fold-{fold}_seed-{seed}" for fold in (0, 1) for seed in (0, 1)]
    planes = [f"one/{name}/{run}" for name in ("coarsest", "axial", "sagittal") for run in runs]
    others = ["one/plain/fold-1_seed-0", "two/plain/fold-1_seed-0", "two/coarsest/fold-1_seed-0"]
    said = dry_run(fresh)
    assert trainings(said) == sorted([*planes, *others])
    scored = outputs(said, "evaluate_fold")
    fused = [f"results/one/fused/{run}/per_case.csv" for run in runs]
    assert [path for path in scored if "/fused/" in path and path.endswith("case.csv")] == fused
    assert len(scored) == 4 * (len(planes) + len(others) + len(fused))


def test_a_study_has_a_figure_on_each_of_its_datasets_and_no_dataset_else_runs(fresh):
    said = dry_run(fresh)
    drawn = [path for path in outputs(said, "plot_comparison") if path.endswith(".svg")]
    assert drawn == [
        f"results/figures/{name}.svg" for name in ("one_planes", "one_recipes", "two_recipes")
    ]
    assert "results/unused" not in said


def test_figures_of_a_dataset_show_its_first_comparison(fresh):
    said = dry_run(fresh, "results/figures/one_training.svg")
    assert {path.split("/")[1] for path in trainings(said)} == {"coarsest", "axial", "sagittal"}
    said = dry_run(fresh, "results/figures/two_training.svg")
    assert {path.split("/")[1] for path in trainings(said)} == {"coarsest", "plain"}


def test_the_best_is_found_among_those_that_were_scored_on_the_same_folds(fresh):
    for dataset, models in (("one", "coarsest axial sagittal fused"), ("two", "coarsest plain")):
        said = dry_run(fresh, f"results/{dataset}/best_configuration.json")
        decided = {path.split("/")[2] for path in outputs(said, "decide_postprocessing")}
        assert decided == set(models.split())


def test_new_images_are_predicted_by_all_networks_of_a_dataset(fresh):
    new = fresh.folder / "new"
    new.mkdir()
    (new / "x_0000.nii.gz").write_bytes(b"")
    fresh.configure(**SECTIONS, inference={"images": str(new)})
    assert len(trainings(dry_run(fresh, "results/one/coarsest/predicted"))) == 4
    assert len(trainings(dry_run(fresh, "results/one/plain/predicted"))) == 1
    # In no study: as cross_validation says.
    assert trainings(dry_run(fresh, "results/unused/plain/predicted")) == [
        "unused/plain/fold-1_seed-0"
    ]


def test_a_model_for_nnunet_has_the_folds_of_its_seed(fresh):
    studies = {"a": {"folds": [0, 1], "seeds": [0]}, "b": {"folds": [1], "seeds": [1]}}
    fresh.configure(**SECTIONS | {"studies": studies})
    for seed, folds in ((0, [0, 1]), (1, [1])):
        said = dry_run(fresh, f"results/one/plain/nnunet/seed-{seed}")
        assert trainings(said) == [f"one/plain/fold-{fold}_seed-{seed}" for fold in folds]
    assert fresh.jobs("export_nnunet")["export_model"] == 3 * 4 * 2


def test_a_study_of_patch_sizes_has_a_figure_and_tables_and_shares_arrays(fresh):
    half = {"half": {"planning": {"patch_scale": 0.5}}}
    sizes = {"kind": "patch_size", "datasets": ["two"], "experiments": ["half", "coarsest"]}
    changes = {"experiments": EXPERIMENTS | half, "studies": {"sizes": sizes}}
    fresh.configure(**SECTIONS | changes)
    said = dry_run(fresh)
    assert trainings(said) == ["two/coarsest/fold-1_seed-0", "two/half/fold-1_seed-0"]
    assert len(outputs(said, "plan_arrays")) == 1
    assert outputs(said, "compare_patch_sizes") == [
        f"results/tables/two_sizes.{kind}" for kind in ("csv", "tex")
    ]
    assert outputs(said, "plot_patch_size") == [
        f"results/figures/two_sizes.{kind}" for kind in ("pdf", "png", "svg")
    ]
    assert outputs(said, "plot_comparison") == []


def test_a_study_of_reading_trains_nothing(fresh):
    reading = {"memory": {"kind": "reading", "datasets": ["two"], "experiments": ["plain"]}}
    fresh.configure(**SECTIONS | {"studies": reading})
    assert "train_fold" not in fresh.jobs("all")
    assert fresh.jobs("plan")["plan_network"] == 1
    assert "export_cases" in fresh.jobs("export")


def test_a_quick_run_is_asked_for_on_the_command_line(fresh):
    """As README.md says it: the text true, which Snakemake hands on as it is."""
    quick = {"studies": {"planes": {"folds": [0], "seeds": [0]}}, "training": {"epochs": 1}}
    fresh.configure(**SECTIONS, when_quick=quick)
    said = dry_run(fresh, "train", "--config", "quick=true")
    runs = [path for path in trainings(said) if "/plain/" not in path]
    assert runs == sorted(
        [f"one/{name}/fold-0_seed-0" for name in ("coarsest", "axial", "sagittal")]
        + ["one/coarsest/fold-1_seed-0", "two/coarsest/fold-1_seed-0"]
    )
    assert "as when_quick says" in said
    assert trainings(dry_run(fresh, "train", "--config", "quick=false")) == trainings(
        dry_run(fresh, "train")
    )


def test_a_missing_optional_dataset_is_told_before_the_first_job(fresh):
    real = {"raw": "Dataset001_Real", "optional": True}
    fresh.configure(**SECTIONS | {"datasets": {"one": PHANTOM, "real": real}, "studies": {"s": {}}})
    said = dry_run(fresh, "train")
    assert "left out: real, as there is no folder Dataset001_Real" in " ".join(said.split())
    assert {path.split("/")[0] for path in trainings(said)} == {"one"}
