"""A training step, the check after an epoch, and what a checkpoint holds."""

import copy
import math

import pytest
import torch

from networks import SQUARE
from scans import labels_of
from slicewise import network
from slicewise.config import load
from slicewise.loss import training_loss
from slicewise.training import Training, learning_rate

SETTINGS = load({"datasets": {"any": {"phantom": {}}}})["training"]


def training_of(seed: int = 0, **changes) -> Training:
    unet = network.UNet(SQUARE, input_channels=1, num_classes=3)
    network.initialise(unet, seed)
    labels, device = labels_of(2), torch.device("cpu")
    return Training(unet, SETTINGS | changes, device, labels, training_loss(labels))


def batch_of(seed: int = 0, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(4, 1, 16, 16, generator=generator)
    return image, torch.randint(0, classes, (4, 16, 16), generator=generator)


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
    mine, theirs = whole.network.state_dict(), other.network.state_dict()
    assert all(torch.equal(weights, theirs[name]) for name, weights in mine.items())
