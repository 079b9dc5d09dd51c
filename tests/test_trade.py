"""Trade with nnU-Net through the workflow: a recorded model in, scored slice by slice, and out."""

import shutil

import pandas as pd
import pytest
import torch
import yaml

from checkouts import TINY, checkout
from models import PLAIN
from scans import write_dataset
from slicewise.nnunet_checkpoints import read_checkpoint

MODEL = {"nnunet": str(PLAIN.folder), "configuration": PLAIN.configuration}


@pytest.fixture
def own(root, tmp_path):
    """Return a checkout with a raw dataset that the recorded model could have been trained on."""
    made = checkout(root, tmp_path)
    write_dataset(tmp_path / "Dataset001_Own", [(24, 22, 6)] * 5, spacing=(1, 1, 3))
    configure(made)
    return made


def configure(made, experiments=None, run=(0,), **changes):
    content = {
        "datasets": {"own": {"raw": str(made.folder / "Dataset001_Own")}},
        "experiments": experiments or {"theirs": {"model": MODEL}},
        "cross_validation": {"folds": 5, "run": list(run)},
        "training": TINY["training"],
    }
    (made.folder / "tiny.yaml").write_text(yaml.safe_dump(content | changes))


def test_an_imported_model_takes_the_place_of_a_training(own):
    jobs = own.jobs("evaluate")
    assert jobs["import_model"] == 1
    assert "train_fold" not in jobs


def test_an_imported_model_is_compared_with_one_trained_here(own):
    configure(own, {"theirs": {"model": MODEL}, "ours": {}}, run=[0])
    jobs = own.jobs()
    assert (jobs["import_model"], jobs["train_fold"]) == (1, 1)
    assert jobs["evaluate_fold"] == 2


def test_an_imported_model_is_scored_slice_by_slice_and_goes_out_unchanged(own):
    done = own.snakemake("evaluate", "export_nnunet", "--configfile", "tiny.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    folder = own.folder / "results/own/theirs"
    scores = pd.read_csv(folder / "fold-0_seed-0/per_slice.csv")
    assert len(scores) == 2 * 6
    (path,) = (folder / "nnunet/seed-0/results").glob("*/fold_0/checkpoint_final.pth")
    found, expected = (read_checkpoint(one)["network_weights"] for one in (path, PLAIN.checkpoint))
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_missing_fold_stops_before_the_first_job(own):
    configure(own, run=[0, 1])
    done = own.snakemake("evaluate", "--configfile", "tiny.yaml")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "found no such file, but of fold 0, expected one for each fold of 0, 1" in said
    assert "Traceback" not in said


def test_a_network_trained_on_every_case_predicts_and_is_not_scored(own):
    folder = own.folder / PLAIN.folder.name
    shutil.copytree(PLAIN.folder, folder)
    (folder / "fold_0").rename(folder / "fold_all")
    images = str(own.folder / "Dataset001_Own/imagesTr")
    theirs = {"model": MODEL | {"nnunet": str(folder), "fold": "all"}}
    configure(own, {"theirs": theirs}, inference={"images": images})
    jobs = own.jobs("predict")
    assert jobs["import_fold_all"] == jobs["predict_images"] == 1
    done = own.snakemake("evaluate", "--dry-run", "--configfile", "tiny.yaml")
    assert done.returncode != 0
    assert "no case is left to score it on" in done.stdout + done.stderr


def test_pretrained_weights_are_an_input_of_the_training(own):
    training = {"epochs": 1, "pretrained": str(own.folder / "none.pth")}
    configure(own, {"ours": {}}, training=training)
    done = own.snakemake("train", "--dry-run", "--configfile", "tiny.yaml")
    assert done.returncode != 0
    assert "none.pth" in done.stdout + done.stderr
    shutil.copy(PLAIN.checkpoint, own.folder / "none.pth")
    assert own.jobs("train")["train_fold"] == 1


def test_folds_beside_the_dataset_are_an_input_of_the_split(own):
    (own.folder / "Dataset001_Own/splits_final.json").write_text("[]")
    done = own.snakemake("plan", "--configfile", "tiny.yaml")
    assert done.returncode != 0
    assert "found 0 folds, expected 5" in done.stdout + done.stderr
