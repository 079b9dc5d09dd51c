"""Where wrong voxels lie."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from slicewise.wrong_voxels import KINDS, beyond_ends, kinds_of_wrong, near_outline

ENDS, BOUNDARY, CLASSES, ELSEWHERE = range(1, 5)
NOWHERE = np.zeros((6, 12, 12), bool)


def block(first=1, last=4, edges=(3, 9)):
    """Return a square structure in the slices `first` to `last` of six."""
    mask = NOWHERE.copy()
    mask[first : last + 1, slice(*edges), slice(*edges)] = True
    return mask


def kinds(true, found, both_foreground=NOWHERE, spacing=(1, 1), tolerance_mm=1.0):
    return kinds_of_wrong(true, found, both_foreground, spacing, tolerance_mm)


def counts(found):
    """Return how many voxels are of each kind that there is."""
    of_kind = {kind: int((found == number).sum()) for number, kind in enumerate(KINDS, 1)}
    return {kind: count for kind, count in of_kind.items() if count}


def test_a_structure_that_is_too_large_is_wrong_at_its_boundary():
    # 6 x 6 in truth, 8 x 8 in the prediction: all but the corners touch the true outline.
    found = kinds(block(), block(edges=(2, 10)))
    assert counts(found) == {"boundary": 4 * 24, "elsewhere": 4 * 4}
    assert found[1, 2, 2] == ELSEWHERE


def test_the_tolerance_reaches_further_than_the_next_pixel():
    found = kinds(block(), block(edges=(1, 11)), tolerance_mm=2.0)
    # All but what lies off the corners, where the nearest pixel is farther than 2 mm.
    assert counts(found) == {"boundary": 4 * (4 * 12 + 4), "elsewhere": 4 * 4 * 3}


def test_a_structure_that_is_too_small_is_wrong_at_its_boundary():
    assert counts(kinds(block(), block(edges=(4, 8)))) == {"boundary": 4 * 20}


def test_pixels_beside_the_outline_count_however_large_they_are():
    found = kinds(block(), block(edges=(2, 10)), spacing=(5, 5), tolerance_mm=0.1)
    assert counts(found) == {"boundary": 4 * 24, "elsewhere": 4 * 4}


def test_distances_are_in_mm_along_each_axis():
    wider = block()
    wider[:, 3:9, 9:12] = block()[:, 3:9, 6:9]
    # Three columns more: of 0.5 mm each, all lie within 1.5 mm; of 2 mm, only the first.
    assert counts(kinds(block(), wider, spacing=(2, 0.5), tolerance_mm=1.5)) == {"boundary": 4 * 18}
    assert counts(kinds(block(), wider, spacing=(0.5, 2), tolerance_mm=1.5)) == {
        "boundary": 4 * 6,
        "elsewhere": 4 * 12,
    }


@pytest.mark.parametrize("found", [block(first=2), block(last=3), block(0, 4), block(1, 5)])
def test_slices_too_many_or_too_few_are_wrong_at_the_ends(found):
    assert counts(kinds(block(), found)) == {"ends": 36}


def test_an_island_beyond_the_ends_is_of_the_ends():
    island = block()
    island[5, 0, 0] = True
    assert counts(kinds(block(), island)) == {"ends": 1}


def test_a_slice_missed_between_the_ends_is_elsewhere():
    gap = block()
    gap[2] = False
    assert counts(kinds(block(), gap)) == {"elsewhere": 36}


def test_a_hole_and_an_island_are_elsewhere():
    found = block(edges=(2, 10))
    true = found.copy()
    found[2, 5, 5] = False
    found[3, 0, 0] = True
    assert counts(kinds(true, found)) == {"elsewhere": 2}


@pytest.mark.parametrize(("true", "found"), [(block(), NOWHERE), (NOWHERE, block())])
def test_what_is_missed_or_made_up_as_a_whole_is_elsewhere(true, found):
    assert counts(kinds(true, found)) == {"elsewhere": 4 * 36}


def test_another_class_counts_away_from_the_boundary_only():
    found = block()
    found[2, 3:9, 3:6] = False
    both = block()
    # Three columns are taken for another class: those that touch the outline are of the boundary.
    result = kinds(block(), found, both)
    assert counts(result) == {"boundary": 6 + 2 * 2, "classes": 2 * 4}
    assert result[2, 5, 5] == CLASSES


def test_a_slice_that_is_wholly_of_another_class_is_between_classes():
    gap = block()
    gap[2] = False
    assert counts(kinds(block(), gap, block())) == {"classes": 36}


def test_slices_where_the_prediction_begins_late_are_the_ends_only():
    # The prediction shows slices 2 and 4 of 1 to 4: 1 is an end, 3 is between.
    found = block()
    found[[1, 3]] = False
    result = kinds(block(), found)
    assert counts(result) == {"ends": 36, "elsewhere": 36}
    assert (result[1] == ENDS).any()


def test_beyond_the_border_is_outside():
    full = np.ones((4, 4), bool)
    assert near_outline(full, (1, 1), 1.0).sum() == 12


def test_a_structure_of_one_slice_has_ends_on_both_sides():
    true = np.array([False, False, True, False])
    assert beyond_ends(true, ~true).tolist() == [True, True, False, True]


MASKS = arrays(bool, (5, 6, 7))


@given(MASKS, MASKS, MASKS, st.tuples(*[st.floats(0.2, 5)] * 2), st.floats(0, 8))
def test_every_wrong_voxel_is_of_one_kind_and_no_right_one_of_any(true, found, both, spacing, mm):
    result = kinds(true, found, both, spacing, mm)
    assert np.array_equal(result > 0, true ^ found)
    assert result.max(initial=0) <= len(KINDS)


@given(MASKS, MASKS, MASKS, st.floats(0, 4), st.floats(0, 4))
def test_a_larger_tolerance_only_moves_voxels_to_the_boundary(true, found, both, one, other):
    strict, wide = (kinds(true, found, both, tolerance_mm=mm) for mm in sorted((one, other)))
    changed = strict != wide
    assert (wide[changed] == BOUNDARY).all()
    assert not np.isin(strict[changed], [ENDS, BOUNDARY]).any()


@given(MASKS, MASKS, MASKS)
def test_kinds_do_not_depend_on_the_direction_of_an_axis(true, found, both):
    flipped = kinds(true[::-1, :, ::-1], found[::-1, :, ::-1], both[::-1, :, ::-1])
    assert np.array_equal(flipped[::-1, :, ::-1], kinds(true, found, both))
