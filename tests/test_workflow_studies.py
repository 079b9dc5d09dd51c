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


@pytest.fixture(scope="module")
def made(root, tmp_path_factory):
    """Return a copy of the workflow that names the files of each job."""
    copy = checkout(root, tmp_path_factory.mktemp("studies"))
    copy.without_messages()
    return copy


def dry_run(made, *arguments, **changes):
    made.configure(**SECTIONS | changes)
    done = made.snakemake(*arguments, "--dry-run", "--configfile", "tiny.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def whole(made):
    """Return what a dry run of everything says."""
    return dry_run(made)


def files(said, rule, kind="output"):
    """Return the inputs or outputs of each job of a rule, sorted."""
    jobs = re.findall(rf"^(?:local)?rule {rule}:\n((?:    .*\n)+)", said, re.MULTILINE)
    return sorted(
        re.search(rf"^    {kind}: (.*)$", job, re.MULTILINE)[1].split(", ") for job in jobs
    )


def trainings(said):
    """Return the networks that are trained, as dataset/experiment/run."""
    return [
        job[0].removeprefix("results/").removesuffix("/checkpoint_final.pt")
        for job in files(said, "train_fold")
    ]


RUNS = [f"fold-{fold}_seed-{seed}" for fold in (0, 1) for seed in (0, 1)]


def test_what_is_trained_is_what_the_studies_ask_for_and_each_once(whole):
    planes = [f"one/{name}/{run}" for name in ("coarsest", "axial", "sagittal") for run in RUNS]
    others = ["one/plain/fold-1_seed-0", "two/plain/fold-1_seed-0", "two/coarsest/fold-1_seed-0"]
    assert trainings(whole) == sorted([*planes, *others])


def test_an_ensemble_is_scored_in_its_study_and_so_are_its_members(whole):
    scored = [job[0].split("/per_slice")[0] for job in files(whole, "evaluate_fold")]
    fused = [f"results/one/fused/{run}" for run in RUNS]
    assert scored == sorted([*fused, *(f"results/{name}" for name in trainings(whole))])


def test_a_study_has_a_figure_on_each_of_its_datasets_and_no_other_dataset_runs(whole):
    drawn = [job[0] for job in files(whole, "plot_comparison")]
    assert drawn == [
        f"results/figures/{name}.svg" for name in ("one_planes", "one_recipes", "two_recipes")
    ]
    assert "results/unused" not in whole


def test_a_figure_of_a_study_has_the_runs_of_that_study_alone(whole):
    read = files(whole, "compare_experiments", "input")
    runs = [sorted({path.split("/per_")[0] for path in job if "/per_" in path}) for job in read]
    recipes = [f"{name}/fold-1_seed-0" for name in ("coarsest", "plain")]
    assert [f"results/one/{name}" for name in recipes] in runs
    assert [f"results/two/{name}" for name in recipes] in runs
    planes = [f"results/one/{name}/{run}" for name in ("coarsest", "fused") for run in RUNS]
    assert planes in runs


def test_other_figures_of_a_dataset_show_its_first_comparison(whole):
    first, second = files(whole, "plot_training", "input")
    assert {path.split("/")[2] for path in first} == {"coarsest", "axial", "sagittal"}
    assert {path.split("/")[2] for path in second} == {"coarsest", "plain"}


def test_the_best_is_found_among_those_that_were_scored_on_the_same_folds(whole):
    one, two = files(whole, "find_best_configuration", "input")
    assert {path.split("/")[2] for path in one} == {"coarsest", "axial", "sagittal", "fused"}
    assert {path.split("/")[2] for path in two} == {"coarsest", "plain"}


def test_new_images_are_predicted_by_all_networks_of_a_dataset(made):
    new = made.folder / "new"
    new.mkdir()
    (new / "x_0000.nii.gz").write_bytes(b"")
    asked = [f"results/{name}/predicted" for name in ("one/coarsest", "one/plain", "unused/plain")]
    said = dry_run(made, *asked, inference={"images": str(new)})
    networks = [
        sorted(path.split("/")[1:4] for path in job if path.endswith("checkpoint_final.pt"))
        for job in files(said, "predict_images", "input")
    ]
    assert sorted(networks) == [
        [["one", "coarsest", run] for run in RUNS],
        [["one", "plain", "fold-1_seed-0"]],
        [["unused", "plain", "fold-1_seed-0"]],  # in no study: as cross_validation says
    ]


def test_a_model_for_nnunet_has_the_folds_of_its_seed(made):
    studies = {"a": {"folds": [0, 1], "seeds": [0]}, "b": {"folds": [1], "seeds": [1]}}
    said = dry_run(made, "export_nnunet", studies=studies)
    written = files(said, "export_model")
    assert len(written) == 3 * len(EXPERIMENTS) * 2
    for (folder,), read in zip(written, files(said, "export_model", "input"), strict=True):
        seed = folder[-1]
        found = sorted(path.split("/")[3] for path in read if path.endswith(".pt"))
        assert found == [f"fold-{fold}_seed-{seed}" for fold in {"0": (0, 1), "1": (1,)}[seed]]


def test_a_study_of_patch_sizes_has_a_figure_and_tables_and_shares_arrays(made):
    half = {"half": {"planning": {"patch_scale": 0.5}}}
    sizes = {"kind": "patch_size", "datasets": ["two"], "experiments": ["half", "coarsest"]}
    changes = {"experiments": EXPERIMENTS | half, "studies": {"sizes": sizes}}
    said = dry_run(made, "figures", **changes)
    assert trainings(said) == ["two/coarsest/fold-1_seed-0", "two/half/fold-1_seed-0"]
    assert len(files(said, "plan_arrays")) == 1
    (tables,) = files(said, "compare_patch_sizes")
    assert tables == [f"results/tables/two_sizes.{kind}" for kind in ("csv", "tex")]
    (figures,) = files(said, "plot_patch_size")
    assert figures == [f"results/figures/two_sizes.{kind}" for kind in ("svg", "png", "pdf")]
    assert files(said, "plot_comparison") == []


def test_a_study_of_reading_plans_and_exports_but_trains_nothing(made):
    reading = {"memory": {"kind": "reading", "datasets": ["two"], "experiments": ["plain"]}}
    said = dry_run(made, "plan", "export", "train", "evaluate", studies=reading)
    assert trainings(said) == []
    assert [job[0] for job in files(said, "plan_network")] == ["results/two/plain/plans.json"]
    assert files(said, "export_cases")


def test_a_quick_run_is_asked_for_on_the_command_line(made):
    quick = {"studies": {"planes": {"folds": [0], "seeds": [0]}}, "results": "results/quick"}
    said = dry_run(made, "train", "--config", "quick=true", when_quick=quick)
    planes = [f"quick/one/{name}/fold-0_seed-0" for name in ("coarsest", "axial", "sagittal")]
    recipes = [
        f"quick/{d}/{e}/fold-1_seed-0" for d in ("one", "two") for e in ("coarsest", "plain")
    ]
    assert trainings(said) == sorted([*planes, *recipes])
    assert "quick: as when_quick says" in " ".join(said.split())


def test_a_missing_optional_dataset_is_told_before_the_first_job(made):
    real = {"raw": "Dataset001_Real", "optional": True}
    said = dry_run(made, "train", datasets={"one": PHANTOM, "real": real}, studies={"s": {}})
    assert "left out: real, as there is no folder Dataset001_Real" in " ".join(said.split())
    assert {path.split("/")[0] for path in trainings(said)} == {"one"}
