"""Plans that the user brings."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicewise import schemas
from slicewise.files import read_json
from slicewise.planners import PLANNERS
from slicewise.plans import architecture_json, parse_plan
from slicewise.topology import pool_and_kernel_sizes
from slicewise.user_plans import contradictions, read_user_plan, with_configuration

GOLDEN = Path(__file__).parent / "golden" / "thick_z" / "plans.json"
SCHEMA = schemas.read_schema("plans")


def read_changed(tmp_path, change, channels=1, reorient=False, configuration="2d"):
    """Read a plan of nnU-Net after changing its content and its configuration 2d."""
    content = read_json(GOLDEN)
    change(content, content["configurations"]["2d"])
    path = tmp_path / "plans.json"
    path.write_text(json.dumps(content))
    return read_user_plan(path, channels, reorient, configuration)


def test_a_plan_of_nnunet_is_used_as_it_is():
    assert read_user_plan(GOLDEN, 1, reorient=False) == read_json(GOLDEN)


@pytest.mark.parametrize(
    "change",
    [
        lambda content, _: content.update(transpose_forward=[0.0, 1.0, 2.0]),
        lambda _, plan: plan.update(batch_size=12.0),
        lambda _, plan: plan["architecture"]["arch_kwargs"]["features_per_stage"].insert(0, 32.0),
    ],
)
def test_counts_and_axes_with_a_decimal_point_are_refused(tmp_path, change):
    with pytest.raises(ValueError, match=r"\.0"):
        read_changed(tmp_path, change)


def test_a_patch_that_the_strides_do_not_divide_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"patch_size: \[33, 32\], expected multiples of"):
        read_changed(tmp_path, lambda _, plan: plan.update(patch_size=[33, 32]))


@pytest.mark.parametrize(
    "key", ["patch_size", "spacing", "architecture", "resampling_fn_data_kwargs"]
)
def test_a_missing_key_is_named(tmp_path, key):
    with pytest.raises(ValueError, match=rf"plans\.json[\s\S]*{key}"):
        read_changed(tmp_path, lambda _, plan: plan.pop(key))


def test_a_transposition_that_is_not_undone_is_refused(tmp_path):
    with pytest.raises(ValueError, match="transpose_backward"):
        read_changed(
            tmp_path,
            lambda content, _: content.update(
                transpose_forward=[1, 2, 0], transpose_backward=[1, 2, 0]
            ),
        )


def test_another_number_of_channels_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match="normalization_schemes: 1, expected one for each of 3 channels"
    ):
        read_changed(tmp_path, lambda *_: None, channels=3)


def test_axes_of_turned_images_need_turned_images(tmp_path):
    with pytest.raises(ValueError, match=r"image_reader_writer.*reorient: never"):
        read_changed(tmp_path, lambda *_: None, reorient=True)


def residual(_, plan):
    architecture = plan["architecture"]
    module = architecture["network_class_name"].rsplit(".", 1)[0]
    architecture["network_class_name"] = f"{module}.ResidualEncoderUNet"
    kwargs = architecture["arch_kwargs"]
    kwargs["n_blocks_per_stage"] = kwargs.pop("n_conv_per_stage")


def test_a_plan_of_a_residual_network_is_used(tmp_path):
    content = read_changed(tmp_path, residual)
    assert parse_plan(content).architecture.residual


def test_blocks_under_the_key_of_the_other_network_are_refused(tmp_path):
    def change(content, plan):
        residual(content, plan)
        kwargs = plan["architecture"]["arch_kwargs"]
        kwargs["n_conv_per_stage"] = kwargs.pop("n_blocks_per_stage")

    with pytest.raises(ValueError, match="found no key 'n_blocks_per_stage'"):
        read_changed(tmp_path, change)


@given(
    st.tuples(*[st.floats(0.1, 6)] * 2),
    st.tuples(*[st.integers(16, 700)] * 2),
    st.sampled_from(list(PLANNERS.values())),
    st.integers(2, 64),
)
def test_whatever_is_planned_here_can_be_brought_as_a_plan(spacing, size, planner, batch):
    topology = pool_and_kernel_sizes(spacing, size)
    content = read_json(GOLDEN)
    content["configurations"]["2d"] |= {
        "architecture": architecture_json(planner.architecture(topology)),
        "patch_size": list(topology.patch_size),
        "spacing": list(spacing),
        "batch_size": batch,
    }
    assert not schemas.mistakes(content, SCHEMA)
    assert not list(contradictions(GOLDEN, parse_plan(content), 1, False))


def test_a_missing_plan_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"none\.json: found no such file.*set planning\.plans"):
        read_user_plan(tmp_path / "none.json", 1, reorient=False)


@pytest.mark.parametrize(
    ("reader", "reorient"),
    [
        ("SimpleITKIO", False),
        ("NibabelIO", False),
        ("NibabelIOWithReorient", True),
        ("SimpleITKIOWithReorient", True),
    ],
)
def test_readers_of_nifti_files_say_whether_images_are_turned(tmp_path, reader, reorient):
    def change(content, _):
        content.update(image_reader_writer=reader)

    assert read_changed(tmp_path, change, reorient=reorient)
    with pytest.raises(ValueError, match=f"image_reader_writer: {reader}, so the plan"):
        read_changed(tmp_path, change, reorient=not reorient)


@pytest.mark.parametrize("reader", ["NaturalImage2DIO", "Tiff3DIO", "MyOwnIO"])
def test_readers_of_other_files_are_refused(tmp_path, reader):
    with pytest.raises(
        ValueError, match=f"image_reader_writer: {reader}, expected one that reads NIfTI"
    ):
        read_changed(tmp_path, lambda content, _: content.update(image_reader_writer=reader))


def inherit(content, plan):
    """Let 2d_wide change the batch of 2d_tall, which changes the patch of 2d."""
    content["configurations"] |= {
        "2d_tall": {"inherits_from": "2d", "patch_size": [64, 32]},
        "2d_wide": {"inherits_from": "2d_tall", "batch_size": 3},
    }


def test_a_configuration_takes_what_it_leaves_out_from_its_parents(tmp_path):
    found = read_changed(tmp_path, inherit, configuration="2d_wide")
    two = read_json(GOLDEN)["configurations"]["2d"]
    assert found["configurations"]["2d"] == two | {"patch_size": [64, 32], "batch_size": 3}
    assert found["slicewise"]["configuration"] == "2d_wide"


def test_a_configuration_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"plans\.json.*\['2d'\] without 2d_wide"):
        read_changed(tmp_path, lambda *_: None, configuration="2d_wide")


def test_configurations_that_inherit_in_a_circle_are_refused(tmp_path):
    with pytest.raises(ValueError, match="2d -> 2d_a -> 2d is a circle"):
        read_changed(
            tmp_path,
            lambda content, plan: (
                plan.update(inherits_from="2d_a"),
                content["configurations"].update({"2d_a": {"inherits_from": "2d"}}),
            ),
        )


def test_a_configuration_in_3d_is_refused(tmp_path):
    def change(content, plan):
        content["configurations"]["3d_fullres"] = {**plan, "patch_size": [8, 32, 32]}

    with pytest.raises(ValueError, match=r"2d\.patch_size: \[8, 32, 32\]"):
        read_changed(tmp_path, change, configuration="3d_fullres")


def older(content: dict, name: str, blocks: str) -> dict:
    """Put a plan as nnU-Net wrote it before 2.4: a few numbers, the rest was its code.

    Returns the architecture that the plan had.
    """
    plan = content["configurations"]["2d"]
    architecture = plan.pop("architecture")
    arguments = architecture["arch_kwargs"]
    plan |= {
        "UNet_class_name": name,
        "UNet_base_num_features": 32,
        "unet_max_num_features": 512,
        "n_conv_per_stage_encoder": arguments[blocks],
        "n_conv_per_stage_decoder": arguments["n_conv_per_stage_decoder"],
        "num_pool_per_axis": [3, 3],
        "pool_op_kernel_sizes": arguments["strides"],
        "conv_kernel_sizes": arguments["kernel_sizes"],
    }
    return architecture


def test_networks_of_older_plans_are_understood():
    content = read_json(GOLDEN)
    expected = older(content, "PlainConvUNet", "n_conv_per_stage")
    assert with_configuration(content, "2d")["configurations"]["2d"]["architecture"] == expected


def test_residual_networks_of_older_plans_can_be_used(tmp_path):
    content = read_json(GOLDEN)
    arguments = content["configurations"]["2d"]["architecture"]["arch_kwargs"]
    arguments["n_blocks_per_stage"] = [1, 3, 4, 6, 6][: arguments["n_stages"]]
    older(content, "ResidualEncoderUNet", "n_blocks_per_stage")
    path = tmp_path / "plans.json"
    path.write_text(json.dumps(content))
    network = parse_plan(read_user_plan(path, 1, reorient=False)).architecture
    assert network.residual
    assert network.n_blocks_per_stage == tuple(arguments["n_blocks_per_stage"])


def test_an_unknown_network_of_an_older_plan_is_named():
    content = read_json(GOLDEN)
    older(content, "SwinUNETR", "n_conv_per_stage")
    with pytest.raises(ValueError, match="found SwinUNETR, expected PlainConvUNet or Residual"):
        with_configuration(content, "2d")
