"""Which slices of a file are chosen."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scans import ORIENTATIONS, affine_of
from slicewise import geometry, schemas
from slicewise.selection import FORMS, Selection, parse_selection

TEXTS = ["all", "foreground", "central 20", "every 2", "-20 to 35 mm", "0.5 to 7.25 mm"]
PATTERN = schemas.read_schema("config")["$defs"]["slices"]["pattern"]
OTHER = ["", "All", "central", "central 0", "every 0", "every -1", "every 1.5", "20", "-20 to 35"]
OTHER += ["all\n", "central 1\u0663", "every 10000000000000000000"]


def indices(text, slices=10, filled=(), position_mm=None):
    """Return the indices of the slices that a text chooses of so many, 1 mm apart from 0 mm on."""
    mask = np.isin(np.arange(slices), filled)
    place = np.arange(slices, dtype=float) if position_mm is None else np.array(position_mm)
    return np.flatnonzero(parse_selection(text).chosen(mask, place)).tolist()


@pytest.mark.parametrize("text", [*TEXTS, *OTHER])
def test_the_config_allows_what_can_be_read(text):
    if re.search(PATTERN, text):
        assert isinstance(parse_selection(text), Selection)
    else:
        with pytest.raises(ValueError, match="expected all, foreground, central N"):
            parse_selection(text)


@given(
    st.one_of(
        st.text(max_size=20),
        st.from_regex("|".join(FORMS.values())),
        st.sampled_from(TEXTS).flatmap(
            lambda text: st.tuples(
                st.just(text), st.integers(0, len(text)), st.text("ale 20.-\n٣x", max_size=2)
            ).map(lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] :])
        ),
    )
)
def test_the_config_allows_just_the_texts_that_can_be_read(text):
    if not re.search(PATTERN, text):
        with pytest.raises(ValueError, match="expected all, foreground, central N"):
            parse_selection(text)
        return
    found = parse_selection(text)
    assert found.low_mm <= found.high_mm
    assert found.chosen(np.zeros(5, bool), np.arange(5.0)).shape == (5,)


@given(st.integers(1, 50), st.integers(0, 40))
def test_every_kth_slice_is_as_many_as_fit(step, slices):
    assert len(indices(f"every {step}", slices)) == -(-slices // step)


@given(*[st.decimals(-500, 500, places=2)] * 2, st.lists(st.floats(-500, 500), max_size=8))
def test_a_range_holds_what_lies_between_its_ends(first, second, places):
    selection = parse_selection(f"{first} to {second} mm")
    low, high = sorted(map(float, (first, second)))
    chosen = selection.chosen(np.zeros(len(places), bool), np.array(places))
    for place, taken in zip(places, chosen, strict=True):
        if low <= place <= high:
            assert taken
        if place < low - 0.01 or place > high + 0.01:
            assert not taken


def test_every_form_is_allowed_by_the_config():
    assert [text for text in [*TEXTS, *OTHER] if re.search(PATTERN, text)] == TEXTS


def test_all_are_all():
    assert indices("all", 3) == [0, 1, 2]


def test_foreground_is_where_the_truth_is():
    assert indices("foreground", filled=[2, 3, 7]) == [2, 3, 7]


@pytest.mark.parametrize(
    ("text", "slices", "expected"),
    [
        ("central 3", 9, [3, 4, 5]),
        ("central 4", 10, [3, 4, 5, 6]),
        ("central 2", 5, [1, 2]),
        ("central 1", 4, [1]),
        ("central 3", 4, [0, 1, 2]),
        ("central 20", 3, [0, 1, 2]),
    ],
)
def test_central_slices_lie_in_the_middle_and_rather_lower(text, slices, expected):
    assert indices(text, slices) == expected


@given(st.integers(1, 30), st.integers(1, 30))
def test_central_chooses_as_many_as_there_are(count, slices):
    assert len(indices(f"central {count}", slices)) == min(count, slices)


def test_every_begins_with_the_first():
    assert indices("every 3") == [0, 3, 6, 9]
    assert indices("every 1", 3) == [0, 1, 2]


def test_a_range_includes_both_ends():
    assert indices("2 to 5 mm") == [2, 3, 4, 5]


def test_a_range_may_be_given_from_either_end():
    assert indices("5 to 2 mm") == [2, 3, 4, 5]


def test_an_end_that_a_header_rounds_is_included():
    assert indices("-1.2 to 0 mm", 3, position_mm=np.float32([-2.4, -1.2, 0.0])) == [1, 2]


def test_a_range_beside_the_scan_chooses_nothing():
    assert indices("100 to 120 mm") == []


@given(
    st.sampled_from(ORIENTATIONS), st.sampled_from("RAS"), st.integers(-30, 0), st.integers(1, 40)
)
def test_a_range_chooses_the_same_planes_however_the_scan_is_stored(
    orientation, towards, low, high
):
    """The 8 x 9 x 10 voxels of a scan, 3 mm apart from -12 mm on, keep their places in space."""
    sizes = dict(zip("RAS", (8, 9, 10), strict=True))
    letters = orientation.translate(str.maketrans("LPI", "RAS"))
    axis = letters.index(towards)
    origin = [-12 + 3 * (sizes[side] - 1) * (side not in orientation) for side in "RAS"]
    affine = affine_of(orientation, (3, 3, 3), origin)
    place = geometry.slice_positions(affine, sizes[towards], axis)
    planes = -12 + 3 * np.arange(sizes[towards])
    np.testing.assert_array_equal(place, planes if towards in orientation else planes[::-1])
    chosen = parse_selection(f"{low} to {high} mm").chosen(np.zeros(len(place), bool), place)
    assert sorted(place[chosen]) == [plane for plane in planes if low <= plane <= high]
