"""What a description of a run is made of."""

from dataclasses import replace

import pytest

from networks import SQUARE
from slicewise.network import UNet
from slicewise.plans import RESIDUAL
from slicewise.study_facts import parameters, read_grids

HEADER = "case,spacing_0_mm,spacing_1_mm,spacing_2_mm,shape_0,shape_1,shape_2\n"


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "built",
    [
        SQUARE,
        replace(SQUARE, kernel_sizes=((1, 3), (3, 3), (3, 3)), strides=((1, 1), (1, 2), (2, 2))),
        replace(SQUARE, class_name=RESIDUAL, n_blocks_per_stage=(1, 3, 4)),
        replace(SQUARE, class_name=RESIDUAL, features_per_stage=(8, 8, 16)),
    ],
)
def test_weights_are_counted_as_the_network_has_them(built, bias):
    built = replace(built, conv_bias=bias)
    network = UNet(built, input_channels=3, num_classes=5)
    assert parameters(built, 3, 5) == sum(weight.numel() for weight in network.parameters())


def test_grids_are_read_in_reading_order(tmp_path):
    (tmp_path / "spacing.csv").write_text(HEADER + "a,5,1.5,1.25,12,80,81\n")
    spacing, shape = read_grids(tmp_path / "spacing.csv")
    assert spacing.tolist() == [[5, 1.5, 1.25]]
    assert shape.tolist() == [[12, 80, 81]]
