"""The U-Net against nnU-Net's (golden/record_network.py), and what must hold for any U-Net."""

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

import networks
from networks import SQUARE
from slicewise import network
from slicewise.plans import BLOCKS, PLAIN, RESIDUAL

INITIAL = json.loads((networks.FOLDER / "initial.json").read_text())

of_both = pytest.mark.parametrize("class_name", BLOCKS)


@pytest.fixture(scope="module", params=BLOCKS)
def golden(request) -> dict[str, np.ndarray]:
    return networks.read_step(request.param)


@pytest.fixture
def recorded(golden) -> network.UNet:
    """Return the recorded network: our layers, nnU-Net's weights."""
    return networks.build(golden)


def square(seed: int = 0, **changes) -> network.UNet:
    unet = network.UNet(replace(SQUARE, **changes), input_channels=1, num_classes=3)
    network.initialise(unet, seed)
    return unet


@pytest.mark.parametrize("head", range(3))
def test_every_head_equals_nnunets(golden, recorded, head):
    recorded.deep_supervision = True
    with torch.no_grad():
        logits = recorded(torch.tensor(golden["image"]))[head]
    scale = np.abs(golden[f"head_{head}"]).max()
    np.testing.assert_allclose(logits / scale, golden[f"head_{head}"] / scale, rtol=0, atol=1e-5)


def test_there_is_one_head_per_decoder_stage(golden, recorded):
    recorded.deep_supervision = True
    assert len(recorded(torch.tensor(golden["image"]))) == 3


def test_without_deep_supervision_only_the_finest_head_speaks(golden, recorded):
    image = torch.tensor(golden["image"])
    finest = recorded(image)
    recorded.deep_supervision = True
    torch.testing.assert_close(finest, recorded(image)[0])


def test_nnunets_state_has_the_names_that_ours_is_renamed_to(golden, recorded):
    assert set(network.to_nnunet(recorded.state_dict())) == set(golden["state_names"])


def test_parameters_come_in_nnunets_order(golden, recorded):
    theirs = networks.tensors(golden, "before/")
    assert list(network.from_nnunet(theirs)) == [name for name, _ in recorded.named_parameters()]


@of_both
def test_a_state_survives_the_way_to_nnunet_and_back(class_name):
    state = square(class_name=class_name).state_dict()
    back = network.from_nnunet(network.to_nnunet(state))
    assert list(back) == list(state)
    assert all(torch.equal(back[name], weights) for name, weights in state.items())


@pytest.mark.parametrize("name", ["encoder.stages.0.blocks.0.conv3.conv.weight", "head.weight"])
def test_a_state_of_another_network_is_refused(name):
    with pytest.raises(ValueError, match=rf"{name} is no parameter of nnU-Net's PlainConvUNet or"):
        network.from_nnunet({name: torch.zeros(1)})


def test_a_foreign_state_is_refused():
    with pytest.raises(ValueError, match=r"bottleneck\.weight"):
        network.to_nnunet({"bottleneck.weight": torch.zeros(1)})


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_instance_norm_on_a_cpu_equals_torchs_own(memory_format):
    torch.manual_seed(0)
    norm = torch.nn.InstanceNorm2d(5, network.NORM_EPSILON, affine=True)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    maps = (3 * torch.randn(4, 5, 12, 9) + 7).to(memory_format=memory_format)
    torch.testing.assert_close(network.instance_norm(maps, norm), norm(maps), rtol=0, atol=1e-5)


def test_instance_norm_has_the_gradient_of_torchs_own():
    torch.manual_seed(0)
    norm = torch.nn.InstanceNorm2d(3, network.NORM_EPSILON, affine=True)
    maps, direction = torch.randn(2, 3, 6, 5, requires_grad=True), torch.randn(2, 3, 6, 5)
    inputs = (maps, norm.weight, norm.bias)
    ours = torch.autograd.grad(network.instance_norm(maps, norm), inputs, direction)
    torchs = torch.autograd.grad(norm(maps), inputs, direction)
    for gradient, expected in zip(ours, torchs, strict=True):
        torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("class_name", "layer"),
    [
        (PLAIN, "encoder.2.1.conv"),
        (PLAIN, "decoder.0.0.conv"),
        (PLAIN, "heads.1"),
        (RESIDUAL, "encoder.1.0.conv2.conv"),
        (RESIDUAL, "encoder.2.0.skip.1.conv"),
    ],
)
def test_convolutions_start_he_normal(class_name, layer):
    unet = square(class_name=class_name, features_per_stage=(32, 64, 96))
    weights = unet.get_parameter(f"{layer}.weight")
    spread = math.sqrt(2 / (1 + 0.01**2) / weights[0].numel())
    assert weights.std().item() == pytest.approx(spread, rel=0.15)
    assert abs(weights.mean().item()) < 5 * spread / math.sqrt(weights.numel())


def test_a_transposed_convolution_takes_its_fan_from_its_output_channels():
    weights = square(features_per_stage=(32, 64, 96)).get_parameter("upsample.0.weight")
    fan = weights.shape[1] * 4
    assert weights.std().item() == pytest.approx(math.sqrt(2 / 1.0001 / fan), rel=0.05)


@of_both
@pytest.mark.parametrize("value", [0, 1])
def test_biases_and_norms_start_as_nnunets_do(class_name, value):
    unet = networks.build(networks.read_step(class_name))
    network.initialise(unet, 0)
    found = [name for name, weights in unet.named_parameters() if (weights == value).all()]
    assert found == list(network.from_nnunet(dict.fromkeys(INITIAL[class_name][str(value)])))


def test_a_residual_block_starts_as_its_skip():
    block = square(class_name=RESIDUAL).encoder[0][1]
    maps = torch.randn(2, 4, 6, 5, generator=torch.manual_seed(0))
    torch.testing.assert_close(block(maps), functional.leaky_relu(maps, 0.01))


@of_both
def test_a_seed_fixes_the_weights_whatever_was_drawn_before(class_name):
    first = square(seed=3, class_name=class_name).state_dict()
    torch.rand(7)
    second = square(seed=3, class_name=class_name).state_dict()
    assert all(torch.equal(second[name], weights) for name, weights in first.items())


def test_another_seed_gives_other_weights():
    name = "encoder.0.0.conv.weight"
    assert not torch.equal(square(0).get_parameter(name), square(1).get_parameter(name))


@of_both
def test_convolutions_go_without_bias_if_the_plan_says_so(class_name):
    unet = square(class_name=class_name, conv_bias=False)
    names = [name for name, _ in unet.named_parameters()]
    biases = {name.split(".")[0] for name in names if name.endswith("bias") and "norm" not in name}
    assert biases == {"heads"}


def test_a_plan_is_built_as_its_architecture_says():
    plan = SimpleNamespace(dataset_name="phantom", architecture=SQUARE)
    built = network.build_network(plan, input_channels=2, num_classes=5)
    assert built(torch.zeros(1, 2, 8, 12)).shape == (1, 5, 8, 12)


def test_a_single_stage_is_refused():
    one = {name: getattr(SQUARE, name)[:1] for name in ("features_per_stage", "strides")}
    with pytest.raises(ValueError, match="n_stages is 1, expected at least 2"):
        square(n_stages=1, **one)


@pytest.mark.parametrize("shape", [(8, 10), (6, 8), (7, 9)])
def test_sizes_that_the_strides_do_not_divide_are_refused(shape):
    with pytest.raises(ValueError, match=r"expected multiples of \(4, 4\)"):
        square()(torch.zeros(1, 1, *shape))


@of_both
def test_memory_format_changes_no_result(class_name):
    unet, image = (
        square(class_name=class_name),
        torch.randn(2, 1, 16, 12, generator=torch.manual_seed(0)),
    )
    expected = unet(image)
    last = unet.to(memory_format=torch.channels_last)
    found = last(image.to(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
