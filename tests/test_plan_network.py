"""Patch, batch and network, and which structures fit in the patch."""

import logging

import numpy as np
import pandas as pd
import pytest

from chain import Chain, analyse, plan
from plan_network import REFERENCE_FEATURE_MAP, patch_adequacy, plan_batch, plan_patch, report
from scans import affine_of, write_case, write_dataset, write_json_of
from slicewise.files import read_json
from slicewise.plans import read_plan


def test_the_patch_is_the_median_slice_padded_to_what_the_strides_divide():
    topology, _ = plan_patch(np.ones(2), np.array([50.0, 35.0]), 3, REFERENCE_FEATURE_MAP)
    assert topology.patch_size == (56, 40)


@pytest.mark.parametrize("share", [0.25, 1, 3])
def test_two_samples_of_a_large_patch_fit_in_memory(share):
    reference = share * REFERENCE_FEATURE_MAP
    topology, estimate = plan_patch(np.ones(2), np.array([3000.0, 900.0]), 3, reference)
    assert estimate / 12 * 2 <= reference
    assert plan_batch(estimate, reference, 1e12, topology.patch_size) >= 2


def test_a_batch_covers_at_most_a_twentieth_of_the_dataset():
    assert plan_batch(10**6, REFERENCE_FEATURE_MAP, 100_000, (50, 10)) == 10


def test_extents_fit_in_both_directions_or_not_at_all():
    extents = pd.DataFrame({"label": 1, "row": [10, 10, 30, 8], "column": [10, 21, 5, 20]})
    table = patch_adequacy(extents, ["heart", "absent"], [20, 20]).set_index("class")
    assert table.loc["heart", ["slices", "fit", "share"]].tolist() == [4, 2, 0.5]
    assert table.loc["absent", "slices"] == 0
    assert np.isnan(table.loc["absent", "share"])


def test_a_class_that_does_not_fit_is_warned_of(caplog):
    extents = pd.DataFrame({"label": 1, "row": [10, 30], "column": [10, 10]})
    with caplog.at_level(logging.INFO, "slicewise"):
        report(patch_adequacy(extents, {"heart": 1}, [20, 20]))
    assert caplog.records[0].levelname == "WARNING"
    assert "1 of 2 in-plane extents of heart fit" in caplog.text


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


def test_a_plan_is_read_back_as_one_record(tmp_path):
    raw = write_dataset(tmp_path / "raw", [(30, 34, 7)] * 4)
    chain = plan(analyse(Chain(raw, tmp_path)))
    record = read_plan(chain.plan)
    assert record.dataset_name == "Dataset001_Test"
    assert record.architecture.class_name == "PlainConvUNet"
    assert record.raw == read_json(chain.plan)
