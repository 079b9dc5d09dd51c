"""Plans that the user brings."""

import json
from pathlib import Path

import pytest

from slicewise.files import read_json
from slicewise.plans import parse_plan
from slicewise.user_plans import read_user_plan

GOLDEN = Path(__file__).parent / "golden" / "thick_z" / "plans.json"


def read_changed(tmp_path, change, channels=1, reorient=False):
    """Read a plan of nnU-Net after changing its content and its configuration 2d."""
    content = read_json(GOLDEN)
    change(content, content["configurations"]["2d"])
    path = tmp_path / "plans.json"
    path.write_text(json.dumps(content))
    return read_user_plan(path, channels, reorient)


def test_a_plan_of_nnunet_is_used_as_it_is():
    assert read_user_plan(GOLDEN, 1, reorient=False) == read_json(GOLDEN)


def test_a_patch_that_the_strides_do_not_divide_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"patch_size: found \[33, 32\], expected multiples of"):
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
    with pytest.raises(ValueError, match="found 1, expected one for each of 3 channels"):
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

    with pytest.raises(ValueError, match="key 'n_blocks_per_stage' is missing"):
        read_changed(tmp_path, change)


def test_a_missing_plan_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"planning\.plans: .*none\.json is missing"):
        read_user_plan(tmp_path / "none.json", 1, reorient=False)
