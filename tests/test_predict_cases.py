"""Segmentations on each input's own grid."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch

import predict_cases
from chain import Chain, analyse, export, plan
from scans import (
    ORIENTATIONS,
    affine_of,
    peak_memory,
    volume,
    write_case,
    write_dataset,
    write_json_of,
)
from slicewise import files
from slicewise.dataset import open_dataset
from slicewise.files import read_json, write_nifti, write_torch
from slicewise.network import build_network, initialise
from slicewise.plans import read_plan
from slicewise.postprocessing import keep_largest
from slicewise.problems import BadInput

INFERENCE = {"mirroring": False, "tile_step": 0.5, "gaussian": True, "batch_size": 4}


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predict")
    raw = write_dataset(
        folder / "raw",
        [(18, 16, 6), (16, 18, 7)] * 2,
        spacing=(1.0, 1.2, 4.0),
        orientations=("RAS", "LIP"),
    )
    chain = export(plan(analyse(Chain(raw, folder))))
    dataset, planned = open_dataset(raw), read_plan(chain.plan)
    for seed in range(2):
        network = build_network(planned, 1, dataset.labels.outputs)
        initialise(network, seed)
        write_torch(folder / f"{seed}.pt", {"network": network.state_dict()})
    return chain


def predict(chain, target, checkpoints=("0.pt",), **changes):
    arguments = {
        "dataset_json": chain.dataset_json,
        "plan": chain.plan,
        "orientation": chain.orientation,
        "checkpoints": [chain.folder / name for name in checkpoints],
        "inference": INFERENCE,
        "device": "cpu",
        "threads": 1,
        "predictions": target,
    }
    predict_cases.main(**(arguments | changes))
    return {path.name: nib.load(path) for path in sorted(target.glob("*.nii.gz"))}


def fold_of(chain):
    return {"splits": chain.splits, "fold": "0", "arrays": chain.arrays}


def test_the_validation_cases_of_the_fold_are_predicted(chain, tmp_path):
    found = predict(chain, tmp_path, **fold_of(chain))
    assert list(found) == [f"{name}.nii.gz" for name in read_json(chain.splits)[0]["val"]]


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_prediction_repeats_where_it_is_asked_to(chain, tmp_path, monkeypatch, deterministic):
    asked = []
    monkeypatch.setattr(predict_cases, "set_determinism", lambda *given: asked.append(given))
    predict(chain, tmp_path, **fold_of(chain), deterministic=deterministic)
    assert asked == [(torch.device("cpu"), deterministic)]


def test_grid_header_and_type_are_the_inputs(chain, tmp_path):
    for name, found in predict(chain, tmp_path, **fold_of(chain)).items():
        image = nib.load(chain.dataset_json.parent / "imagesTr" / name.replace(".", "_0000.", 1))
        assert found.shape == image.shape
        np.testing.assert_array_equal(found.affine, image.affine)
        assert found.header.get_zooms() == image.header.get_zooms()
        assert found.get_data_dtype() == np.uint8
        assert found.header["sform_code"] == image.header["sform_code"]


def test_new_images_are_predicted_as_exported_ones_are(chain, tmp_path):
    """The same scan through its exported array and as a new image gives the same voxels."""
    images = chain.dataset_json.parent / "imagesTr"
    new = predict(chain, tmp_path / "new", images=images)
    fold = predict(chain, tmp_path / "fold", **fold_of(chain))
    assert set(fold) < set(new)
    for name, segmentation in fold.items():
        np.testing.assert_array_equal(segmentation.dataobj, new[name].dataobj)


def test_two_networks_are_an_ensemble(chain, tmp_path):
    one = predict(chain, tmp_path / "a", ("0.pt",), **fold_of(chain))
    other = predict(chain, tmp_path / "b", ("1.pt",), **fold_of(chain))
    both = predict(chain, tmp_path / "c", ("0.pt", "1.pt"), **fold_of(chain))
    same = predict(chain, tmp_path / "d", ("0.pt", "0.pt"), **fold_of(chain))
    for name in one:
        assert not np.array_equal(one[name].dataobj, other[name].dataobj)
        assert not np.array_equal(both[name].dataobj, one[name].dataobj)
        np.testing.assert_array_equal(same[name].dataobj, one[name].dataobj)


def of_every_orientation(folder, spacing):
    """Write a case in each of the 48 orientations, as bright as its label, and analyse them."""
    for orientation in ORIENTATIONS:
        letters = orientation.translate(str.maketrans("LPI", "RAS"))
        size = {"R": 10, "A": 12, "S": 5}
        _, label = volume([size[letter] for letter in letters], seed=1)
        affine = affine_of(orientation, [spacing[letter] for letter in letters])
        image = (label + 1).astype(np.float32)
        write_case(folder / "raw", f"stored_{orientation}", [image], label, affine)
    return Chain(write_json_of(folder / "raw", 48, channels=("noNorm",)), folder)


def by_brightness(image, *_, **__):
    """Stand in for a network that reads the label from the brightness of an image."""
    return np.stack([-np.abs(image[:, 0] - 1 - value) for value in range(3)])


@pytest.mark.parametrize("order", ["finest_last", "plans"])
def test_predictions_lie_on_the_files_grid_whatever_the_transposition(tmp_path, monkeypatch, order):
    """Labels come back voxel for voxel: turned to RAS+ or, with a plan's (2, 1, 0), as stored."""
    monkeypatch.setattr(predict_cases, "predict_logits", by_brightness)
    if order == "finest_last":
        chain = of_every_orientation(tmp_path, {"R": 1.5, "A": 1.0, "S": 4.0})
        plan(analyse(chain, reorient="always"), in_plane_order=order)
        assert read_json(chain.plan)["transpose_forward"] == [0, 2, 1]
    else:
        chain = of_every_orientation(tmp_path, {"R": 1.0, "A": 1.0, "S": 1.0})
        content = read_json(plan(analyse(chain, reorient="never")).plan)
        content |= {"transpose_forward": [2, 1, 0], "transpose_backward": [2, 1, 0]}
        own = tmp_path / "own.json"
        own.write_text(json.dumps(content))
        plan(chain, plans=own)
    export(chain)
    write_torch(
        tmp_path / "0.pt", {"network": build_network(read_plan(chain.plan), 1, 3).state_dict()}
    )
    found = {}
    for fold in "01":
        where = {"splits": chain.splits, "fold": fold, "arrays": chain.arrays}
        found |= predict(chain, tmp_path / f"out_{fold}", **where)
    assert len(found) == 48
    for name, segmentation in found.items():
        truth = nib.load(tmp_path / "raw/labelsTr" / name)
        np.testing.assert_array_equal(segmentation.dataobj, truth.dataobj)
        np.testing.assert_array_equal(segmentation.affine, truth.affine)


def test_the_logits_and_probabilities_of_one_case_at_a_time_are_held(tmp_path, monkeypatch):
    shape = (16, 48, 40, 24)
    raw = write_dataset(tmp_path / "raw", [shape[1:]] * 2, classes=15)
    chain = plan(analyse(Chain(raw, tmp_path)))
    monkeypatch.setattr(predict_cases, "load_networks", lambda *_: [])
    monkeypatch.setattr(
        predict_cases,
        "predict_logits",
        lambda image, *_, **__: np.ones((16, len(image), *image.shape[2:]), np.float32),
    )
    images = {"images": raw.parent / "imagesTr", "save_probabilities": True}
    peak = peak_memory(predict, chain, tmp_path / "out", **images)
    assert peak < 2.5 * np.prod(shape) * np.float32().nbytes


def test_new_images_need_no_label_and_any_orientation(chain, tmp_path):
    image, _ = volume((7, 15, 17))
    affine = affine_of("SAL", (4.0, 1.2, 1.0))
    write_nifti(tmp_path / "new" / "visitor_0000.nii.gz", nib.Nifti1Image(image, affine))
    found = predict(chain, tmp_path / "out", images=tmp_path / "new")
    assert found["visitor.nii.gz"].shape == (7, 15, 17)


def test_a_new_image_that_is_cut_off_is_named(chain, tmp_path):
    path = tmp_path / "new" / "visitor_0000.nii.gz"
    write_nifti(path, nib.Nifti1Image(volume((7, 15, 17))[0], np.eye(4)))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(BadInput, match=r"^case visitor: .*_0000\.nii\.gz: found a gzip .* cut off"):
        predict(chain, tmp_path / "out", images=tmp_path / "new")


def test_an_orientation_that_training_did_not_see_is_refused(chain, tmp_path):
    image, _ = volume((7, 15, 17))
    affine = affine_of("SAL", (4.0, 1.2, 1.0))
    write_nifti(tmp_path / "new" / "visitor_0000.nii.gz", nib.Nifti1Image(image, affine))
    stored = tmp_path / "orientation.json"
    stored.write_text('{"reorient": false, "orientation": "RAS", "orientations": {"RAS": 4}}')
    with pytest.raises(ValueError, match=r"visitor.*stored as SAL, expected \['RAS'\]"):
        predict(chain, tmp_path / "out", images=tmp_path / "new", orientation=stored)


def test_probabilities_go_beside_the_predictions_or_to_a_folder_of_their_own(chain, tmp_path):
    plain = predict(chain, tmp_path / "plain", **fold_of(chain))
    assert not list((tmp_path / "plain").glob("*.npy"))
    apart = tmp_path / "probabilities"
    predict(chain, tmp_path / "a", probabilities=apart, **fold_of(chain))
    predict(chain, tmp_path / "b", save_probabilities=True, **fold_of(chain))
    for name, segmentation in plain.items():
        case = name.removesuffix(".nii.gz")
        found = np.load(apart / f"{case}.npy", allow_pickle=False)
        np.testing.assert_array_equal(found, np.load(tmp_path / f"b/{case}.npy"))
        assert found.shape == (3, *segmentation.shape)
        np.testing.assert_allclose(found.sum(0), 1, atol=1e-6)
        np.testing.assert_array_equal(found.argmax(0), segmentation.dataobj)


def test_no_folder_is_there_before_it_has_all_cases(chain, tmp_path, monkeypatch):
    written = []

    def fail_at_the_second(folder, case, found):
        written.append(case.name)
        if len(written) == 2:
            raise OSError
        files.write_npy(folder / f"{case.name}.npy", found)

    monkeypatch.setattr(predict_cases, "write_probabilities", fail_at_the_second)
    images = chain.dataset_json.parent / "imagesTr"
    with pytest.raises(OSError):  # noqa: PT011
        predict(chain, tmp_path / "a", images=images, probabilities=tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_post_processing_is_applied(chain, tmp_path):
    steps = tmp_path / "postprocessing.json"
    steps.write_text('{"steps": [{"labels": [1], "kept": true}]}')
    images = chain.dataset_json.parent / "imagesTr"
    plain = predict(chain, tmp_path / "plain", ("1.pt",), images=images)
    found = predict(chain, tmp_path / "out", ("1.pt",), images=images, postprocessing=steps)
    for name, segmentation in found.items():
        before = np.asarray(plain[name].dataobj)
        np.testing.assert_array_equal(segmentation.dataobj, keep_largest(before, (1,)))
        assert (before != segmentation.dataobj).any()


def test_a_checkpoint_of_another_network_is_named(chain, tmp_path):
    write_torch(tmp_path / "other.pt", {"network": {"w": torch.ones(1)}})
    with pytest.raises(ValueError, match=r"other\.pt: found the weights of another network"):
        predict(chain, tmp_path / "out", [tmp_path / "other.pt"], **fold_of(chain))
