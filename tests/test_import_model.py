"""Models that nnU-Net trained, brought in: their weights, their curve, and what they predict."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch

import predict_cases
from models import MODELS, PLAIN, REGIONS, bring_in
from slicewise.files import read_json

INFERENCE = {"mirroring": True, "tile_step": 0.5, "gaussian": True, "batch_size": 4}


def predict(folder, model, **changes):
    """Predict the recorded images and return the segmentation."""
    predict_cases.main(
        dataset_json=folder / "dataset.json",
        plan=folder / "plans.json",
        orientation=folder / "orientation.json",
        checkpoints=[folder / "checkpoint_final.pt"],
        inference=INFERENCE | changes,
        device="cpu",
        threads=1,
        predictions=folder / "predicted",
        images=model.images,
    )
    return np.asarray(nib.load(folder / "predicted/case_0.nii.gz").dataobj)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_an_imported_model_predicts_what_it_predicts_in_nnunet(model, tmp_path):
    found = predict(bring_in(model, tmp_path), model)
    expected = np.asarray(nib.load(model.prediction).dataobj)
    assert (expected > 0).sum() > 100
    assert (found == expected).mean() >= 0.999


def test_it_mirrors_along_the_axes_that_its_trainer_allows(tmp_path):
    """Mirroring along both axes or none would change voxels of the recorded prediction."""
    folder = bring_in(PLAIN, tmp_path)
    expected = np.asarray(nib.load(PLAIN.prediction).dataobj)
    checkpoint = folder / "checkpoint_final.pt"
    saved = torch.load(checkpoint, weights_only=True)
    assert saved["mirror_axes"] == [0]
    for axes in ([], [0, 1], [1]):
        torch.save(saved | {"mirror_axes": axes}, checkpoint)
        assert not np.array_equal(predict(folder, PLAIN), expected)


def test_the_trainer_and_the_plan_are_recorded(tmp_path):
    saved = torch.load(bring_in(PLAIN, tmp_path) / "checkpoint_final.pt", weights_only=True)
    assert saved["trainer"] == "nnUNetTrainer_onlyMirror01"
    assert json.loads(saved["plan"]) == PLAIN.plan()


def test_the_curve_has_our_columns(tmp_path):
    history = pd.read_csv(bring_in(REGIONS, tmp_path) / "history.csv")
    assert list(history) == [
        "epoch",
        "learning_rate",
        "train_loss",
        "validation_loss",
        "pseudo_dice",
        "pseudo_dice_whole",
        "pseudo_dice_core",
        "ema_pseudo_dice",
    ]


def test_fold_all_has_no_cases_to_hold_out(tmp_path):
    folder = bring_in(PLAIN, tmp_path, fold="all", history=None)
    assert (folder / "checkpoint_final.pt").exists()
    assert not (folder / "history.csv").exists()


def test_another_configuration_is_told(tmp_path):
    expected = r"found a network of the configuration 2d_small, expected 2d; set model\.config"
    with pytest.raises(ValueError, match=expected):
        bring_in(PLAIN, tmp_path, configuration="2d")


def test_weights_that_are_not_of_the_plans_network_name_the_trainer(tmp_path):
    folder = bring_in(PLAIN, tmp_path)
    plan = PLAIN.plan()
    plan["configurations"]["2d"]["architecture"]["arch_kwargs"]["features_per_stage"] = [4, 6, 9]
    (folder / "other.json").write_text(json.dumps(plan))
    with pytest.raises(ValueError, match=r"not the network of the plan.*Trainer_onlyMirror01"):
        bring_in(PLAIN, tmp_path, plan=folder / "other.json")


def test_the_models_own_folds_are_compared(tmp_path):
    folder = bring_in(PLAIN, tmp_path)
    theirs = [{"train": ["case_0", "case_1"], "val": ["case_2"]}]
    (folder / "theirs.json").write_text(json.dumps(theirs))
    with pytest.raises(ValueError, match=r"fold 0 was trained on case_0"):
        bring_in(PLAIN, tmp_path, model_splits=[folder / "theirs.json"])


def test_a_fold_that_the_model_may_know_is_refused(tmp_path):
    """The recorded folder has no folds: of five, its fold 0 was trained on all but case_0."""
    ours = bring_in(PLAIN, tmp_path) / "ours.json"
    ours.write_text(json.dumps([{"train": ["case_3", "case_4"], "val": ["case_0", "case_1"]}]))
    with pytest.raises(ValueError, match=r"fold 0 was trained on case_1, held out here; set cross"):
        bring_in(PLAIN, tmp_path, splits=ours)


def test_names_of_classes_may_differ(tmp_path):
    """What counts are their values; a warning is logged."""
    folder = bring_in(PLAIN, tmp_path)
    renamed = read_json(PLAIN.dataset_json) | {"labels": {"background": 0, "a": 1, "b": 2}}
    renamed["dataset"] = read_json(folder / "dataset.json")["dataset"]
    (folder / "renamed.json").write_text(json.dumps(renamed))
    bring_in(PLAIN, tmp_path, dataset_json=folder / "renamed.json")
    assert "pseudo_dice_a" in pd.read_csv(folder / "history.csv")
