"""A training step, the check after an epoch, and what a checkpoint holds."""

import copy
import dataclasses
import math
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from defaults import training_settings
from golden.record_labels import KINDS
from networks import SQUARE
from scans import labels_of
from slicewise import device, network
from slicewise.labels import parse_labels
from slicewise.loss import Loss
from slicewise.plans import PLAIN, RESIDUAL
from slicewise.training import Training, learning_rate

SETTINGS = training_settings()


def training_of(seed: int = 0, **changes) -> Training:
    unet = network.UNet(SQUARE, input_channels=1, num_classes=3)
    network.initialise(unet, seed)
    return Training(unet, SETTINGS | changes, torch.device("cpu"), Loss(labels_of(2)))


def batch_of(seed: int = 0, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(4, 1, 16, 16, generator=generator)
    return image, torch.randint(0, classes, (4, 16, 16), generator=generator)


def assert_same_weights(first: Training, second: Training) -> None:
    for name, weights in first.network.state_dict().items():
        assert torch.equal(weights, second.network.state_dict()[name]), name


def test_the_learning_rate_falls_to_zero_after_the_last_epoch():
    assert [learning_rate(0.01, epoch, 1000) for epoch in (0, 1000)] == [0.01, 0]
    assert learning_rate(0.01, 500, 1000) == pytest.approx(0.01 * 0.5**0.9)


def test_steps_on_one_batch_lower_its_loss():
    training, batch = training_of(momentum=0.9), batch_of()
    losses = [training.step(batch).item() for _ in range(20)]
    assert losses[-1] < losses[0] - 0.1


def test_a_step_is_no_longer_than_the_clipped_gradient():
    settings = {"gradient_clipping": 1e-3, "weight_decay": 0.0, "momentum": 0.0}
    training = training_of(**settings, learning_rate=1.0)
    before = [weights.detach().clone() for weights in training.network.parameters()]
    training.step(batch_of())
    pairs = zip(training.network.parameters(), before, strict=True)
    length = math.sqrt(sum((after - old).square().sum().item() for after, old in pairs))
    assert length == pytest.approx(1e-3, rel=1e-3)


def test_a_check_changes_no_weight_and_sums_over_all_batches():
    training = training_of()
    before = {name: weights.clone() for name, weights in training.network.state_dict().items()}
    loss, dice = training.validate([batch_of(1), batch_of(2)])
    assert all(torch.equal(before[n], w) for n, w in training.network.state_dict().items())
    assert math.isfinite(loss)
    image, target = (torch.cat(pair) for pair in zip(batch_of(1), batch_of(2), strict=True))
    assert training.validate([(image, target)])[1] == pytest.approx(dice)
    assert training.network.training


def test_going_on_from_a_state_gives_the_same_weights():
    whole, batches = training_of(), [batch_of(seed) for seed in range(4)]
    for batch in batches[:2]:
        whole.step(batch)
    other = training_of(seed=1)
    other.restore(copy.deepcopy(whole.state()))
    for batch in batches[2:]:
        whole.step(batch)
        other.step(batch)
    assert_same_weights(whole, other)


# Numbers that are not finite


def spoilt_batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Return a batch with one voxel that makes the loss nan."""
    image, target = batch_of(7)
    image[1, 0, 3, 3] = math.nan
    return image, target


def spoil_gradients(training: Training, value: float = math.inf):
    """Have all gradients overflow from here on, under a loss that is finite; return how to stop."""
    weights = next(training.network.parameters())
    return weights.register_hook(lambda gradient: gradient * value)


def test_a_step_with_a_loss_that_is_not_finite_leaves_no_trace_in_the_weights():
    plain, spoilt = training_of(momentum=0.9), training_of(momentum=0.9)
    for index in range(3):
        plain.step(batch_of(index))
        spoilt.step(batch_of(index))
        assert spoilt.step(spoilt_batch()).isnan()
    assert_same_weights(plain, spoilt)
    mine, theirs = (each.state()["optimizer"]["state"] for each in (plain, spoilt))
    assert all(torch.equal(mine[i]["momentum_buffer"], theirs[i]["momentum_buffer"]) for i in mine)


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_step_with_a_gradient_that_is_not_finite_is_skipped(value):
    plain, spoilt = training_of(), training_of()
    plain.step(batch_of(0))
    spoilt.step(batch_of(0))
    hook = spoil_gradients(spoilt, value)
    assert spoilt.step(batch_of(1)).isfinite()
    assert spoilt.skipped_in_a_row == 1
    hook.remove()
    assert_same_weights(plain, spoilt)


def test_the_loss_of_an_epoch_is_the_mean_of_the_steps_that_were_taken():
    training = training_of()
    losses = [training.step(batch) for batch in (batch_of(0), spoilt_batch(), batch_of(1))]
    loss, skipped = training.end_epoch()
    assert skipped == 1
    assert loss == torch.stack([losses[0], losses[2]]).mean().item()
    assert training.losses == training.skipped == []


def test_an_epoch_of_skipped_steps_has_no_loss():
    training = training_of()
    training.step(spoilt_batch())
    loss, skipped = training.end_epoch()
    assert math.isnan(loss)
    assert skipped == 1


def test_steps_are_in_a_row_across_epochs_until_one_is_taken():
    training = training_of()
    for _ in range(2):
        training.step(spoilt_batch())
        training.end_epoch()
    assert training.skipped_in_a_row == 2
    training.step(batch_of(0))
    assert training.skipped_in_a_row == 0


def scaled_training() -> Training:
    """Return a training whose loss is scaled for 16 bits, as on CUDA."""
    training = training_of()
    training.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**3)
    return training


def test_the_scale_falls_first_before_gradients_that_overflow_are_steps_in_a_row():
    training = scaled_training()
    spoil_gradients(training)
    counted = []
    for index in range(5):
        training.step(batch_of(index))
        counted.append(training.skipped_in_a_row)
    assert counted == [0, 0, 0, 1, 2]
    assert training.end_epoch()[1] == 5


def test_a_gradient_whose_norm_alone_overflows_is_one_in_a_row():
    """The scaler sees finite gradients then, and no scale that falls would ever end it."""
    training = scaled_training()
    spoil_gradients(training, 1e30)
    for index in range(2):
        training.step(batch_of(index))
    assert training.skipped == [0, 1]
    assert training.skipped_in_a_row == 2


def test_no_scale_can_mend_a_loss_that_is_not_finite():
    training = scaled_training()
    training.step(spoilt_batch())
    assert training.skipped_in_a_row == 1
    assert training.scaler.get_scale() == 2.0**3
    training.step(batch_of(0))
    assert training.skipped_in_a_row == 0


def test_a_check_that_is_not_finite_says_so():
    loss, dice = training_of().validate([batch_of(0), spoilt_batch()])
    assert math.isnan(loss)
    assert len(dice) == 2


def test_a_state_within_an_epoch_holds_its_losses_and_what_was_skipped():
    whole, other = training_of(), training_of(seed=1)
    for batch in (batch_of(0), spoilt_batch()):
        whole.step(batch)
    other.restore(copy.deepcopy(whole.state()))
    for training in (whole, other):
        training.step(spoilt_batch())
        assert training.skipped_in_a_row == 2
        training.step(batch_of(1))
        assert training.skipped == [1, 2]
    assert_same_weights(whole, other)
    assert whole.end_epoch() == other.end_epoch()


def test_a_momentum_of_other_shapes_is_refused():
    """The optimiser takes it as it comes and fails in the first step."""
    training = training_of(momentum=0.9)
    training.step(batch_of(0))
    state = copy.deepcopy(training.state())
    state["optimizer"]["state"][0]["momentum_buffer"] = torch.zeros(3)
    with pytest.raises(ValueError, match="a momentum of shape"):
        training_of(momentum=0.9).restore(state)


# Batches in parts


SLICES = 5


def labelled_training(kind: str, batch_dice: bool, class_name: str, **changes) -> Training:
    """Return a training on a kind of labels, in double precision but for its loss.

    In single precision rounding moves activations across the kink of the leaky ReLU.
    """
    labels = parse_labels(*KINDS[kind])
    architecture = dataclasses.replace(SQUARE, class_name=class_name)
    unet = network.UNet(architecture, input_channels=1, num_classes=labels.outputs).double()
    network.initialise(unet, seed=0)
    settings = SETTINGS | {"gradient_clipping": 1e9} | changes
    return Training(unet, settings, torch.device("cpu"), Loss(labels, batch_dice))


def labelled_batch(kind: str, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a batch whose slices differ in how much of each label they hold.

    The first ones hold the last label alone: where there is an ignore label, nothing that counts.
    """
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(SLICES, 1, 16, 16, generator=generator, dtype=torch.double)
    stored = len(parse_labels(*KINDS[kind]).stored)
    most = torch.randint(1, stored + 1, (SLICES, 1, 1), generator=generator)
    target = torch.randint(0, 1000, (SLICES, 16, 16), generator=generator) % most
    target[: seed % SLICES] = stored - 1
    return image, target


def loss_and_gradients(training: Training, batch: tuple) -> tuple[torch.Tensor, dict]:
    loss = training.step(batch)
    named = training.network.named_parameters()
    return loss, {name: weights.grad for name, weights in named if weights.grad is not None}


@pytest.mark.parametrize("class_name", [PLAIN, RESIDUAL])
@pytest.mark.parametrize("batch_dice", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10)
@given(size=st.integers(1, SLICES), deep=st.booleans(), seed=st.integers(0, 99))
def test_loss_and_gradients_of_parts_are_those_of_the_batch(
    kind, batch_dice, class_name, size, deep, seed
):
    batch, settings = labelled_batch(kind, seed), {"deep_supervision": deep}
    whole, parts = (
        loss_and_gradients(
            labelled_training(kind, batch_dice, class_name, micro_batch_size=most, **settings),
            batch,
        )
        for most in (SLICES, size)
    )
    torch.testing.assert_close(parts[0], whole[0], rtol=1e-6, atol=0)
    assert parts[1].keys() == whole[1].keys()
    scale = max(gradient.abs().max() for gradient in whole[1].values())
    for name, gradient in parts[1].items():
        torch.testing.assert_close(
            gradient / scale, whole[1][name] / scale, rtol=0, atol=1e-6, msg=name
        )


def test_a_loss_of_parts_alone_is_another():
    """The batch Dice is no mean over parts, so that the test above could fail."""
    loss = Loss(labels_of(3))
    logits, target = torch.randn(4, 4, 8, 8), torch.randint(0, 4, (4, 8, 8))
    target[:2] = 0
    apart = sum(loss([logits[part]], target[part]) for part in (slice(2), slice(2, 4))) / 2
    assert apart.item() != pytest.approx(loss([logits], target).item(), rel=1e-3)


@pytest.mark.parametrize(
    ("size", "seen"), [(5, [5]), (4, [3, 2, 3]), (2, [2, 2, 1, 2, 2]), (None, [1] * 7)]
)
def test_parts_go_through_the_network_twice(monkeypatch, size, seen):
    """All but the last of a chosen size; half of them where the size is not chosen."""
    monkeypatch.setattr(device, "CPU_VOXELS", 16 * 16)
    training, taken = labelled_training("plain", True, PLAIN, micro_batch_size=size), []
    training.network.register_forward_hook(lambda _, images, __: taken.append(len(images[0])))
    training.step(labelled_batch("plain"))
    assert taken == seen


@pytest.mark.parametrize("kind", KINDS)
def test_a_check_of_parts_is_that_of_the_batch(kind):
    batches = [labelled_batch(kind, seed) for seed in range(2)]
    (loss, dice), (expected, expected_dice) = (
        labelled_training(kind, True, PLAIN, micro_batch_size=size).validate(batches)
        for size in (2, SLICES)
    )
    assert loss == pytest.approx(expected, rel=1e-6)
    assert dice.tolist() == expected_dice.tolist()


def test_scaled_gradients_of_parts_give_the_same_weights():
    """On CUDA the loss is scaled for 16 bits; a power of two changes nothing in 32."""
    plain, scaled = (training_of(micro_batch_size=3) for _ in range(2))
    scaled.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    losses = [[training.step(batch_of(i)) for i in range(3)] for training in (plain, scaled)]
    assert losses[0] == losses[1]
    for name, weights in scaled.state()["network"].items():
        assert torch.equal(weights, plain.state()["network"][name]), name


@pytest.mark.parametrize("size", [None, 3])
def test_a_compiled_network_trains_the_same_weights_under_the_same_names(monkeypatch, size):
    """Without code generation, which needs a compiler: the graph that torch traces is what runs.

    A part takes the same graph in every step: which one runs decides how sums are rounded.
    """
    traced, ran = [], []

    def trace(graph, _):
        number = len(traced)
        traced.append(graph)

        def forward(*given):
            ran.append(number)
            return graph.forward(*given)

        return forward

    torch.compiler.reset()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=trace))
    changes = {"micro_batch_size": size}
    plain, compiled = training_of(**changes), training_of(compile=True, **changes)
    first, second = (
        [training.step(batch_of(i)) for i in range(2)] for training in (plain, compiled)
    )
    torch.testing.assert_close(first, second)
    assert ran[: len(ran) // 2] == ran[len(ran) // 2 :]
    checks = [training.validate([batch_of(2)]) for training in (plain, compiled)]
    assert checks[1][0] == pytest.approx(checks[0][0], rel=1e-5)
    expected, found = plain.state()["network"], compiled.state()["network"]
    assert list(found) == list(expected)
    for name, weights in found.items():
        torch.testing.assert_close(weights, expected[name], rtol=1e-4, atol=1e-6, msg=name)
