"""The loss against nnU-Net's (golden/record_network.py), and losses with known answers."""

import numpy as np
import pytest
import torch
from torch.nn import functional

import networks
from golden.record_labels import KINDS
from scans import labels_of
from slicewise import loss, network
from slicewise.labels import parse_labels
from slicewise.loss import Loss
from slicewise.plans import BLOCKS


@pytest.fixture(scope="module", params=BLOCKS)
def golden(request) -> dict[str, np.ndarray]:
    return networks.read_step(request.param)


@pytest.fixture(scope="module")
def heads(golden) -> list[torch.Tensor]:
    return [torch.tensor(golden[f"head_{head}"]) for head in range(3)]


@pytest.fixture(scope="module")
def target(golden) -> torch.Tensor:
    return torch.tensor(golden["target_0"])


@pytest.fixture(scope="module")
def trained(golden) -> tuple[network.UNet, dict[str, torch.Tensor]]:
    """Return the recorded network after one step of ours, and the gradients before clipping."""
    unet = networks.build(golden)
    unet.deep_supervision = True
    optimizer = torch.optim.SGD(
        unet.parameters(), 0.01, momentum=0.99, nesterov=True, weight_decay=3e-5
    )
    outputs = unet(torch.tensor(golden["image"]))
    Loss(labels_of(3))(outputs, torch.tensor(golden["target_0"])).backward()
    gradients = {n: w.grad.clone() for n, w in unet.named_parameters() if w.grad is not None}
    torch.nn.utils.clip_grad_norm_(unet.parameters(), 12)
    optimizer.step()
    return unet, gradients


def tensors(golden: dict[str, np.ndarray], prefix: str) -> dict[str, torch.Tensor]:
    """Return the recorded arrays under a prefix by our parameter names."""
    return network.from_nnunet(networks.tensors(golden, prefix))


def certain(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Return logits that leave no doubt about the labels."""
    return 100.0 * functional.one_hot(labels, classes).movedim(-1, 1).float()


def test_the_loss_equals_nnunets(golden, heads, target):
    found = Loss(labels_of(3))(heads, target).item()
    assert found == pytest.approx(golden["loss"].item(), rel=1e-6)


def test_the_loss_with_one_dice_per_slice_equals_nnunets(golden, heads, target):
    found = Loss(labels_of(3), batch_dice=False)(heads, target).item()
    assert found == pytest.approx(golden["slice_loss"].item(), rel=1e-6)
    assert found != pytest.approx(golden["loss"].item(), rel=1e-6)


def test_the_gradients_equal_nnunets(golden, trained):
    expected = tensors(golden, "gradient/")
    scale = float(golden["gradient_norm"])
    assert trained[1].keys() == expected.keys()
    for name, gradient in trained[1].items():
        torch.testing.assert_close(
            gradient / scale, expected[name] / scale, rtol=0, atol=1e-5, msg=name
        )


def test_the_weights_after_one_clipped_step_equal_nnunets(golden, trained):
    expected = tensors(golden, "after/")
    for name, weights in trained[0].state_dict().items():
        torch.testing.assert_close(weights, expected[name], rtol=0, atol=1e-6, msg=name)


def test_the_coarsest_head_gets_no_gradient(trained):
    assert not any(name.startswith("heads.0.") for name in trained[1])
    assert any(name.startswith("heads.1.") for name in trained[1])


@pytest.mark.parametrize("head", [1, 2])
def test_coarser_targets_equal_nnunets(golden, heads, target, head):
    coarse = loss.downsample_target(target, heads[head].shape[-2:])
    np.testing.assert_array_equal(coarse, golden[f"target_{head}"])


@pytest.mark.parametrize("factors", [(1, 2), (2, 2), (4, 2), (8, 16), (3, 5)])
def test_coarser_targets_equal_nearest_exact_interpolation(factors):
    target = torch.randint(0, 9, (2, 240, 240), generator=torch.manual_seed(0))
    shape = [240 // factor for factor in factors]
    expected = functional.interpolate(target[:, None].double(), shape, mode="nearest-exact")
    assert torch.equal(loss.downsample_target(target, shape), expected[:, 0].long())


def test_a_target_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="10 x 8 voxels cannot be downsampled to 4 x 4"):
        loss.downsample_target(torch.zeros(1, 10, 8), (4, 4))


@pytest.mark.parametrize(
    ("heads", "weights"),
    [(1, (1,)), (2, (1, 0)), (3, (2 / 3, 1 / 3, 0)), (4, (4 / 7, 2 / 7, 1 / 7, 0))],
)
def test_heads_weigh_half_as_much_each_and_the_last_nothing(heads, weights):
    assert loss.deep_supervision_weights(heads) == pytest.approx(weights)


@pytest.mark.parametrize("batch_dice", [True, False])
def test_a_perfect_prediction_loses_minus_one(batch_dice):
    labels = torch.arange(3).repeat(2, 4, 2)
    found = Loss(labels_of(2), batch_dice)([certain(labels, 3)], labels)
    assert found.item() == pytest.approx(-1, abs=1e-6)


def test_empty_prediction_of_an_empty_target_is_perfect():
    labels = torch.zeros(2, 4, 4, dtype=torch.long)
    assert Loss(labels_of(2))([certain(labels, 3)], labels).item() == pytest.approx(-1)


def test_a_missed_structure_scores_no_dice():
    labels = torch.ones(2, 4, 4, dtype=torch.long)
    missed = certain(torch.zeros_like(labels), 2)
    cross_entropy = functional.cross_entropy(missed, labels).item()
    found = Loss(labels_of(1))([missed], labels).item()
    assert found == pytest.approx(cross_entropy, abs=1e-4)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_any_integer_type_of_target_gives_the_same_loss(heads, target, dtype):
    found = Loss(labels_of(3))(heads, target.to(dtype))
    assert torch.equal(found, Loss(labels_of(3))(heads, target.long()))


def test_the_loss_leaves_its_inputs_alone(heads, target):
    before = [logits.clone() for logits in heads], target.clone()
    Loss(labels_of(3))(heads, target)
    assert all(torch.equal(*pair) for pair in zip(heads, before[0], strict=True))
    assert torch.equal(target, before[1])


def test_under_autocast_the_loss_is_computed_in_float32(heads, target):
    narrow = [logits.bfloat16() for logits in heads]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = Loss(labels_of(3))(narrow, target)
    assert torch.equal(found, Loss(labels_of(3))([logits.float() for logits in narrow], target))


def test_pseudo_dice_counts_equal_nnunets(golden, heads, target):
    counts = torch.stack(loss.pseudo_dice_counts(heads[0], target, labels_of(3)))
    np.testing.assert_array_equal(counts, golden["counts"])


def test_pseudo_dice_counts_voxels_of_each_foreground_class():
    truth = torch.tensor([[[0, 1, 1, 2]], [[0, 0, 1, 2]]])
    predicted = torch.tensor([[[0, 1, 2, 2]], [[1, 0, 1, 0]]])
    tp, fp, fn = loss.pseudo_dice_counts(certain(predicted, 4), truth, labels_of(3))
    assert [tp.tolist(), fp.tolist(), fn.tolist()] == [[2, 1, 0], [1, 1, 0], [1, 1, 0]]


# Regions and the ignore label


@pytest.fixture(scope="module")
def recorded() -> dict[str, np.ndarray]:
    with np.load(networks.FOLDER / "labels.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def recorded_heads(recorded, kind: str) -> list[torch.Tensor]:
    """Return the recorded logits of a kind of labels, finest first, as leaves of a gradient."""
    return [torch.tensor(recorded[f"{kind}/head_{head}"]).requires_grad_() for head in range(3)]


@pytest.mark.parametrize("dice", ["batch", "slice"])
@pytest.mark.parametrize("kind", KINDS)
def test_loss_and_gradient_of_every_kind_of_labels_equal_nnunets(recorded, kind, dice):
    outputs = recorded_heads(recorded, kind)
    target = torch.tensor(recorded[f"{kind}/label"]).clamp(min=0)
    found = Loss(parse_labels(*KINDS[kind]), batch_dice=dice == "batch")(outputs, target)
    assert found.item() == pytest.approx(recorded[f"{kind}/{dice}/loss"].item(), rel=1e-6)
    found.backward()
    for head, output in enumerate(outputs[:2]):
        expected = torch.tensor(recorded[f"{kind}/{dice}/gradient_{head}"])
        torch.testing.assert_close(output.grad, expected, rtol=1e-4, atol=1e-8)
    assert outputs[2].grad is None


@pytest.mark.parametrize("kind", ["ignore", "regions_ignore"])
def test_where_nothing_is_annotated_there_is_nothing_to_learn(recorded, kind):
    outputs = recorded_heads(recorded, kind)
    labels = parse_labels(*KINDS[kind])
    target = torch.full(recorded[f"{kind}/label"].shape, labels.ignore)
    found = Loss(labels)(outputs, target)
    expected = recorded[f"{kind}/nothing_annotated/batch/loss"].item()
    assert found.item() == pytest.approx(expected, abs=1e-6)
    found.backward()
    assert all(not output.grad.any() for output in outputs[:2])


@pytest.mark.parametrize("kind", KINDS)
def test_pseudo_dice_counts_of_every_kind_of_labels_equal_nnunets(recorded, kind):
    target = torch.tensor(recorded[f"{kind}/label"]).clamp(min=0)
    finest = recorded_heads(recorded, kind)[0]
    counts = loss.pseudo_dice_counts(finest, target, parse_labels(*KINDS[kind]))
    np.testing.assert_array_equal(torch.stack(counts), recorded[f"{kind}/counts"])


@pytest.mark.parametrize("kind", ["ignore", "regions_ignore"])
def test_logits_of_ignored_voxels_change_nothing(recorded, kind):
    labels = parse_labels(*KINDS[kind])
    target = torch.tensor(recorded[f"{kind}/label"]).clamp(min=0)
    finest = recorded_heads(recorded, kind)[0].detach()
    ignored = (target == labels.ignore)[:, None].expand_as(finest)
    own = Loss(labels)
    assert ignored.any()
    assert torch.equal(own([finest.masked_fill(ignored, 50.0)], target), own([finest], target))
