"""What a run consists of."""

import json
import shlex
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from scans import write_dataset, write_decathlon
from slicewise.dataset import Dataset
from slicewise.files import write_json
from slicewise.runs import (
    MAX_GROUPS,
    RunDataset,
    arrays_key,
    open_datasets,
    predict_command,
    with_new_images,
)

PLANNING = {
    "slice_axis": "coarsest",
    "in_plane_order": "stored",
    "overwrite_target_spacing": None,
    "planner": "default",
    "gpu_memory_gb": None,
    "plans": None,
    "configuration": "2d",
}


def of(names, per_job=16):
    return RunDataset("d", Dataset("d/dataset.json", {}), tuple(sorted(names)), None, per_job)


@given(st.sets(st.text("abcdef0123456789", min_size=1, max_size=8), min_size=1, max_size=80))
def test_every_case_is_in_one_group(names):
    groups = of(names, 4).groups
    assert sorted(name for group in groups.values() for name in group) == sorted(names)


def test_a_new_case_moves_no_other():
    names = [f"case_{i:03d}" for i in range(200)]
    before = of(names).groups
    after = of([*names, "another"]).groups
    assert {g: [n for n in c if n != "another"] for g, c in after.items()} == before


def test_a_job_holds_about_as_many_cases_as_asked_for():
    groups = of([f"case_{i:04d}" for i in range(1000)], 16).groups
    assert len(groups) == 64
    assert max(map(len, groups.values())) < 48


def test_no_stage_has_more_jobs_than_a_scheduler_likes():
    assert len(of([f"case_{i}" for i in range(20_000)], 1).groups) == MAX_GROUPS


def sized(folder, cases, size):
    """Return a dataset whose images are files of so many bytes without content."""
    write_json(
        folder / "dataset.json",
        {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "a": 1}, "numTraining": cases},
    )
    (folder / "imagesTr").mkdir()
    for index in range(cases):
        with (folder / "imagesTr" / f"case_{index:04d}_0000.nii.gz").open("wb") as file:
            file.truncate(size)
    return opened({"raw": str(folder)}, per_job=None)


def test_the_size_of_images_decides_how_many_cases_a_job_takes(tmp_path):
    assert len(sized(tmp_path / "small", 20, 10_000).groups) == 2
    assert len(sized(tmp_path / "medium", 20, 3_000_000).groups) == 8
    assert max(map(len, sized(tmp_path / "large", 20, 1_000_000_000).groups.values())) <= 2


def test_a_new_case_moves_no_other_where_size_decides(tmp_path):
    before = sized(tmp_path / "before", 20, 3_000_000).groups
    after = sized(tmp_path / "after", 21, 3_000_000).groups
    assert {g: [n for n in c if n != "case_0020"] for g, c in after.items()} == before


def test_hundreds_of_small_scans_are_few_groups(tmp_path):
    assert len(sized(tmp_path / "hippocampus", 200, 72_000).groups) == 2
    assert len(sized(tmp_path / "larger", 200, 120_000).groups) == 4


def test_a_label_changes_no_group(tmp_path):
    without = sized(tmp_path / "without", 20, 3_000_000).groups
    dataset = sized(tmp_path / "with", 20, 3_000_000)
    (tmp_path / "with/labelsTr").mkdir()
    with (tmp_path / "with/labelsTr/case_0003.nii.gz").open("wb") as file:
        file.truncate(1_000_000_000)
    assert dataset.groups == without


def test_few_files_of_a_large_dataset_are_looked_up_and_each_once(tmp_path, monkeypatch):
    dataset, looked_at = sized(tmp_path / "raw", 1050, 100_000), []
    stat = Path.stat
    monkeypatch.setattr(Path, "stat", lambda path: looked_at.append(path) or stat(path))
    assert len(dataset.groups) == 16  # 105 MB
    assert 90 <= len(looked_at) == len(set(looked_at)) <= 100
    assert {path.parent.name for path in looked_at} == {"imagesTr"}


def test_a_missing_image_counts_as_nothing(tmp_path):
    dataset = sized(tmp_path / "raw", 20, 3_000_000)
    for index in range(5):
        (tmp_path / f"raw/imagesTr/case_{index:04d}_0000.nii.gz").unlink()
    assert len(dataset.groups) == 8  # 45 MB in place of 60


def test_phantoms_are_in_the_same_groups_before_and_after_they_are_made():
    phantoms = opened({"phantom": {"cases": 24}}, per_job=None)
    assert len(phantoms.groups) == 2


def test_ten_thousand_phantoms_are_made_by_no_more_than_a_few_hundred_jobs():
    groups = opened({"phantom": {"cases": 10_000}}, per_job=None).groups
    assert 100 < len(groups) <= MAX_GROUPS
    assert sum(map(len, groups.values())) == 10_000


def test_experiments_that_differ_in_patch_or_training_share_arrays():
    first = arrays_key(PLANNING, {"reorient": "auto"})
    assert arrays_key(PLANNING | {"gpu_memory_gb": 4}, {"reorient": "auto"}) == first
    assert arrays_key(PLANNING | {"planner": "resenc_l"}, {"reorient": "auto"}) == first
    spacing = {"overwrite_target_spacing": [3.0, 1.0, 1.0]}
    assert arrays_key(PLANNING | spacing, {"reorient": "auto"}) != first
    assert arrays_key(PLANNING | {"slice_axis": "finest"}, {"reorient": "auto"}) != first
    assert arrays_key(PLANNING | {"in_plane_order": "finest_last"}, {"reorient": "auto"}) != first
    assert arrays_key(PLANNING, {"reorient": "never"}) != first


def test_arrays_of_an_own_plan_follow_its_content(tmp_path):
    plans = tmp_path / "plans.json"
    plans.write_text("{}")
    first = arrays_key(PLANNING | {"plans": str(plans)}, {})
    own = PLANNING | {"plans": str(plans), "configuration": "2d_wide"}
    assert arrays_key(own, {}) != first
    plans.write_text('{"spacing": 1}')
    assert arrays_key(PLANNING | {"plans": str(plans)}, {}) != first


def config_of(kind, folds=1, per_job=16):
    return {
        "results": "out",
        "datasets": {"d": kind},
        "cross_validation": {"folds": folds},
        "execution": {"cases_per_job": per_job},
    }


def opened(kind, **settings):
    datasets, problems = open_datasets(config_of(kind, **settings))
    assert problems == []
    return datasets["d"]


def test_phantoms_are_named_before_they_exist():
    dataset = opened({"phantom": {"cases": 2}})
    assert dataset.cases == ("phantom_000", "phantom_001")


def test_the_title_in_plans_json_is_the_folders_where_nnunet_would_take_it(tmp_path):
    raw = write_dataset(tmp_path / "Dataset004_Hippocampus", [(4, 4, 4)])
    assert opened({"raw": str(raw.parent)}).title == "Dataset004_Hippocampus"
    assert opened({"phantom": {"cases": 2}}).title == "d"


def test_thick_slices_have_cases_and_groups_of_the_thin_ones_before_they_are_made(tmp_path):
    raw = write_decathlon(tmp_path / "raw", 5)
    thin = {"raw": str(raw.parent)}
    thick = {"thicken": {"of": "thin", "axis": 0, "factor": 2, "profile": "box"}}
    config = config_of(thin, per_job=1) | {"datasets": {"thick": thick, "thin": thin}}
    datasets, problems = open_datasets(config)
    assert problems == []
    made = datasets["thick"]
    assert made.cases == datasets["thin"].cases
    assert made.groups == datasets["thin"].groups
    assert len(made.groups) > 1
    assert str(made.json_path) == "out/thick/raw/dataset.json"
    assert made.source.channel_names == ["T2", "ADC"]
    assert made.source.content["labels"] == {"background": 0, "PZ": 1, "TZ": 2}
    assert (made.sizes(made.cases), made.unused_files) == ([], [])


def test_slices_of_a_dataset_that_cannot_be_used_are_not_made_thick(tmp_path):
    thick = {"thicken": {"of": "thin", "axis": 0, "factor": 2, "profile": "box"}}
    config = config_of({}) | {"datasets": {"thin": {"raw": str(tmp_path)}, "thick": thick}}
    datasets, problems = open_datasets(config)
    assert (datasets, len(problems)) == ({}, 1)


def test_an_archive_that_is_not_there_is_named():
    datasets, problems = open_datasets(config_of({"archive": "none.zip", "sha256": "0" * 64}))
    assert datasets == {}
    assert str(problems[0]).startswith("datasets.d.archive: found none.zip, which is no file")


def test_a_folder_of_the_users_own_may_hold_links(tmp_path):
    """Many do to save space; what they lead to is read, never written."""
    raw = write_dataset(tmp_path / "raw", [(4, 4, 4)])
    image = tmp_path / "raw/imagesTr/case_00_0000.nii.gz"
    image.rename(tmp_path / "elsewhere.nii.gz")
    image.symlink_to(tmp_path / "elsewhere.nii.gz")
    assert opened({"raw": str(raw.parent)}).files(["case_00"])[0] == str(image)


def test_a_folder_of_the_users_own_may_list_files_elsewhere(tmp_path):
    """So does nnU-Net, for scans that datasets share; in an archive it is not their choice."""
    shared = write_dataset(tmp_path / "shared", [(4, 4, 4)]).parent
    raw = write_dataset(tmp_path / "raw", [(4, 4, 4)])
    listed = {
        "images": [f"{shared}/imagesTr/case_00_0000.nii.gz"],
        "label": "labelsTr/case_00.nii.gz",
    }
    write_json(raw, json.loads(raw.read_text()) | {"dataset": {"a": listed}})
    assert opened({"raw": str(raw.parent)}).files(["a"])[0] == listed["images"][0]


def test_the_command_that_predicts_repeats_what_the_run_was_given():
    command = predict_command(
        "results/d/planes/predicted",
        [Path.cwd() / "config/my scans.yaml", Path("/elsewhere/b.yaml")],
        with_new_images(
            {"training": {"epochs": 3}, "inference": {"mirroring": False, "images": "old"}}
        ),
    )
    assert shlex.split(command) == [
        *("snakemake", "--cores", "all", "results/d/planes/predicted"),
        *("--configfile", "config/my scans.yaml", "/elsewhere/b.yaml", "--config"),
        *("training={epochs: 3}", "inference={images: IMAGES, mirroring: false}"),
    ]


def test_the_command_names_no_config_file_where_the_default_one_was_read():
    command = predict_command("results/d/a/predicted", [], with_new_images({}))
    assert command == (
        "snakemake --cores all results/d/a/predicted --config 'inference={images: IMAGES}'"
    )


def test_the_command_names_a_snakefile_that_snakemake_does_not_look_for():
    elsewhere = predict_command("a", [], {}, "/opt/slicewise/Snakefile")
    assert elsewhere == "snakemake --cores all --snakefile /opt/slicewise/Snakefile a"
    for found in ("Snakefile", "workflow/Snakefile"):
        assert predict_command("a", [], {}, Path.cwd() / found) == "snakemake --cores all a"
