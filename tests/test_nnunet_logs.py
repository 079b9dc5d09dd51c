"""Training curves of nnU-Net's checkpoints."""

import numpy as np
import pandas as pd
import pytest

from models import PLAIN
from slicewise.nnunet_checkpoints import read_checkpoint
from slicewise.nnunet_logs import history_of, log_of

NAMES = ["shell", "core"]


@pytest.fixture(scope="module")
def log():
    return read_checkpoint(PLAIN.checkpoint)["logging"]


def test_the_log_of_nnunet_becomes_a_history(log):
    history = history_of(log, NAMES)
    assert history["epoch"].tolist() == [0, 1]
    assert history["learning_rate"].tolist() == pytest.approx([0.01, 0.01 * 0.5**0.9])
    both = history[["pseudo_dice_shell", "pseudo_dice_core"]].mean(axis=1)
    np.testing.assert_allclose(both, history["pseudo_dice"], rtol=1e-6)


def test_an_epoch_that_was_cut_off_has_no_row(log):
    assert len(history_of(log | {"train_losses": log["train_losses"][:1]}, NAMES)) == 1


def test_a_history_survives_the_way_there_and_back(log):
    history = history_of(log, NAMES)
    again = log_of(history, NAMES)
    assert set(again) == set(log)
    assert len({len(values) for values in again.values()}) == 1
    pd.testing.assert_frame_equal(history_of(again, NAMES), history)


def test_a_class_named_ema_does_not_take_the_place_of_the_moving_average(log):
    again = log_of(history_of(log, ["ema", "core"]), ["ema", "core"])
    assert again["ema_fg_dice"] == pytest.approx(log["ema_fg_dice"])
    np.testing.assert_allclose(again["dice_per_class_or_region"], log["dice_per_class_or_region"])


def test_skipped_steps_have_no_place_in_nnunets_log(log):
    history = history_of(log, NAMES)
    counted = history.assign(skipped_steps=3)
    counted.loc[1, "train_loss"] = np.nan
    again = log_of(counted, NAMES)
    assert set(again) == set(log)
    assert np.isnan(again["train_losses"][1])
    assert again["val_losses"] == log_of(history, NAMES)["val_losses"]
