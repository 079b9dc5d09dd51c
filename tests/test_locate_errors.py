"""Counts of wrong voxels by where they lie, of small datasets written to a folder."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

import locate_errors
from slicewise.wrong_voxels import KINDS

PLAIN = {"background": 0, "inner": 1, "outer": 2}
REGIONS = {"background": 0, "whole": [1, 2], "core": 2}
UPWARDS, DOWNWARDS = np.diag([1.0, 1.0, 3.0, 1.0]), np.diag([1.0, 1.0, -3.0, 1.0])


def save(path, voxels, affine):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(voxels.astype(np.uint8), affine), path)


def run(folder, scans, labels=PLAIN, order=None, slices="all", affine=UPWARDS):
    """Write truths and predictions (x, y, z), count, and read both tables back."""
    for name, (truth, prediction) in scans.items():
        save(folder / f"imagesTr/{name}_0000.nii.gz", np.zeros(truth.shape), affine)
        save(folder / f"labelsTr/{name}.nii.gz", truth, affine)
        save(folder / f"predictions/{name}.nii.gz", prediction, affine)
    contents = {
        "dataset": {
            "channel_names": {"0": "MRI"},
            "labels": labels,
            "regions_class_order": order,
            "numTraining": len(scans),
            "file_ending": ".nii.gz",
        },
        "splits_final": [{}, {"train": [], "val": list(scans)}],
        "fingerprint": {"spacings": [[3.0, 1.0, 1.0]], "shapes_after_crop": [[8, 20, 20]]},
        "orientation": {"reorient": False, "orientation": "RAS", "orientations": {}},
    }
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    outputs = {"per_slice": folder / "slices.parquet", "per_case": folder / "cases.csv"}
    locate_errors.main(
        dataset_json=folder / "dataset.json",
        splits=folder / "splits_final.json",
        predictions=folder / "predictions",
        fingerprint=folder / "fingerprint.json",
        orientation=folder / "orientation.json",
        slice_axis="coarsest",
        slices=slices,
        surface_tolerance_mm=1.0,
        dataset="toy",
        experiment="coarsest",
        fold=1,
        seed=7,
        **outputs,
    )
    return pd.read_parquet(outputs["per_slice"]), pd.read_csv(outputs["per_case"])


def noisy(seed, values=3, shape=(7, 8, 6)):
    """Return a truth of random labels and a prediction that is right in most voxels."""
    random = np.random.default_rng(seed)
    truth, noise = random.integers(0, values, (2, *shape))
    return truth, np.where(random.random(shape) < 0.7, truth, noise)


def wrong_of(table, name):
    """Return all wrong voxels that the per-case table counts of a class."""
    row = table[table["class"] == name].iloc[0]
    missed, false = (sum(row[f"{kind}_{side}"] for kind in KINDS) for side in ("missed", "false"))
    assert row["wrong"] == missed + false
    return missed, false


def test_kinds_add_up_to_all_wrong_voxels(tmp_path):
    truth, prediction = noisy(0)
    _, table = run(tmp_path, {"a": (truth, prediction)})
    for value, name in enumerate(("inner", "outer"), start=1):
        true, found = truth == value, prediction == value
        assert wrong_of(table, name) == ((true & ~found).sum(), (found & ~true).sum())


def test_slices_add_up_to_their_case(tmp_path):
    by_slice, by_case = run(tmp_path, {"a": noisy(0), "b": noisy(1)})
    counts = locate_errors.COUNTS
    sums = by_slice.groupby(["case", "class"])[counts].sum()
    pd.testing.assert_frame_equal(sums, by_case.set_index(["case", "class"])[counts])


def test_a_region_is_wrong_by_itself(tmp_path):
    """What is taken for another label of a region is right for the region."""
    truth = np.zeros((9, 9, 4), int)
    truth[1:8, 1:8] = 1
    prediction = np.where(truth, 2, 0)
    prediction[1:3, 1:3] = 1
    _, table = run(tmp_path, {"a": (truth, prediction)}, REGIONS, [1, 2])
    assert wrong_of(table, "whole") == (0, 0)
    # Of the core nothing is true: neither ends nor an outline, but another foreground label.
    assert wrong_of(table, "core") == (0, (49 - 4) * 4)
    assert table.loc[table["class"] == "core", "classes_false"].item() == (49 - 4) * 4


def test_ignored_voxels_count_nowhere(tmp_path):
    truth, prediction = noisy(2)
    hidden = truth.copy()
    hidden[:4] = 3
    _, table = run(tmp_path, {"a": (hidden, prediction)}, PLAIN | {"ignore": 3})
    for value, name in enumerate(("inner", "outer"), start=1):
        true, found = truth[4:] == value, prediction[4:] == value
        assert sum(wrong_of(table, name)) == (true ^ found).sum()


def test_only_chosen_slices_count(tmp_path):
    truth, prediction = noisy(3)
    by_slice, table = run(tmp_path, {"a": (truth, prediction)}, slices="central 2")
    wrong = (truth[..., 2:4] == 1) ^ (prediction[..., 2:4] == 1)
    assert sum(wrong_of(table, "inner")) == wrong.sum()
    assert set(by_slice["slice"]) == {2, 3}


@pytest.mark.parametrize(("affine", "flip"), [(UPWARDS, False), (DOWNWARDS, True)])
def test_slices_lie_along_the_structure_from_its_inferior_end(tmp_path, affine, flip):
    truth = np.zeros((6, 6, 6), int)
    truth[2:4, 2:4, 1:5] = 1
    prediction = np.roll(truth, 1, axis=2)  # one slice too few before, one too many behind
    by_slice, _ = run(tmp_path, {"a": (truth, prediction)}, affine=affine)
    places = by_slice[["slice", "start", "stop", "ends_missed", "ends_false"]].to_numpy().tolist()
    expected = [[1, 0, 0.25, 4, 0], [5, 1, 1.25, 0, 4]]
    if flip:
        expected = [[1, 0.75, 1, 4, 0], [5, -0.25, 0, 0, 4]]
    assert places == expected


def test_a_class_that_is_not_there_has_no_place(tmp_path):
    truth, prediction = np.zeros((2, 5, 5, 3), int)
    prediction[1, 1] = 1
    by_slice, table = run(tmp_path, {"a": (truth, prediction)})
    assert by_slice["start"].isna().all()
    assert table["elsewhere_false"].tolist() == [3, 0]


def test_nothing_wrong_leaves_an_empty_table_of_slices(tmp_path):
    truth, _ = noisy(4)
    by_slice, table = run(tmp_path, {"a": (truth, truth)})
    assert by_slice.empty
    assert list(by_slice) == locate_errors.SLICE_COLUMNS
    assert table["wrong"].tolist() == [0, 0]


def test_voxels_are_measured_in_ml(tmp_path):
    _, table = run(tmp_path, {"a": noisy(5)})
    assert table["voxel_ml"].tolist() == pytest.approx([0.003, 0.003])
