"""The analysis of a group of cases."""

import numpy as np
import pandas as pd
import pytest

import analyze_cases
from scans import labels_of, write_dataset
from slicewise.dataset import open_dataset
from slicewise.files import read_json
from slicewise.labels import parse_labels


@pytest.mark.parametrize(
    ("reorient", "orientation", "orders"),
    [
        ("never", "LPS", [False]),
        ("always", "LPS", [True]),
        ("auto", "LPS", [False, True]),
        ("auto", "RAS", [False]),
    ],
)
def test_a_case_is_read_in_each_way_that_may_be_needed(reorient, orientation, orders):
    assert analyze_cases.reading_orders(reorient, orientation) == orders


def extents_of(label):
    rows = analyze_cases.class_extents(label, labels_of(1))
    return pd.DataFrame(rows, columns=analyze_cases.EXTENT_COLUMNS[1:])


def test_extents_are_those_of_the_bounding_box_in_each_slice():
    label = np.zeros((4, 6, 8), np.int16)
    label[1, 2:5, 1:3] = 1
    label[2, 0, 7] = 1
    table = extents_of(label)
    across = table[table["axis"] == 0].set_index("slice")
    assert across.loc[1, ["first", "second"]].tolist() == [3, 2]
    assert across.loc[2, ["first", "second"]].tolist() == [1, 1]
    across = table[table["axis"] == 2].set_index("slice")
    assert across.loc[1, ["first", "second"]].tolist() == [1, 3]
    assert sorted(across.index) == [1, 2, 7]


def test_disconnected_parts_span_the_gap_between_them():
    label = np.zeros((1, 5, 9), np.int16)
    label[0, 0, 0] = label[0, 4, 8] = 1
    table = extents_of(label)
    assert table[table["axis"] == 0][["first", "second"]].to_numpy().tolist() == [[5, 9]]


def test_a_region_that_holds_the_background_spans_all_of_it():
    """NnU-Net 2.8.1 takes such a region; nothing of a case may be left out for it."""
    labels = parse_labels({"background": 0, "odd": [0, 1], "b": 2}, [1, 2])
    label = np.zeros((5, 6, 7), np.int16)
    label[2, 2, 2] = 1
    rows = analyze_cases.class_extents(label, labels)
    assert rows[rows[:, 1] == 0].tolist() == [[1, 0, index, 6, 7] for index in range(5)]


def run(tmp_path, **settings):
    dataset_json = write_dataset(tmp_path / "raw", shapes=[(6, 7, 8)] * 2, **settings)
    outputs = {
        "problems": tmp_path / "p.csv",
        "analysis": tmp_path / "a.json",
        "intensities": tmp_path / "i.npy",
        "extents": tmp_path / "e.csv",
    }
    cases = open_dataset(dataset_json).cases()
    analyze_cases.main(dataset_json=dataset_json, cases=cases, reorient="auto", **outputs)
    return outputs


def test_records_hold_the_geometry_as_stored(tmp_path):
    record = read_json(run(tmp_path, spacing=(1.0, 2.0, 3.0))["analysis"])["case_00"]
    assert record["shape"] == [8, 7, 6]
    assert record["spacing"] == [3.0, 2.0, 1.0]
    assert record["orientation"] == "RAS"
    assert record["nonzero_box"] == [[0, 8], [0, 7], [0, 6]]


def test_intensities_are_those_of_the_foreground(tmp_path):
    outputs = run(tmp_path, channels=("a", "b"))
    records = read_json(outputs["analysis"]).values()
    stored = np.load(outputs["intensities"])
    assert len(stored) == 2 * sum(record["foreground_voxels"] for record in records)
    voxels = next(iter(records))["foreground_voxels"]
    np.testing.assert_array_equal(stored[voxels : 2 * voxels], 2 * stored[:voxels])


def test_extents_name_the_case(tmp_path):
    table = pd.read_csv(run(tmp_path)["extents"])
    assert list(table.columns) == analyze_cases.EXTENT_COLUMNS
    assert set(table["case"]) == {"case_00", "case_01"}
