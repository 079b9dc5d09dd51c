"""plans.json as a record."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicewise.files import read_json
from slicewise.planners import PLANNERS
from slicewise.plans import architecture_json, parse_plan, read_plan
from slicewise.topology import pool_and_kernel_sizes

GOLDEN = Path(__file__).parent / "golden" / "thick_z" / "plans.json"


def changed(tmp_path, change):
    """Write a plan of nnU-Net with its configuration 2d changed."""
    content = read_json(GOLDEN)
    change(content, content["configurations"]["2d"])
    path = tmp_path / "plans.json"
    path.write_text(json.dumps(content))
    return path


def test_a_plan_of_nnunet_is_read():
    plan = read_plan(GOLDEN)
    assert plan.patch_size == tuple(read_json(GOLDEN)["configurations"]["2d"]["patch_size"])


@given(
    st.tuples(*[st.floats(0.1, 6)] * 2),
    st.tuples(*[st.integers(8, 700)] * 2),
    st.sampled_from(list(PLANNERS.values())),
    st.booleans(),
)
def test_a_plan_is_the_same_after_it_is_written_down(spacing, size, planner, bias):
    topology = pool_and_kernel_sizes(spacing, size)
    network = replace(planner.architecture(topology), conv_bias=bias)
    content = read_json(GOLDEN)
    configuration = content["configurations"]["2d"]
    configuration |= {
        "architecture": architecture_json(network),
        "patch_size": list(topology.patch_size),
        "spacing": list(spacing),
    }
    plan = parse_plan(json.loads(json.dumps(content)))
    assert plan.architecture == network
    assert (plan.patch_size, plan.spacing) == (topology.patch_size, spacing)
    assert architecture_json(plan.architecture) == configuration["architecture"]


def test_a_plan_without_2d_is_refused(tmp_path):
    path = changed(tmp_path, lambda content, _: content["configurations"].pop("2d"))
    with pytest.raises(ValueError, match="2d"):
        read_plan(path)


def test_a_cut_file_is_refused(tmp_path):
    path = tmp_path / "plans.json"
    path.write_text(GOLDEN.read_text()[:200])
    with pytest.raises(ValueError, match="found JSON that is cut off"):
        read_plan(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("norm_op", "torch.nn.modules.batchnorm.BatchNorm2d"),
        ("dropout_op", "torch.nn.Dropout"),
        ("nonlin_first", True),
        ("norm_op_kwargs", {"eps": 1e-3, "affine": True}),
        ("norm_op_kwargs", {}),
        ("nonlin_kwargs", {"negative_slope": 0.1}),
        ("stem_channels", 16),
        ("bottleneck_channels", [8, 8, 8, 8]),
    ],
)
def test_layers_that_cannot_be_built_are_refused(tmp_path, key, value):
    def change(_, plan):
        plan["architecture"]["arch_kwargs"][key] = value

    with pytest.raises(ValueError, match=key):
        read_plan(changed(tmp_path, change))


def test_an_unknown_network_is_refused(tmp_path):
    def change(_, plan):
        plan["architecture"]["network_class_name"] = "somewhere.SwinUNETR"

    expected = "found SwinUNETR, expected PlainConvUNet or ResidualEncoderUNet"
    with pytest.raises(ValueError, match=expected):
        read_plan(changed(tmp_path, change))


def test_a_residual_network_of_nnunet_is_read(tmp_path):
    def change(_, plan):
        plan["architecture"] = next(
            run["2d"]["architecture"]
            for run in read_json(GOLDEN.parents[1] / "presets.json")
            if run["planner"] == "nnUNetPlannerResEncL"
        )

    network = read_plan(changed(tmp_path, change)).architecture
    assert network.residual
    assert network.n_blocks_per_stage[:4] == (1, 3, 4, 6)
