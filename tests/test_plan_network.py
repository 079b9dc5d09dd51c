"""Patch, batch and network, and which structures fit in the patch."""

import logging
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from chain import Chain, analyse, plan
from plan_network import patch_adequacy, plan_network, report
from scans import affine_of, write_case, write_dataset, write_json_of
from slicewise.extents import read_extents
from slicewise.files import read_json
from slicewise.network import build_network
from slicewise.planners import PLANNERS
from slicewise.plans import read_plan
from slicewise.schemas import problems, read_schema
from slicewise.topology import conv_feature_map_size, pool_and_kernel_sizes
from slicewise.user_plans import read_user_plan


def test_extents_fit_in_both_directions_or_not_at_all():
    extents = np.array([(1, 10, 10), (1, 10, 21), (1, 30, 5), (1, 8, 20)])
    heart, absent = patch_adequacy(extents, ["heart", "absent"], [20, 20])
    assert (heart["slices"], heart["fit"], heart["share"]) == (4, 2, 0.5)
    assert (absent["slices"], absent["share"]) == (0, None)


def test_a_class_that_does_not_fit_is_warned_of(caplog):
    extents = np.array([(1, 10, 10), (1, 30, 10)])
    with caplog.at_level(logging.INFO, "slicewise"):
        report(patch_adequacy(extents, {"heart": 1}, [20, 20]))
    assert caplog.records[0].levelname == "WARNING"
    assert "1 of 2 in-plane extents of heart fit" in caplog.text


def test_extents_of_all_groups_are_read_case_by_case(tmp_path):
    for name, rows in {
        "0": ["b,1,0,7,3,4", "b,2,2,0,10,1", "d,1,1,5,2,2"],
        "1": ["a,1,0,0,1,1"],
    }.items():
        text = "\n".join(["case,label,axis,slice,first,second", *rows])
        (tmp_path / f"{name}.csv").write_text(text + "\n")
    (tmp_path / "2.csv").write_text("case,label,axis,slice,first,second\n")
    found = dict(read_extents(sorted(tmp_path.iterdir())))
    assert {case: rows.tolist() for case, rows in found.items()} == {
        "b": [[1, 0, 7, 3, 4], [2, 2, 0, 10, 1]],
        "d": [[1, 1, 5, 2, 2]],
        "a": [[1, 0, 0, 1, 1]],
    }


@pytest.mark.parametrize("orientation", ["RAS", "SRA"])
@pytest.mark.parametrize(
    ("policy", "row", "column"), [("axial", 6, 10), ("coronal", 12, 10), ("sagittal", 12, 6)]
)
@pytest.mark.parametrize("order", ["stored", "finest_last"])
def test_extents_follow_the_slices_whatever_the_storage(
    tmp_path, orientation, policy, row, column, order
):
    """A box of 10 x 6 x 12 mm (R, A, S) has its extents in every plane, in voxels of the plan.

    Finest last swaps the axes of axial slices only: R is the coarser of R and A.
    """
    spacing = {"R": 1.25, "A": 1.0, "S": 3.0}
    if (policy, order) == ("axial", "finest_last"):
        row, column = column, row
    box = {"R": slice(4, 12), "A": slice(5, 11), "S": slice(2, 6)}
    shape = {"R": 20, "A": 18, "S": 9}
    for index in range(4):
        label = np.zeros([shape[letter] for letter in orientation], np.uint8)
        label[tuple(box[letter] for letter in orientation)] = 1
        affine = affine_of(orientation, [spacing[letter] for letter in orientation])
        image = label + np.ones(label.shape, np.float32)
        write_case(tmp_path / "raw", f"case_{index}", [image], label, affine)
    raw = write_json_of(tmp_path / "raw", 4, classes=1)
    chain = analyse(Chain(raw, tmp_path), reorient="always")
    plan(chain, policy, in_plane_order=order)
    table = pd.read_csv(chain.adequacy)
    target = dict(zip(("row", "column"), read_plan(chain.plan).spacing, strict=True))
    assert table["extent_row_p95"].item() * target["row"] == pytest.approx(row)
    assert table["extent_column_p95"].item() * target["column"] == pytest.approx(column)


@pytest.fixture(scope="module")
def analysed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("analysed")
    return analyse(Chain(write_dataset(folder / "raw", [(30, 34, 7)] * 4), folder))


@pytest.mark.parametrize(
    ("planner", "class_name"),
    [("default", "PlainConvUNet"), ("resenc_m", "ResidualEncoderUNet")],
)
def test_a_plan_is_read_back_as_one_record(analysed, planner, class_name):
    chain = plan(analysed, planner=planner)
    record = read_plan(chain.plan)
    assert record.dataset_name == "Dataset001_Test"
    assert record.architecture.class_name == class_name
    assert record.raw == read_json(chain.plan)


def test_an_own_target_spacing_sets_the_grid_that_patches_are_planned_on(analysed):
    median = read_plan(plan(analysed).plan).median_image_size
    finer = read_plan(plan(analysed, overwrite_target_spacing=[5.0, 0.5, 0.5]).plan)
    assert finer.spacing == (0.5, 0.5)
    assert finer.median_image_size == tuple(2 * edge for edge in median)


@pytest.mark.parametrize("planner", PLANNERS)
def test_the_plans_of_every_planner_pass_the_schema_and_are_built(analysed, planner):
    chain = plan(analysed, planner=planner)
    assert problems(read_json(chain.plan), read_schema("plans")) == []
    record = read_plan(chain.plan)
    with torch.device("meta"):
        logits = build_network(record, 1, 2)(torch.zeros(1, 1, *record.patch_size))
    assert logits.shape == (1, 2, *record.patch_size)


@pytest.mark.parametrize("planner", PLANNERS)
def test_a_scaled_plan_differs_in_patch_network_and_batch_alone(analysed, planner):
    whole = read_json(plan(analysed, planner=planner).plan)
    half = read_json(plan(analysed, planner=planner, patch_scale=0.5).plan)
    assert read_user_plan(analysed.plan, 1, False) == half
    assert half.pop("slicewise") == whole.pop("slicewise") | {"patch_scale": 0.5}
    for content in (whole, half):
        for key in ("patch_size", "architecture", "batch_size"):
            assert content["configurations"]["2d"].pop(key)
    assert half == whole


def plan_of(scale, planner="default", cases=100_000):
    """Return the plan of that many cases of 16 x 512 x 448 voxels for a GPU of 1 GB."""
    spacing, shape = [5.0, 0.8, 0.8], [16, 512, 448]
    content = {"numTraining": cases, "labels": ["background", "heart", "vessel"]}
    fingerprint = {"spacings": [spacing] * 3, "shapes_after_crop": [shape] * 3}
    preparation = {
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {"2d": {"spacing": spacing[1:]}},
        "slicewise": {"target_spacing": spacing},
        "image_reader_writer": "",
        "foreground_intensity_properties_per_channel": {},
    }
    planned = plan_network(
        SimpleNamespace(content=content),
        fingerprint,
        preparation,
        PLANNERS[planner],
        1.0,
        "",
        scale,
    )
    return planned["configurations"]["2d"]


@pytest.mark.parametrize("planner", PLANNERS)
@pytest.mark.parametrize("scale", [0.75, 0.5, 0.25])
def test_a_smaller_patch_fills_the_same_memory_with_a_larger_batch(planner, scale):
    """To half a patch, which is what rounding the batch takes or gives."""
    whole, part = plan_of(1, planner), plan_of(scale, planner)
    assert part["batch_size"] > whole["batch_size"]
    capacity = PLANNERS[planner].capacity(1.0)
    for content in (whole, part):
        topology = pool_and_kernel_sizes(content["spacing"], content["patch_size"])
        network = PLANNERS[planner].architecture(topology)
        patch_cost = conv_feature_map_size(network, topology.patch_size, 3) / 12
        assert content["batch_size"] * patch_cost == pytest.approx(capacity, abs=patch_cost / 2)


def test_a_smaller_patch_covers_no_more_of_a_small_dataset():
    """20 slices: a twentieth is one of them, and a quarter of the edges fits in it 16 times."""
    few = plan_of(0.25, cases=20 / 16)
    assert few["batch_size"] == round(512 * 448 / np.prod(few["patch_size"]))


def test_a_scale_of_1_changes_no_byte_of_a_plan(analysed):
    before = plan(analysed).plan.read_bytes()
    assert plan(analysed, patch_scale=1.0).plan.read_bytes() == before


def test_adequacy_is_that_of_the_scaled_patch(analysed):
    chain = plan(analysed, patch_scale=0.5)
    rows, columns = read_plan(chain.plan).patch_size
    table = pd.read_csv(chain.adequacy)
    assert set(zip(table["patch_row"], table["patch_column"], strict=True)) == {(rows, columns)}
