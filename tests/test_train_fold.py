"""Training one fold."""

import json
import os
import shutil
import signal

import numpy as np
import pandas as pd
import pytest
import torch

import train_fold
from chain import Chain, analyse, export, plan
from defaults import training_settings
from scans import labels_of, write_dataset
from slicewise import patches
from slicewise.plans import read_plan
from slicewise.problems import BadInput
from slicewise.slices import open_cases

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


def train(chain, folder, pretrained=(), arrays=None, running=None, **changes):
    """Train, on other arrays where there are any; return the weights and the history."""
    train_fold.main(
        dataset_json=chain.dataset_json,
        manifests=[chain.manifest],
        arrays=arrays or chain.arrays,
        plan=chain.plan,
        splits=chain.splits,
        fold=0,
        seed=0,
        settings=SETTINGS | changes,
        running=running or {},
        checkpoint=folder / "checkpoint_final.pt",
        history=folder / "history.csv",
        pretrained=pretrained,
    )
    weights = torch.load(folder / "checkpoint_final.pt", weights_only=True)["network"]
    return weights, pd.read_csv(folder / "history.csv")


@pytest.fixture(scope="module")
def whole_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("whole")


@pytest.fixture(scope="module")
def trained(chain, whole_folder):
    return train(chain, whole_folder)


def files_in(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_history_has_a_row_per_epoch(trained):
    _, history = trained
    assert history["epoch"].tolist() == [0, 1, 2]
    assert {"train_loss", "validation_loss", "pseudo_dice", "pseudo_dice_class1"} <= set(history)
    np.testing.assert_allclose(history["learning_rate"], 0.01 * (1 - np.arange(3) / 3) ** 0.9)


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.usefixtures("trained")
def test_a_second_run_gives_the_same_bytes(whole_folder, chain, tmp_path, workers):
    train(chain, tmp_path, loader_workers=workers)
    assert files_in(tmp_path) == files_in(whole_folder)


@pytest.mark.usefixtures("trained")
def test_a_cpu_repeats_whether_it_is_asked_to_or_not(whole_folder, chain, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(train_fold, "set_determinism", lambda *given: asked.append(given))
    train(chain, tmp_path, deterministic=False)
    assert asked == [(torch.device("cpu"), False)]
    assert files_in(tmp_path) == files_in(whole_folder)


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
        train(chain, tmp_path / "killed", **parts)
    monkeypatch.setattr(train_fold.Training, "step", steps)
    taken = []
    monkeypatch.setattr(train_fold.Training, "step", lambda t, b: taken.append(1) or steps(t, b))
    weights, history = train(chain, tmp_path / "killed", **parts)
    assert len(taken) == 2 * (3 - epoch)
    assert same(whole[0], weights)
    pd.testing.assert_frame_equal(whole[1], history)
    assert files_in(tmp_path / "killed") == files_in(tmp_path / "whole")


def signal_at(monkeypatch, name, call):
    """Have a method of Training send SIGTERM to this process in its so many-th call from now."""
    real, made = getattr(train_fold.Training, name), []

    def signalling(*given):
        made.append(1)
        if len(made) == call:
            os.kill(os.getpid(), signal.SIGTERM)
        return real(*given)

    monkeypatch.setattr(train_fold.Training, name, signalling)
    return made


@pytest.mark.parametrize(
    ("name", "call", "steps"),
    [("step", 1, 1), ("step", 2, 2), ("step", 3, 3), ("validate", 1, 2), ("step", 6, 6)],
)
@pytest.mark.usefixtures("trained")
def test_a_run_that_is_told_to_end_loses_no_step(
    whole_folder, chain, tmp_path, monkeypatch, name, call, steps
):
    """Not even within an epoch, and with no checkpoint due for long."""
    with monkeypatch.context() as patched:
        signal_at(patched, name, call)
        with pytest.raises(SystemExit) as stopped:
            train(chain, tmp_path, checkpoint_every=50)
    assert stopped.value.code == 128 + signal.SIGTERM
    assert list(files_in(tmp_path)) == ["checkpoint_latest.pt"]
    taken = signal_at(monkeypatch, "step", None)
    train(chain, tmp_path, checkpoint_every=50)
    assert len(taken) == 6 - steps
    assert files_in(tmp_path) == files_in(whole_folder)


@pytest.mark.usefixtures("trained")
def test_a_run_goes_on_however_it_is_run(whole_folder, chain, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        signal_at(patched, "step", 3)
        with pytest.raises(SystemExit):
            train(chain, tmp_path, running={"checkpoint_every": 50, "loader_workers": 2})
    taken = signal_at(monkeypatch, "step", None)
    train(chain, tmp_path, running={"checkpoint_every": 1, "max_skipped_steps": 7})
    assert len(taken) == 3
    assert files_in(tmp_path) == files_in(whole_folder)


@pytest.mark.usefixtures("trained")
def test_a_run_that_is_told_to_end_when_it_has_ended_writes_all_it_has(
    whole_folder, chain, tmp_path, monkeypatch
):
    signal_at(monkeypatch, "end_epoch", 3)
    train(chain, tmp_path)
    assert files_in(tmp_path) == files_in(whole_folder)


@pytest.fixture
def spoil(chain, tmp_path):
    """Return what makes arrays of which some cases of fold 0 have a slice that is not finite."""

    def make(cases):
        arrays = shutil.copytree(chain.arrays, tmp_path / "spoilt")
        for name in json.loads(chain.splits.read_text())[0]["train"][:cases]:
            image = np.load(arrays / f"{name}.npy")
            image[2] = np.nan
            np.save(arrays / f"{name}.npy", image)
        return arrays

    return make


NOT_FINITE = {"slices": "central 1", "augmentation": "none", "epochs": 2}
"""Trains on one slice of each case."""


def test_skipped_steps_are_counted_and_survive_an_end_on_the_way(
    chain, tmp_path, spoil, monkeypatch
):
    changes = {"arrays": spoil(1), **NOT_FINITE, "iterations_per_epoch": 8, "batch_size": 1}
    weights, history = train(chain, tmp_path / "whole", **changes)
    assert all(0 < skipped < 8 for skipped in history["skipped_steps"])
    assert history["train_loss"].notna().all()
    assert all(values.isfinite().all() for values in weights.values())
    with monkeypatch.context() as patched:
        signal_at(patched, "step", 5)
        with pytest.raises(SystemExit):
            train(chain, tmp_path / "ended", **changes)
    train(chain, tmp_path / "ended", **changes)
    assert files_in(tmp_path / "ended") == files_in(tmp_path / "whole")


def test_a_validation_loss_that_is_not_finite_is_said_but_stops_nothing(
    chain, tmp_path, monkeypatch, caplog
):
    dice = np.array([np.nan])
    monkeypatch.setattr(train_fold.Training, "validate", lambda *_: (float("nan"), dice))
    _, history = train(chain, tmp_path)
    assert history["validation_loss"].isna().all()
    assert len(history) == 3
    assert "epoch 2: the validation loss is not finite" in caplog.text


def test_a_run_that_only_skips_stops_and_names_cases_and_slices(chain, tmp_path, spoil):
    first, second = json.loads(chain.splits.read_text())[0]["train"]
    changes = {"arrays": spoil(2), **NOT_FINITE, "batch_size": 6, "max_skipped_steps": 3}
    with pytest.raises(BadInput) as raised:
        train(chain, tmp_path / "out", **changes)
    said = str(raised.value).splitlines()
    assert said[0].startswith("training.max_skipped_steps: 3 steps in a row had a loss or")
    assert "the last of them step 0 of epoch 1 by its loss" in said[0]
    assert said[1:] == [
        f"  error: case {case}: slices 2 of the scan: found voxels that are not finite, expected "
        "finite voxels"
        for case in sorted((first, second))
    ]
    assert not (tmp_path / "out" / "history.csv").exists()


def test_what_is_finite_in_a_skipped_batch_comes_last(chain, tmp_path, spoil):
    spoilt, sound = json.loads(chain.splits.read_text())[0]["train"]
    changes = {"arrays": spoil(1), **NOT_FINITE, "batch_size": 8, "max_skipped_steps": 1}
    with pytest.raises(BadInput) as raised:
        train(chain, tmp_path / "out", **changes)
    first, second = raised.value.problems
    assert (first.case, second.case) == (spoilt, sound)
    assert second.found == "finite voxels"
    assert second.expected == "a finite loss"


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


@pytest.mark.parametrize(
    ("changes", "named", "instead"),
    [
        ({"slices": "900 to 950 mm"}, "slices: found '900 to 950 mm'", "are of all slices"),
        ({"empty_slices": 0.1}, "empty_slices: found 0.1", "take slices as they come"),
    ],
)
def test_only_training_insists_on_its_slices(chain, caplog, changes, named, instead):
    (case,) = open_cases(chain.arrays, ["case_00"])
    cases = [case.limited(case.filled)]
    of = [cases, read_plan(chain.plan), labels_of(1), SETTINGS | changes, (0, 0)]
    with pytest.raises(ValueError, match=f"training.{named}"):
        train_fold.make_batches("train", *of)
    batches = train_fold.make_batches("val", *of)
    assert (batches.cases, batches.empty) == (cases, None)
    assert f"validation batches {instead} (training.{named}" in caplog.text


def test_pseudo_dice_is_the_mean_of_the_classes_that_exist():
    row = train_fold.history_row(0, 0.01, (1.0, 2.0), 0, {"a": 0.5, "b": float("nan")}, None)
    assert row["pseudo_dice"] == row["ema_pseudo_dice"] == 0.5
    row = train_fold.history_row(1, 0.01, (1.0, 2.0), 0, {"a": 1.0, "b": 1.0}, 0.5)
    assert row["ema_pseudo_dice"] == pytest.approx(0.55)


def test_a_class_named_ema_has_a_column_of_its_own():
    row = train_fold.history_row(1, 0.01, (1.0, 2.0), 0, {"ema": 1.0, "b": 0.0}, 0.1)
    assert row["pseudo_dice_ema"] == 1.0
    assert row["ema_pseudo_dice"] == pytest.approx(0.14)
