"""Patches of single slices: where they lie and what they hold."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from exported import TWO, TWO_AND_IGNORE, case_of, ellipsoid
from scans import labels_of
from slicewise import patches
from slicewise.files import read_json
from slicewise.labels import parse_labels
from slicewise.loss import Loss
from slicewise.preprocessing import OUTSIDE
from slicewise.problems import BadInput
from slicewise.slices import slice_table


@given(st.integers(1, 40), st.integers(1, 30), st.integers(0, 20))
def test_every_voxel_can_be_in_a_patch(size, patch, margin):
    low, high = patches.start_range(size, patch + margin, patch)
    assert low <= high
    assert low <= 0
    assert high + patch + margin >= size


@pytest.fixture(scope="module")
def starts() -> dict[str, np.ndarray]:
    """Starts of nnU-Net's patches (case, 2: row, column) and what they are for."""
    path = Path(__file__).parent / "golden/network/starts.json"
    return {name: np.array(values) for name, values in read_json(path).items()}


def test_patches_start_between_the_bounds_of_nnunet(starts):
    low, high = patches.start_range(starts["size"], starts["read"], starts["patch"])
    np.testing.assert_array_equal(low, starts["low"])
    np.testing.assert_array_equal(high, starts["high"])


def test_patches_centred_on_a_voxel_start_where_those_of_nnunet_start(starts):
    given = zip(
        *(starts[name].tolist() for name in ("size", "read", "patch", "voxel")), strict=True
    )
    found = []
    for size, read, patch, voxel in given:
        label = np.zeros((1, *size), np.int8)
        label[0][tuple(voxel)] = 1
        sampler = patches.Sampler([case_of(label, channels=1)], TWO)
        drawn = sampler.draw(np.random.default_rng(0), 1, read, patch, 1.0)
        found.append((drawn["row"][0], drawn["column"][0]))
    np.testing.assert_array_equal(found, starts["centred"])


def test_a_slice_smaller_than_the_patch_is_centred():
    assert patches.start_range(10, 16, 16) == (-3, -3)


def test_a_slice_larger_than_the_patch_is_covered_without_padding():
    assert patches.start_range(100, 32, 32) == (0, 68)


def test_the_last_third_of_a_batch_is_forced():
    forced = [patches.is_forced(sample, 12, 0.33) for sample in range(12)]
    assert forced == [False] * 8 + [True] * 4


@given(st.integers(0, 50))
def test_forced_patches_hold_foreground(seed):
    cases = [case_of(ellipsoid())]
    rng = np.random.default_rng(seed)
    sampler = patches.Sampler(cases, TWO)
    _, label = sampler.cut(sampler.draw(rng, 6, (6, 6), (6, 6), 1.0), (6, 6))
    assert (label > 0).any(axis=(1, 2)).all()


@given(
    st.tuples(*[st.integers(1, 12)] * 2),
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 2), *[st.integers(-14, 14)] * 2), min_size=1
    ),
    st.tuples(*[st.integers(1, 9)] * 2),
)
def test_patches_are_their_slices_with_a_border(size, places, patch):
    """The slices are padded by numpy here; patches may lie beside them altogether."""
    rng = np.random.default_rng(0)
    cases = [case_of(rng.integers(0, 3, (3, *size)).astype(np.int8), seed) for seed in (0, 1)]
    images, labels = patches.Sampler(cases, TWO).cut(np.array(places, patches.POSITION), patch)
    border = [(14, 24)] * 2
    for (number, index, row, column), image, label in zip(places, images, labels, strict=True):
        top, left = row + 14, column + 14
        rows, columns = slice(top, top + patch[0]), slice(left, left + patch[1])
        padded = np.pad(cases[number].image[index], [(0, 0), *border])
        np.testing.assert_array_equal(image, padded[:, rows, columns])
        padded = np.pad(cases[number].label[index], border, constant_values=OUTSIDE)
        np.testing.assert_array_equal(label, padded[rows, columns])


@given(
    st.integers(0, 2**32),
    st.tuples(*[st.integers(1, 14)] * 2),
    st.tuples(*[st.integers(1, 9)] * 2),
    st.tuples(*[st.integers(0, 4)] * 2),
    st.sampled_from([0.0, 0.33, 1.0]),
)
def test_drawn_patches_lie_within_their_range_and_forced_ones_show_a_class(
    seed, size, patch, margin, oversample
):
    rng = np.random.default_rng(seed)
    labels = [(rng.random((4, *size)) < share).astype(np.int8) for share in (0.1, 0.5)]
    cases = [case_of(label, channels=1).limited(np.array([0, 2])) for label in labels]
    read = tuple(np.add(patch, margin).tolist())
    sampler = patches.Sampler(cases, TWO)
    drawn = sampler.draw(rng, 6, read, patch, oversample)
    assert set(drawn["slice"].tolist()) <= {0, 2}
    low, high = patches.start_range(np.array(size), np.array(read), np.array(patch))
    start = np.stack([drawn["row"], drawn["column"]], axis=1)
    # A patch that is centred on a voxel may start later than one that is drawn freely.
    assert (start >= low).all()
    assert (start <= np.maximum(high, np.array(size) - 1 - np.array(read) // 2)).all()
    shown = sampler.cut(drawn, read)[1]
    forced = patches.is_forced(np.arange(6), 6, oversample)
    has_class = np.array([cases[case].counts.any() for case in drawn["case"]])
    assert (shown[forced & has_class] > 0).any(axis=(1, 2)).all()


def test_a_slice_table_that_names_more_voxels_than_there_are_is_refused():
    case = case_of(ellipsoid())
    label = np.zeros_like(case.label)
    with pytest.raises(BadInput, match=r"case case: .*found 0 voxels of class\d in slice \d"):
        draw_many([replace(case, label=label)], oversample=1.0)


@pytest.mark.parametrize(
    ("types", "expected"),
    [(["int8"], "int8"), (["int8", "int16"], "int16"), (["uint8"], "int16")],
)
def test_labels_stay_as_small_as_their_files_have_them(types, expected):
    cases = [case_of(ellipsoid().astype(kind)) for kind in types]
    _, label = patches.Sampler(cases, TWO).cut(np.zeros(2, patches.POSITION), (30, 30))
    assert label.dtype == expected
    assert set(np.unique(label)) == {OUTSIDE, 0}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (labels_of(127), "int8"),
        (labels_of(128), "int16"),
        (labels_of(257), "int16"),
        (parse_labels({"background": 0, "whole": [*range(1, 128)], "ignore": 128}, [1]), "int16"),
    ],
)
def test_labels_hold_every_value_that_the_dataset_declares(labels, expected):
    """The files of these cases hold no label above 2."""
    sampler = patches.Sampler([case_of(ellipsoid(), labels=labels)], labels)
    _, label = sampler.cut(np.zeros(1, patches.POSITION), (20, 16))
    assert label.dtype == expected


def test_the_loss_of_257_classes_is_that_of_whole_numbers():
    """In 8 bits, which hold the labels of these cases, class 257 would be taken for class 1."""
    labels = labels_of(257)
    at = np.array([(0, 3, 0, 0)], patches.POSITION)
    _, label = patches.Sampler([case_of(ellipsoid(), labels=labels)], labels).cut(at, (20, 16))
    logits = torch.randn(1, 258, 20, 16, generator=torch.Generator().manual_seed(0))
    label = torch.from_numpy(label)
    assert Loss(labels)([logits], label) == Loss(labels)([logits], label.long())


@pytest.mark.parametrize("value", [1, 2])
def test_the_slice_table_counts_voxels(value):
    label = ellipsoid()
    counts = slice_table(label, TWO)["classes"][f"class{value}"]
    assert counts == [(label[i] == value).sum() for i in range(len(label))]


# Chosen slices and the share of empty ones


def draw_many(cases, batch_size=3000, oversample=0.0, empty=None, labels=TWO, seed=0):
    """Draw a large batch of small patches, the share of empty slices given as a number."""
    share = None if empty is None else patches.empty_share(cases, empty)
    rng = np.random.default_rng(seed)
    sampler = patches.Sampler(cases, labels, share)
    return sampler.draw(rng, batch_size, (6, 6), (6, 6), oversample)


def holds_foreground(cases, positions):
    return [bool((cases[case].label[at] > 0).any()) for case, at, *_ in positions.tolist()]


def test_all_slices_chosen_one_by_one_are_drawn_as_all():
    case = case_of(ellipsoid())
    limited = draw_many([case.limited(np.arange(8))], oversample=0.33)
    np.testing.assert_array_equal(draw_many([case], oversample=0.33), limited)


@pytest.mark.parametrize("labels", [TWO, TWO_AND_IGNORE], ids=["plain", "ignore"])
@pytest.mark.parametrize("oversample", [0.0, 0.5, 1.0])
def test_only_chosen_slices_are_drawn(oversample, labels):
    cases = [case_of(ellipsoid(), labels=labels).limited(np.array([1, 4, 5]))]
    drawn = draw_many(cases, oversample=oversample, labels=labels)
    assert set(drawn["slice"].tolist()) == ({4, 5} if oversample == 1 else {1, 4, 5})


def test_chosen_slices_are_drawn_alike():
    cases = [case_of(ellipsoid()).limited(np.array([0, 3, 7]))]
    drawn = np.bincount(draw_many(cases)["slice"], minlength=8)[[0, 3, 7]]
    assert (abs(drawn - 1000) < 5 * np.sqrt(1000)).all()


@pytest.mark.parametrize("labels", [TWO, TWO_AND_IGNORE], ids=["plain", "ignore"])
@pytest.mark.parametrize(("empty", "oversample"), [(0, 0), (0.25, 0.33), (0.5, 0.5), (1, 0)])
def test_the_first_of_a_batch_are_empty_and_all_others_hold_foreground(empty, oversample, labels):
    cases = [case_of(ellipsoid(), labels=labels)]
    drawn = draw_many(cases, 12, oversample, empty, labels)
    assert holds_foreground(cases, drawn) == [sample >= 12 * empty for sample in range(12)]


def test_forced_samples_hold_foreground_where_rounding_makes_the_shares_meet():
    """66 % and 34 % of 75 samples are 50 and 26 when rounded; the one of both is forced."""
    cases = [case_of(ellipsoid())]
    assert holds_foreground(cases, draw_many(cases, 75, 0.34, 0.66)) == [False] * 49 + [True] * 26


def test_a_batch_of_empty_slices_only_needs_no_foreground_to_force():
    case = case_of(np.zeros((3, 8, 8), np.int8))
    assert len(draw_many([case], 12, 0.33, empty=1)) == 12


def test_empty_and_filled_slices_are_drawn_alike():
    drawn = np.bincount(draw_many([case_of(ellipsoid())], 4000, empty=0.5)["slice"])
    assert (abs(drawn - 500) < 5 * np.sqrt(500)).all()


def test_cases_without_empty_slices_leave_the_share_to_the_others():
    filled = case_of(np.ones((3, 8, 8), np.int8))
    cases = [filled, case_of(ellipsoid()), case_of(np.zeros((3, 8, 8), np.int8))]
    drawn = draw_many(cases, 600, empty=0.5)
    assert holds_foreground(cases, drawn) == [False] * 300 + [True] * 300
    for half, pair in ((drawn[:300], [1, 2]), (drawn[300:], [0, 1])):
        counts = np.bincount(half["case"], minlength=3)[pair]
        assert counts.sum() == 300
        assert (abs(counts - 150) < 5 * np.sqrt(150)).all()


def test_a_slice_that_is_ignored_altogether_is_not_empty():
    label = ellipsoid()
    label[0] = 3
    assert case_of(label, labels=TWO_AND_IGNORE).empty.tolist() == [1, 6, 7]


def test_what_a_patch_shows_is_that_of_its_case():
    cases = [case_of(np.ones((3, 8, 8), np.int8), 0), case_of(ellipsoid(), 1)]
    positions = draw_many(cases, 1, empty=1)
    image, _ = patches.Sampler(cases, TWO).cut(positions, (6, 6))
    _, index, row, column = positions.tolist()[0]
    rows, columns = slice(max(row, 0), row + 6), slice(max(column, 0), column + 6)
    shown = cases[1].image[index, :, rows, columns]
    np.testing.assert_array_equal(image[0][image[0] > 0], shown.ravel())


@pytest.mark.parametrize(("value", "share", "kind"), [(1, 0.2, "without"), (0, 0.2, "with")])
def test_a_share_that_no_slice_can_serve_is_refused(value, share, kind):
    case = case_of(np.full((3, 8, 8), value, np.int8))
    with pytest.raises(ValueError, match=rf"empty_slices: found 0\.2, .*slices {kind} foreground"):
        patches.empty_share([case, case], share)


def test_a_share_of_all_or_nothing_needs_one_kind_of_slices_only():
    assert patches.empty_share([case_of(np.ones((3, 8, 8), np.int8))], 0).share == 0
    assert patches.empty_share([case_of(np.zeros((3, 8, 8), np.int8))], 1).share == 1
