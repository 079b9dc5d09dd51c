"""Training one fold."""

import json
import logging

import numpy as np
import pandas as pd
import pytest
import torch

import train_fold
from chain import Chain, analyse, export, plan
from defaults import training_settings
from scans import write_dataset
from slicewise import patches
from slicewise.selection import parse_selection
from slicewise.slices import ExportedCase, open_cases

SETTINGS = training_settings() | {
    "epochs": 3,
    "iterations_per_epoch": 2,
    "validation_iterations": 1,
    "batch_size": 2,
    "device": "cpu",
    "threads": 1,
    "checkpoint_every": 1,
}


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    raw = write_dataset(folder / "raw", [(18, 16, 6)] * 4, spacing=(1, 1, 4), classes=1)
    return export(plan(analyse(Chain(raw, folder))))


def train(chain, folder, pretrained=(), **changes):
    """Train and return the checkpoint's weights and the history."""
    train_fold.main(
        dataset_json=chain.dataset_json,
        manifests=[chain.manifest],
        arrays=chain.arrays,
        plan=chain.plan,
        splits=chain.splits,
        fold=0,
        seed=0,
        settings=SETTINGS | changes,
        checkpoint=folder / "checkpoint_final.pt",
        history=folder / "history.csv",
        pretrained=pretrained,
    )
    weights = torch.load(folder / "checkpoint_final.pt", weights_only=True)["network"]
    return weights, pd.read_csv(folder / "history.csv")


@pytest.fixture(scope="module")
def trained(chain, tmp_path_factory):
    return train(chain, tmp_path_factory.mktemp("whole"))


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_history_has_a_row_per_epoch(trained):
    _, history = trained
    assert history["epoch"].tolist() == [0, 1, 2]
    assert {"train_loss", "validation_loss", "pseudo_dice", "pseudo_dice_class1"} <= set(history)
    np.testing.assert_allclose(history["learning_rate"], 0.01 * (1 - np.arange(3) / 3) ** 0.9)


def test_a_second_run_gives_the_same_weights(trained, chain, tmp_path):
    assert same(trained[0], train(chain, tmp_path, loader_workers=0)[0])


@pytest.mark.parametrize(("epoch", "size"), [(1, None), (2, None), (2, 1)])
def test_a_killed_run_goes_on_to_the_same_weights(chain, tmp_path, monkeypatch, epoch, size):
    steps, parts = train_fold.Training.step, {"micro_batch_size": size}
    whole = train(chain, tmp_path / "whole", **parts)

    def until_killed(training, batch):
        if len(training.history) == epoch:
            raise KeyboardInterrupt
        return steps(training, batch)

    monkeypatch.setattr(train_fold.Training, "step", until_killed)
    with pytest.raises(KeyboardInterrupt):
        train(chain, tmp_path, **parts)
    monkeypatch.setattr(train_fold.Training, "step", steps)
    taken = []
    monkeypatch.setattr(train_fold.Training, "step", lambda t, b: taken.append(1) or steps(t, b))
    weights, history = train(chain, tmp_path, **parts)
    assert len(taken) == 2 * (3 - epoch)
    assert same(whole[0], weights)
    pd.testing.assert_frame_equal(whole[1], history)
    assert not (tmp_path / "checkpoint_latest.pt").exists()


def test_a_checkpoint_of_other_settings_is_not_resumed(chain, tmp_path, trained):
    state = {"identity": "of another training", "network": {}}
    torch.save(state, tmp_path / "checkpoint_latest.pt")
    assert same(trained[0], train(chain, tmp_path)[0])


@pytest.mark.parametrize("size", [None, 1])
def test_a_checkpoint_of_other_parts_of_a_batch_is_not_resumed(chain, tmp_path, monkeypatch, size):
    """Parts change the rounding, so they are of what makes a training."""
    found = []
    monkeypatch.setattr(train_fold, "resume", lambda *arguments: found.append(arguments[2]))
    for each in (2, size):
        train(chain, tmp_path, micro_batch_size=each, epochs=1)
    assert found[0] != found[1]


def test_the_learning_rate_changes_the_weights(trained, chain, tmp_path):
    assert not same(trained[0], train(chain, tmp_path, learning_rate=0.02)[0])


def test_pretrained_weights_change_where_a_training_starts(trained, chain, tmp_path):
    first = tmp_path / "first.pt"
    torch.save({"network": trained[0], "plan": "{}"}, first)
    assert not same(trained[0], train(chain, tmp_path / "a", pretrained=[first])[0])


def test_a_training_from_other_weights_is_not_resumed(trained, chain, tmp_path, monkeypatch):
    """The path of the weights may stay: what is in the file makes the training."""
    found, first = [], tmp_path / "first.pt"
    monkeypatch.setattr(train_fold, "resume", lambda *arguments: found.append(arguments[2]))
    for factor in (1, 2):
        weights = {name: factor * values for name, values in trained[0].items()}
        torch.save({"network": weights, "plan": "{}"}, first)
        train(chain, tmp_path / "a", pretrained=[first], epochs=1)
    assert found[0] != found[1]


def test_training_without_deep_supervision_and_augmentation_runs(chain, tmp_path):
    _, history = train(chain, tmp_path, deep_supervision=False, augmentation="none", epochs=1)
    assert np.isfinite(history["train_loss"]).all()


def test_a_network_learns_a_bright_box(chain, tmp_path):
    settings = {"epochs": 6, "iterations_per_epoch": 12, "momentum": 0.9, "batch_size": 6}
    _, history = train(chain, tmp_path, **settings, augmentation="none")
    assert history["pseudo_dice"].iloc[-1] > 0.8


@pytest.mark.parametrize(
    ("labels", "order", "named"),
    [
        ({"both": [1, 2], "second": 2}, [1, 2], {"both", "second"}),
        ({"class1": 1, "ignore": 2}, None, {"class1"}),
        ({"both": [1, 2], "second": [2], "ignore": 3}, [1, 2], {"both", "second"}),
    ],
)
def test_regions_and_ignored_voxels_are_learnt_from(tmp_path, labels, order, named):
    path = write_dataset(tmp_path / "raw", [(18, 16, 6)] * 4, spacing=(1, 1, 4))
    content = json.loads(path.read_text())
    content |= {"labels": {"background": 0, **labels}, "regions_class_order": order}
    path.write_text(json.dumps(content))
    chain = export(plan(analyse(Chain(path, tmp_path))))
    settings = {"epochs": 6, "iterations_per_epoch": 12, "momentum": 0.9, "batch_size": 6}
    _, history = train(chain, tmp_path, **settings, augmentation="none")
    last = history.iloc[-1]
    found = {name for name in history if name.startswith("pseudo_dice_")}
    assert found == {f"pseudo_dice_{name}" for name in named}
    assert last["pseudo_dice"] > 0.7


@pytest.fixture
def drawn(monkeypatch):
    """Return where the positions that a training draws are noted, by the cases drawn from."""
    noted, draw = [], patches.Sampler.draw

    def draw_and_note(sampler, *rest):
        positions = draw(sampler, *rest)
        noted.extend((sampler.cases[case], index) for case, index, *_ in positions.tolist())
        return positions

    monkeypatch.setattr(patches.Sampler, "draw", draw_and_note)
    return noted


def test_training_draws_the_chosen_slices_only(chain, tmp_path, drawn):
    train(chain, tmp_path, slices="central 2", epochs=1)
    assert {index for _, index in drawn} == {2, 3}


def test_training_draws_the_share_of_empty_slices(chain, tmp_path, drawn):
    settings = {"empty_slices": 0.5, "batch_size": 4, "epochs": 1, "loader_workers": 0}
    train(chain, tmp_path, **settings)
    filled = [bool(case.counts[:, index].any()) for case, index in drawn]
    assert filled == [False, False, True, True] * (len(filled) // 4)


def test_the_defaults_spelt_out_train_the_same_weights(trained, chain, tmp_path):
    assert same(trained[0], train(chain, tmp_path, slices="all", empty_slices=None)[0])


def test_training_on_slices_that_no_case_has_is_refused(chain, tmp_path):
    with pytest.raises(ValueError, match=r"training\.slices: found '900 to 950 mm'"):
        train(chain, tmp_path, slices="900 to 950 mm")


def test_only_training_insists_on_its_chosen_slices(chain, caplog):
    cases = open_cases(chain.arrays, ["case_00"])
    nowhere = parse_selection("900 to 950 mm")
    with pytest.raises(ValueError, match=r"training\.slices: found '900 to 950 mm'"):
        train_fold.chosen_cases(cases, nowhere, 0, "train")
    assert train_fold.chosen_cases(cases, nowhere, 0, "val") == cases
    assert "validation batches are of all slices" in caplog.text


def test_only_training_insists_on_its_share_of_empty_slices(caplog):
    case = ExportedCase("a", None, np.ones((2, 3, 3)), np.array([[9, 9]]), None)
    with pytest.raises(ValueError, match=r"training\.empty_slices: found 0\.1"):
        train_fold.share_of_empty([case], 0.1, "train")
    with caplog.at_level(logging.WARNING, "slicewise"):
        assert train_fold.share_of_empty([case], 0.1, "val") is None
    assert "validation batches take slices as they come" in caplog.text


def test_pseudo_dice_is_the_mean_of_the_classes_that_exist():
    row = train_fold.history_row(0, 0.01, (1.0, 2.0), 0, {"a": 0.5, "b": float("nan")}, None)
    assert row["pseudo_dice"] == row["ema_pseudo_dice"] == 0.5
    row = train_fold.history_row(1, 0.01, (1.0, 2.0), 0, {"a": 1.0, "b": 1.0}, 0.5)
    assert row["ema_pseudo_dice"] == pytest.approx(0.55)


def test_a_class_named_ema_has_a_column_of_its_own():
    row = train_fold.history_row(1, 0.01, (1.0, 2.0), 0, {"ema": 1.0, "b": 0.0}, 0.1)
    assert row["pseudo_dice_ema"] == 1.0
    assert row["ema_pseudo_dice"] == pytest.approx(0.14)
