"""Our networks, written as nnU-Net's models."""

import json

import pytest
import torch

import export_model
from models import MODELS, PLAIN, bring_in, send_out
from scans import write_decathlon
from slicewise.dataset import open_dataset
from slicewise.files import read_json
from slicewise.nnunet_checkpoints import read_checkpoint
from slicewise.user_plans import read_user_plan

KEYS = {
    "network_weights",
    "optimizer_state",
    "grad_scaler_state",
    "logging",
    "_best_ema",
    "current_epoch",
    "init_args",
    "trainer_name",
    "inference_allowed_mirroring_axes",
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return send_out(bring_in(PLAIN, tmp_path_factory.mktemp("export")))


def checkpoint(model):
    return read_checkpoint(model / "fold_0/checkpoint_final.pth")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_weights_have_nnunets_names_shapes_and_values(model, tmp_path):
    found = checkpoint(send_out(bring_in(model, tmp_path)))["network_weights"]
    expected = read_checkpoint(model.checkpoint)["network_weights"]
    assert set(found) == set(expected)
    for name, weights in expected.items():
        assert torch.equal(found[name], weights), name


def test_a_checkpoint_holds_what_nnunets_trainer_loads(exported):
    content, theirs = checkpoint(exported), read_checkpoint(PLAIN.checkpoint)
    assert set(content) == set(theirs) == KEYS
    assert content["current_epoch"] == theirs["current_epoch"] == 2
    assert content["_best_ema"] == pytest.approx(theirs["_best_ema"])
    assert set(content["init_args"]) == set(theirs["init_args"])
    assert set(content["logging"]) == set(theirs["logging"])
    assert content["init_args"]["device"] == torch.device("cpu")


def test_the_optimiser_numbers_weights_as_nnunets_does(exported):
    (ours,), (theirs,) = (
        content["optimizer_state"]["param_groups"]
        for content in (checkpoint(exported), read_checkpoint(PLAIN.checkpoint))
    )
    assert ours["params"] == theirs["params"]
    assert {**ours, "lr": theirs["lr"]} == theirs


def test_the_trainer_of_an_imported_model_stays(exported):
    content = checkpoint(exported)
    assert exported.name == "nnUNetTrainer_onlyMirror01__nnUNetPlans__2d"
    assert content["trainer_name"] == "nnUNetTrainer_onlyMirror01"
    assert content["inference_allowed_mirroring_axes"] == (0,)


def test_a_network_of_our_own_is_nnunets_default_trainers(tmp_path):
    folder = bring_in(PLAIN, tmp_path)
    saved = torch.load(folder / "checkpoint_final.pt", weights_only=True)
    own = {name: saved[name] for name in ("network", "plan")}
    torch.save(own, folder / "checkpoint_final.pt")
    model = send_out(folder)
    assert model.name == "nnUNetTrainer__nnUNetPlans__2d"
    assert checkpoint(model)["inference_allowed_mirroring_axes"] == (0, 1)


def test_nnunet_does_not_mirror_where_we_do_not(tmp_path):
    model = send_out(bring_in(PLAIN, tmp_path), mirroring=False)
    assert checkpoint(model)["inference_allowed_mirroring_axes"] is None


def test_the_folder_holds_every_fold_and_what_describes_it(tmp_path):
    folder = bring_in(PLAIN, tmp_path)
    twice = {"checkpoints": [folder / "checkpoint_final.pt"] * 2}
    twice["histories"] = [folder / "history.csv"] * 2
    model = send_out(folder, folds=[0, 3], **twice)
    files = {str(path.relative_to(folder / "exported")) for path in model.rglob("*.*")}
    inside = f"results/{model.name}"
    assert files == {
        f"{inside}/{name}"
        for name in (
            "dataset.json",
            "plans.json",
            "dataset_fingerprint.json",
            "splits_final.json",
            "fold_0/checkpoint_final.pth",
            "fold_3/checkpoint_final.pth",
        )
    }
    assert {path.name for path in (folder / "exported/preprocessed").iterdir()} == {
        "dataset.json",
        "nnUNetPlans.json",
        "dataset_fingerprint.json",
        "splits_final.json",
    }


def test_plans_and_checkpoint_name_the_dataset(exported):
    plans = read_json(exported / "plans.json")
    assert plans["dataset_name"] == "Dataset007_Mine"
    assert checkpoint(exported)["init_args"]["plans"] == plans


def test_an_exported_plan_is_one_that_can_be_used_again(exported):
    again = read_user_plan(exported / "plans.json", channels=1, reorient=False)
    assert again["configurations"]["2d"] == PLAIN.plan()["configurations"]["2d"]


def test_an_exported_model_can_be_brought_in_again(exported, tmp_path):
    folder = bring_in(
        PLAIN,
        tmp_path,
        model_checkpoint=exported / "fold_0/checkpoint_final.pth",
        model_dataset_json=exported / "dataset.json",
        configuration="2d",
    )
    first = read_checkpoint(PLAIN.checkpoint)["network_weights"]
    again = checkpoint(send_out(folder))["network_weights"]
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_the_decathlons_description_becomes_nnunets(tmp_path):
    found = export_model.dataset_description(open_dataset(write_decathlon(tmp_path)))
    assert found["channel_names"] == {"0": "T2", "1": "ADC"}
    assert found["labels"] == {"background": 0, "PZ": 1, "TZ": 2}
    assert found["file_ending"] == ".nii.gz"
    assert not {"modality", "training"} & set(found)


def test_regions_in_the_decathlons_layout_stay_what_they_are(tmp_path):
    path = write_decathlon(tmp_path)
    regions = {"background": 0, "whole": [1, 2], "TZ": 2}
    path.write_text(json.dumps(read_json(path) | {"labels": regions}))
    assert export_model.dataset_description(open_dataset(path))["labels"] == regions
