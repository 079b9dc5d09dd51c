"""Starting from the weights of another network."""

from pathlib import Path

import pytest
import torch

from slicewise.network import build_network, from_nnunet, initialise
from slicewise.nnunet_checkpoints import read_checkpoint
from slicewise.plans import parse_plan
from slicewise.pretrained import start_from
from slicewise.user_plans import read_user_plan

TRADE = Path(__file__).parent / "golden" / "trade"
PLAIN = TRADE / "plain/nnUNetTrainer_onlyMirror01__nnUNetPlans__2d_small"
CHECKPOINT = PLAIN / "fold_0/checkpoint_final.pth"


def network(channels=1, classes=3, seed=5, **changes):
    content = read_user_plan(PLAIN / "plans.json", 1, False, "2d_small")
    content["configurations"]["2d"]["architecture"]["arch_kwargs"].update(changes)
    made = build_network(parse_plan(content), channels, classes)
    initialise(made, seed)
    return made


def copy(state):
    return {name: weights.clone() for name, weights in state.items()}


def test_all_weights_but_the_segmentation_layers_are_taken():
    made = network(classes=5)
    before = copy(made.state_dict())
    start_from(made, CHECKPOINT)
    given = from_nnunet(read_checkpoint(CHECKPOINT)["network_weights"])
    for name, weights in made.state_dict().items():
        expected = before if name.startswith("heads.") else given
        assert torch.equal(weights, expected[name]), name


def test_our_own_checkpoint_serves_as_well(tmp_path):
    source, made = network(seed=1), network(seed=2)
    torch.save({"network": source.state_dict(), "plan": "{}"}, tmp_path / "checkpoint_final.pt")
    start_from(made, tmp_path / "checkpoint_final.pt")
    name = "encoder.0.0.conv.weight"
    assert torch.equal(made.state_dict()[name], source.state_dict()[name])
    assert not torch.equal(made.heads[0].weight, source.heads[0].weight)


def test_another_number_of_input_channels_is_told():
    with pytest.raises(ValueError, match=r"checkpoint_final\.pth is of a network with 1 input ch"):
        start_from(network(channels=2), CHECKPOINT)


def test_weights_of_another_shape_are_named():
    wider = network(features_per_stage=[4, 6, 10])
    with pytest.raises(ValueError, match=r"encoder\.2\.0\.conv\.weight of shape .*planning\.plans"):
        start_from(wider, CHECKPOINT)


def test_a_missing_weight_is_named():
    deeper = network(n_conv_per_stage=[2, 2, 3])
    with pytest.raises(ValueError, match=r"has no weight encoder\.2\.2\.conv\.weight, expected"):
        start_from(deeper, CHECKPOINT)
