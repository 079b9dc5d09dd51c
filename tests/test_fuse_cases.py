"""One segmentation from the probabilities of several experiments."""

import json

import nibabel as nib
import numpy as np
import pytest

import fuse_cases
from scans import peak_memory, write_dataset
from slicewise.files import write_npy
from slicewise.postprocessing import keep_largest

SHAPES = [(7, 6, 5), (6, 7, 4)]


def member(folder, seed):
    """Write probabilities of every case, float32 (output, i, j, k); return their folder."""
    for index, shape in enumerate(SHAPES):
        drawn = np.random.default_rng([seed, index]).random((3, *shape), np.float32)
        drawn[0] += 0.3
        write_npy(folder / f"case_{index:02d}.npy", drawn / drawn.sum(0))
    return folder


@pytest.fixture
def raw(tmp_path):
    return write_dataset(tmp_path / "raw", SHAPES, orientations=("RAS", "LIP"))


@pytest.fixture
def members(tmp_path):
    return [member(tmp_path / f"member_{seed}", seed) for seed in range(3)]


def fuse(raw, members, target, **changes):
    splits = raw.parent / "splits.json"
    splits.write_text(json.dumps([{"val": ["case_00", "case_01"]}, {"val": ["case_01"]}]))
    arguments = {"splits": splits, "fold": "0"} | changes
    fuse_cases.main(dataset_json=raw, members=members, predictions=target, **arguments)
    return {path.name: nib.load(path) for path in sorted(target.glob("*.nii.gz"))}


def mean_of(members, name):
    return np.mean([np.load(folder / f"{name}.npy") for folder in members], axis=0)


def test_the_mean_of_the_probabilities_decides(raw, members, tmp_path):
    for name, found in fuse(raw, members, tmp_path / "out").items():
        mean = mean_of(members, name.removesuffix(".nii.gz"))
        np.testing.assert_array_equal(found.dataobj, mean.argmax(0))


def test_grid_and_affine_are_the_images(raw, members, tmp_path):
    for name, found in fuse(raw, members, tmp_path / "out").items():
        image = nib.load(raw.parent / "imagesTr" / name.replace(".", "_0000.", 1))
        assert found.shape == image.shape
        np.testing.assert_array_equal(found.affine, image.affine)


def test_the_cases_are_those_of_the_fold_or_the_new_ones(raw, members, tmp_path):
    assert list(fuse(raw, members, tmp_path / "fold", fold="1")) == ["case_01.nii.gz"]
    new = {"images": raw.parent / "imagesTr", "splits": None, "fold": None}
    assert len(fuse(raw, members, tmp_path / "new", **new)) == 2


def test_the_mean_is_saved_if_asked_for(raw, members, tmp_path):
    fuse(raw, members, tmp_path / "without")
    assert not list((tmp_path / "without").glob("*.npy"))
    fuse(raw, members, tmp_path / "with", save_probabilities=True)
    saved = np.load(tmp_path / "with/case_01.npy", allow_pickle=False)
    assert saved.dtype == np.float32
    np.testing.assert_allclose(saved, mean_of(members, "case_01"), atol=1e-7)


def test_post_processing_is_applied_and_leaves_the_probabilities(raw, members, tmp_path):
    steps = tmp_path / "postprocessing.json"
    steps.write_text(json.dumps({"steps": [{"labels": [2], "kept": True}]}))
    plain = fuse(raw, members, tmp_path / "plain")
    found = fuse(raw, members, tmp_path / "out", postprocessing=steps, save_probabilities=True)
    for name, image in found.items():
        before = np.asarray(plain[name].dataobj)
        np.testing.assert_array_equal(image.dataobj, keep_largest(before, (2,)))
        assert (before != image.dataobj).any()
    mean = mean_of(members, "case_00")
    np.testing.assert_allclose(np.load(tmp_path / "out/case_00.npy"), mean, atol=1e-7)


def test_no_folder_is_there_before_it_has_all_cases(raw, members, tmp_path):
    (members[2] / "case_01.npy").unlink()
    with pytest.raises(ValueError, match="case_01: found no probabilities"):
        fuse(raw, members, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_mean_at_a_time_is_held(tmp_path):
    shape = (16, 48, 40, 24)
    raw = write_dataset(tmp_path / "raw", [shape[1:]] * 2, classes=15)
    for case in range(2):
        write_npy(tmp_path / f"a/case_{case:02d}.npy", np.full(shape, 1 / 16, np.float32))
    members = [tmp_path / "a"] * 2
    peak = peak_memory(fuse, raw, members, tmp_path / "out", save_probabilities=True)
    assert peak < 1.5 * np.prod(shape) * np.float32().nbytes


def test_a_member_that_lacks_a_case_is_named(raw, members, tmp_path):
    (members[2] / "case_01.npy").unlink()
    with pytest.raises(ValueError, match=r"case case_01: .*member_2/case_01\.npy"):
        fuse(raw, members, tmp_path / "out")
