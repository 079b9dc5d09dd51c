"""Ranks share every batch of a training, and take the steps of one process together."""

import copy
import math
from itertools import product

import pytest
import torch

import ranks as processes
from golden.record_labels import KINDS
from slicewise.distributed import Ranks
from slicewise.plans import PLAIN
from slicewise.training import Training
from test_training import (
    SLICES,
    batch_of,
    labelled_batch,
    labelled_training,
    spoil_gradients,
    spoilt_batch,
    training_of,
)

WAYS = [
    (kind, batch_dice, size, deep)
    for kind, (batch_dice, size, deep) in product(
        KINDS, [(True, None, True), (True, 2, False), (False, 2, True)]
    )
]
"""Kind of labels, batch Dice, most slices of a part, deep supervision."""

COUNTS = (2, 3)


@pytest.mark.parametrize(("size", "count"), [(5, 1), (4, 2), (7, 2), (5, 3), (3, 3)])
def test_each_rank_has_a_part_of_a_batch_as_even_as_can_be(size, count):
    shares = [Ranks(rank, count).of_batches(size).part for rank in range(count)]
    found = [list(range(size))[share] for share in shares]
    assert [sample for samples in found for sample in samples] == list(range(size))
    assert max(map(len, found)) - min(map(len, found)) <= 1


def test_a_batch_that_leaves_a_rank_without_slices_is_refused():
    with pytest.raises(ValueError, match=r"training\.devices: found 3, expected at most 2, the"):
        Ranks(0, 3).of_batches(2)


def share(training: Training, ranks: Ranks, batch: tuple) -> tuple:
    """Give a training its ranks, and return their part of a batch."""
    training.ranks = ranks.of_batches(len(batch[0]))
    return tuple(values[training.ranks.part] for values in batch)


def take_steps(ranks: Ranks) -> list:
    """Return loss, gradients and check of a training of each of the WAYS."""
    found = []
    for index, (kind, batch_dice, size, deep) in enumerate(WAYS):
        changes = {"micro_batch_size": size, "deep_supervision": deep}
        training = labelled_training(kind, batch_dice, PLAIN, **changes)
        checked = share(training, ranks, labelled_batch(kind, index + 1))
        validation_loss, dice = training.validate([checked])
        loss = training.step(share(training, ranks, labelled_batch(kind, index)))
        gradients = {
            n: w.grad for n, w in training.network.named_parameters() if w.grad is not None
        }
        check = {"loss": validation_loss, "dice": torch.from_numpy(dice).nan_to_num(-1)}
        found.append({"step": loss, "gradients": gradients, "check": check})
    return found


@pytest.fixture(scope="module")
def alone():
    return take_steps(Ranks())


@pytest.fixture(scope="module", params=COUNTS)
def together(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks") / "steps"
    return processes.call(request.param, folder, take_steps)


def test_loss_and_gradients_of_ranks_are_those_of_one(alone, together):
    """Of batches of which no rank has as much as another: 5 slices over 2 and 3."""
    assert SLICES % 2
    for found in together:
        for mine, expected in zip(found, alone, strict=True):
            torch.testing.assert_close(mine["step"], expected["step"], rtol=1e-6, atol=0)
            assert mine["gradients"].keys() == expected["gradients"].keys()
            scale = max(gradient.abs().max() for gradient in expected["gradients"].values())
            for name, gradient in expected["gradients"].items():
                torch.testing.assert_close(
                    mine["gradients"][name] / scale, gradient / scale, rtol=0, atol=1e-6, msg=name
                )


def test_a_check_by_ranks_is_that_of_one(alone, together):
    for found in together:
        for mine, expected in zip(found, alone, strict=True):
            assert mine["check"]["loss"] == pytest.approx(expected["check"]["loss"], rel=1e-6)
            assert torch.equal(
                mine["check"]["dice"].nan_to_num(9), expected["check"]["dice"].nan_to_num(9)
            )


def test_ranks_are_the_same_to_the_bit(together):
    for others in zip(*together, strict=True):
        for other in others[1:]:
            assert torch.equal(other["step"], others[0]["step"])
            for name, gradient in others[0]["gradients"].items():
                assert torch.equal(other["gradients"][name], gradient), name


def take_many(ranks: Ranks) -> torch.Tensor:
    """Return the losses of a training that learns, over several epochs' worth of steps."""
    training = labelled_training("plain", True, PLAIN, momentum=0.9)
    batches = [share(training, ranks, labelled_batch("plain", seed)) for seed in range(4)]
    return torch.stack([training.step(batches[step % 4]) for step in range(24)])


def test_the_loss_curve_of_ranks_is_that_of_one(tmp_path):
    expected = take_many(Ranks())
    assert expected[-4:].mean() < expected[:4].mean() - 0.1
    for found in processes.call(2, tmp_path / "ranks", take_many):
        torch.testing.assert_close(found, expected, rtol=2e-6, atol=0)


def skip_steps(ranks: Ranks) -> dict:
    """Return what a training holds after steps that one rank alone has to skip."""
    training = training_of(momentum=0.9)
    training.step(share(training, ranks, batch_of(0)))
    training.step(share(training, ranks, spoilt_batch()))  # slice 1 of 4: of rank 0
    last = ranks.rank == ranks.count - 1
    hook = spoil_gradients(training, math.inf if last else 1)
    training.step(share(training, ranks, batch_of(1)))
    hook.remove()
    in_a_row = training.skipped_in_a_row
    training.step(share(training, ranks, batch_of(2)))
    agreed = training.ranks.agree(15 if last else 0)
    return {
        "skipped": training.skipped,
        "in a row": [in_a_row, training.skipped_in_a_row],
        "losses": torch.stack(training.losses),
        "weights": dict(training.network.state_dict()),
        "agreed": agreed,
    }


@pytest.fixture(scope="module")
def skipped(tmp_path_factory):
    return processes.call(2, tmp_path_factory.mktemp("ranks") / "skip", skip_steps)


def test_what_one_rank_has_to_skip_all_skip_and_count_once(skipped):
    one = skip_steps(Ranks())
    for found in skipped:
        assert found["skipped"] == one["skipped"] == [1, 2]
        assert found["in a row"] == [2, 0]
        torch.testing.assert_close(found["losses"], one["losses"], equal_nan=True)
        for name, weights in found["weights"].items():
            torch.testing.assert_close(weights, one["weights"][name], rtol=1e-4, atol=1e-6)


def test_ranks_agree_to_end_when_one_is_told_to(skipped):
    assert [found["agreed"] for found in skipped] == [15, 15]


def go_on(ranks: Ranks) -> list[dict]:
    """Return the weights after four steps, and after as many of which two follow a restart."""
    whole, other = training_of(), training_of(seed=1)
    batches = [share(whole, ranks, batch_of(seed)) for seed in range(4)]
    share(other, ranks, batch_of())
    for batch in batches[:2]:
        whole.step(batch)
    other.restore(copy.deepcopy(whole.state()))
    for batch in batches[2:]:
        whole.step(batch)
        other.step(batch)
    return [dict(training.network.state_dict()) for training in (whole, other)]


def test_three_ranks_that_go_on_end_with_the_same_bits(tmp_path):
    """Three numbers add up to another sum in another order; two do not."""
    for whole, other in processes.call(3, tmp_path / "ranks", go_on):
        assert all(torch.equal(weights, other[name]) for name, weights in whole.items())
