"""Exported slices on disk."""

import logging
import os
import re
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preparations import as_volume, preparation
from scans import ORIENTATIONS, affine_of, labels_of, named_labels
from slicewise import geometry, slices
from slicewise.files import read_json, write_json, write_npy
from slicewise.labels import parse_labels
from slicewise.preprocessing import CaseGeometry, preprocess
from slicewise.problems import BadInput
from slicewise.selection import parse_selection
from slicewise.slices import (
    ExportedCase,
    case_paths,
    choose_cases,
    choose_slices,
    open_case,
    open_cases,
    slice_table,
    stored_slices,
)

GEOMETRY = CaseGeometry(
    orientation="RAS",
    reorient=False,
    affine=np.eye(4).tolist(),
    file_shape=(4, 3, 2),
    spacing=(1.0, 1.0, 1.0),
    shape=(2, 3, 4),
    bounding_box=((0, 2), (0, 3), (0, 4)),
    resampled_spacing=(1.0, 1.0, 1.0),
    resampled_shape=(2, 3, 4),
)


@pytest.fixture
def arrays(tmp_path):
    image, label, record = case_paths(tmp_path, "a")
    voxels = np.zeros((2, 3, 4), np.int8)
    voxels[1, 0, :3] = 2
    write_npy(image, np.ones((2, 1, 3, 4), np.float32))
    write_npy(label, voxels)
    table = slice_table(voxels, labels_of(2))
    write_json(record, {"case": "a", "geometry": GEOMETRY.to_json(), "slice_table": table})
    return tmp_path


def test_the_slice_table_has_a_row_of_counts_for_each_class(arrays):
    np.testing.assert_array_equal(open_case(arrays, "a").counts, [[0, 0], [0, 3]])


def test_a_case_comes_with_its_way_back(arrays):
    assert open_case(arrays, "a").geometry == GEOMETRY


def test_cases_are_opened_in_the_given_order(arrays):
    assert [case.name for case in open_cases(arrays, ["a", "a"])] == ["a", "a"]


@pytest.mark.parametrize("index", [0, 1, 2])
def test_each_missing_file_is_named(arrays, index):
    path = case_paths(arrays, "a")[index]
    path.unlink()
    with pytest.raises(ValueError, match=f"{path.name}: found no such file.*export"):
        open_case(arrays, "a")


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:100],
        lambda content: content[:-1],
        lambda content: b"",
        lambda content: content.replace(b"(2, ", b"(9, ", 1),
        lambda content: content.replace(b"(2, ", b"(-2,", 1),
        lambda content: content.replace(b"'shape'", b"'shape\0", 1),
        lambda content: content.replace(b"NUMPY\1", b"NUMPY\3", 1),
        lambda content: content.replace(b"'descr': '", b"'descr': 'O", 1),
    ],
)
def test_a_damaged_array_is_named(arrays, index, change):
    path = case_paths(arrays, "a")[index]
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(BadInput, match=rf"case a: .*{path.name}: .*exports anew"):
        open_case(arrays, "a")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("geometry", {}),
        ("geometry", None),
        ("slice_table", {"classes": {"class1": [1], "class2": [0, 3]}}),
        ("slice_table", {"classes": {"class1": [0, 0, 0], "class2": [0, 3, 0]}}),
        ("slice_table", {"classes": {"class1": [0, -1], "class2": [0, 3]}}),
        ("slice_table", {"classes": [1, 2]}),
        ("slice_table", {"classes": {"class1": [0, 0], "class2": [0, 3]}, "annotated": [1]}),
        ("slice_table", {"classes": {"class1": [0, 0], "class2": [0, 10**30]}}),
    ],
)
def test_a_damaged_record_is_named(arrays, key, value):
    path = case_paths(arrays, "a")[2]
    write_json(path, read_json(path) | {key: value})
    with pytest.raises(BadInput, match=r"a\.json: found .*anew"):
        open_case(arrays, "a")


@pytest.mark.parametrize("voxels", [np.zeros((3, 1, 3, 4), np.float32), np.zeros((2, 1, 3, 4))])
def test_an_image_of_another_grid_or_type_is_named(arrays, voxels):
    path = case_paths(arrays, "a")[0]
    write_npy(path, voxels)
    with pytest.raises(BadInput, match=r"case a: .*a\.npy: found float.*on the grid of the label"):
        open_case(arrays, "a")


OPEN_MANY = """
import resource, sys
from slicewise.slices import open_cases
soft, hard, count = map(int, sys.argv[2:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
cases = open_cases(sys.argv[1], ["a"] * count)
print(len(cases), resource.getrlimit(resource.RLIMIT_NOFILE)[1] == hard, cases[-1].label.sum())
"""


def open_many(arrays, soft, hard, count):
    """Open a case many times in a process that may open so many files."""
    command = [sys.executable, "-c", OPEN_MANY, str(arrays), str(soft), str(hard), str(count)]
    environment = os.environ | {"PYTHONPATH": str(Path(slices.__file__).parents[1])}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


needs_limits = pytest.mark.skipif(find_spec("resource") is None, reason="needs limits of POSIX")


@needs_limits
def test_more_cases_are_opened_than_files_are_allowed_at_first(arrays):
    assert open_many(arrays, 64, 512, 100).stdout.split() == ["100", "True", "6"]


@needs_limits
def test_more_cases_than_this_system_allows_are_refused(arrays):
    message = r"100 cases .*found a limit of 128 open files, expected 2\d\d or more.*`ulimit -n`"
    assert re.search(message, open_many(arrays, 64, 128, 100).stderr)


@given(
    st.tuples(*[st.integers(1, 5)] * 3),
    st.integers(0, 2**32),
    st.sampled_from(["plain", "regions", "ignore"]),
)
def test_the_counts_of_slices_add_up_to_those_of_the_volume(shape, seed, kind):
    named = {"background": 0, "whole": [1, 2], "core": 2} if kind == "regions" else named_labels(2)
    named |= {"ignore": 3} if kind == "ignore" else {}
    labels = parse_labels(named, [1, 2] if kind == "regions" else None)
    label = np.random.default_rng(seed).integers(-1, max(labels.stored) + 1, shape)
    table = slice_table(label, labels)
    for name, values in labels.classes.items():
        assert len(table["classes"][name]) == shape[0]
        assert sum(table["classes"][name]) == sum(int((label == value).sum()) for value in values)
    if kind == "ignore":
        assert sum(table["annotated"]) == label.size - int((label == 3).sum())


# Chosen slices


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8), st.data())
def test_chosen_slices_are_either_filled_or_empty(voxels, data):
    """Slices hold so many voxels of a class; a case limited to some of them knows of no other."""
    label = np.zeros((len(voxels), 1, 3), np.int8)
    for index, count in enumerate(voxels):
        label[index, 0, :count] = 1
    chosen = sorted(data.draw(st.sets(st.integers(0, len(voxels) - 1))))
    case = exported_case(slices=len(voxels), first=0)
    counts = np.array(list(slice_table(label, labels_of(1))["classes"].values()))
    limited = replace(case, label=label, counts=counts).limited(np.array(chosen, np.int64))
    assert limited.drawable.tolist() == chosen
    assert limited.filled.tolist() == [index for index in chosen if voxels[index]]
    assert limited.empty.tolist() == [index for index in chosen if not voxels[index]]


@given(st.sampled_from(ORIENTATIONS), st.booleans(), st.permutations([0, 1, 2]), st.integers(0, 4))
def test_exported_slices_know_their_index_in_the_file(orientation, reorient, forward, cropped):
    """Each slice of the file is as bright as its index; what is cropped away is 0."""
    plan = preparation(forward=forward)
    axis = geometry.nifti_axis(forward[0], orientation, reorient)
    shape = [5, 6, 7]
    shape[axis] = 9
    image = np.zeros(shape)
    along = np.moveaxis(image, axis, 0)
    along += np.arange(1, 10)[:, None, None]
    along[:cropped] = along[7:] = 0
    exported, _, case = preprocess(
        as_volume(image, orientation, reorient=reorient), None, plan, reorient
    )
    stored, indices = stored_slices(case, forward[0])
    assert stored == axis
    assert indices.tolist() == (exported[:, 0, 2, 2] - 1).round().astype(int).tolist()


def exported_case(filled=(), slices=6, orientation="RAS", first=2, name="a"):
    """Return a case of slices 3 mm apart from -6 mm on, `first` of them cropped, across axis 0."""
    label = np.zeros((slices - first, 2, 2), np.int8)
    label[[index - first for index in filled]] = 1
    stored = CaseGeometry(
        orientation=orientation,
        reorient=False,
        affine=affine_of(orientation, (1, 1, 3), (0, 0, -6)).tolist(),
        file_shape=(2, 2, slices),
        spacing=(3.0, 1.0, 1.0),
        shape=(slices, 2, 2),
        bounding_box=((first, slices), (0, 2), (0, 2)),
        resampled_spacing=(3.0, 1.0, 1.0),
        resampled_shape=label.shape,
    )
    counts = np.array(list(slice_table(label, labels_of(1))["classes"].values()))
    return ExportedCase(name, np.zeros((len(label), 1, 2, 2)), label, counts, stored)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", [2, 3, 4, 5]),
        ("foreground", [3, 5]),
        ("central 2", [2, 3]),
        ("central 4", [2, 3, 4]),
        ("every 2", [2, 4]),
        ("-3 to 6 mm", [2, 3, 4]),
    ],
)
def test_slices_are_chosen_by_their_place_in_the_file(text, expected):
    case = exported_case(filled=[3, 5])
    assert (choose_slices(case, parse_selection(text), 0) + 2).tolist() == expected


def test_a_case_without_chosen_slices_is_left_out_with_a_warning(caplog):
    cases = [exported_case(name="a"), exported_case(filled=[4], name="b")]
    with caplog.at_level(logging.INFO, "slicewise"):
        kept = choose_cases(cases, parse_selection("foreground"), 0)
    assert [(case.name, case.drawable.tolist()) for case in kept] == [("b", [2])]
    assert caplog.records[0].levelname == "WARNING"
    assert "no annotated slice of a is chosen by 'foreground'" in caplog.messages[0]
    assert "1 of 8 slices" in caplog.messages[1]


def test_slices_that_no_case_has_are_refused():
    with pytest.raises(ValueError, match=r"training\.slices: found '50 to 60 mm'.*cases a, b"):
        choose_cases(
            [exported_case(name="a"), exported_case(name="b")], parse_selection("50 to 60 mm"), 0
        )


def test_chosen_slices_that_nobody_annotated_are_as_good_as_none():
    case = exported_case(filled=[3])
    case = replace(case, annotated=np.array([0, 9, 0, 0]))
    with pytest.raises(ValueError, match="chooses no annotated slice of the cases"):
        choose_cases([case], parse_selection("-3 to 0 mm"), 0)
    (kept,) = choose_cases([case], parse_selection("foreground"), 0)
    assert kept.annotated.tolist() == [0, 9, 0, 0]
