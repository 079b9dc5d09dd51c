"""Patches of single slices: where they lie and what they hold."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.record_labels import KINDS
from scans import labels_of
from slicewise import patches
from slicewise.labels import parse_labels
from slicewise.preprocessing import OUTSIDE
from slicewise.randomness import generator
from slicewise.slices import ExportedCase, slice_table

TWO = labels_of(2)
TWO_AND_IGNORE = parse_labels({"background": 0, "class1": 1, "class2": 2, "ignore": 3})


def case_of(label, seed=0, channels=2, labels=TWO):
    """Return an exported case in memory with a random image."""
    image = np.random.default_rng(seed).random((len(label), channels, *label.shape[1:]))
    table = slice_table(label, labels)
    counts = np.array(list(table["classes"].values()))
    annotated = np.array(table["annotated"]) if "annotated" in table else None
    return ExportedCase("case", image.astype(np.float32), label, counts, None, annotated)


def ellipsoid(shape=(8, 20, 16)):
    """Return a label (slice, row, column) with class 1 in the middle slices and class 2 in one."""
    label = np.zeros(shape, np.int8)
    label[2:6, 5:12, 4:10] = 1
    label[3, 15:18, 12:14] = 2
    return label


@given(st.integers(1, 40), st.integers(1, 30), st.integers(0, 20))
def test_every_voxel_can_be_in_a_patch(size, patch, margin):
    low, high = patches.start_range(size, patch + margin, patch)
    assert low <= high
    assert low <= 0
    assert high + patch + margin >= size


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


def test_classes_are_drawn_alike_however_small_they_are():
    sampler = patches.Sampler([case_of(ellipsoid())], TWO)
    positions = sampler.draw(np.random.default_rng(0), 4000, (1, 1), (1, 1), 1.0)
    _, label = sampler.cut(positions, (1, 1))
    share = (label == 2).mean()
    assert abs(share - 0.5) < 4 * np.sqrt(0.25 / 4000)


def test_voxels_of_a_class_are_drawn_uniformly():
    label = np.zeros((3, 4, 4), np.int8)
    label[0, 0, 0] = label[2, 1:3, 1:3] = 1
    sampler = patches.Sampler([case_of(label)], TWO)
    positions = sampler.draw(np.random.default_rng(1), 5000, (1, 1), (1, 1), 1.0)
    share = np.mean(positions["slice"] == 0)
    assert abs(share - 0.2) < 4 * np.sqrt(0.16 / 5000)


def test_other_slices_and_cases_are_drawn_uniformly():
    sampler = patches.Sampler([case_of(ellipsoid(), seed) for seed in range(2)], TWO)
    positions = sampler.draw(np.random.default_rng(2), 8000, (6, 6), (6, 6), 0.0)
    drawn = np.bincount(8 * positions["case"] + positions["slice"], minlength=16)
    assert (abs(drawn - 500) < 5 * np.sqrt(500)).all()


def test_a_case_without_foreground_gives_any_patch():
    sampler = patches.Sampler([case_of(np.zeros((3, 8, 8), np.int8))], TWO)
    positions = sampler.draw(np.random.default_rng(3), 5, (4, 4), (4, 4), 1.0)
    assert len(positions) == 5


@given(st.integers(-8, 24), st.integers(-8, 20), st.integers(0, 7))
def test_a_patch_is_the_slice_with_its_border(row, column, chosen):
    case = case_of(ellipsoid())
    at = np.array([(0, chosen, row, column)], patches.POSITION)
    image, label = patches.Sampler([case], TWO).cut(at, (6, 7))
    padded = np.pad(case.image[chosen], ((0, 0), (10, 30), (10, 30)))
    rows, columns = slice(row + 10, row + 16), slice(column + 10, column + 17)
    np.testing.assert_array_equal(image[0], padded[:, rows, columns])
    padded = np.pad(case.label[chosen], ((10, 30), (10, 30)), constant_values=OUTSIDE)
    np.testing.assert_array_equal(label[0], padded[rows, columns])


@pytest.mark.parametrize(
    ("types", "expected"),
    [(["int8"], "int8"), (["int8", "int16"], "int16"), (["uint8"], "int16")],
)
def test_labels_stay_as_small_as_their_files_have_them(types, expected):
    cases = [case_of(ellipsoid().astype(kind)) for kind in types]
    _, label = patches.Sampler(cases, TWO).cut(np.zeros(2, patches.POSITION), (30, 30))
    assert label.dtype == expected
    assert set(np.unique(label)) == {OUTSIDE, 0}


@pytest.mark.parametrize("value", [1, 2])
def test_the_slice_table_counts_voxels(value):
    label = ellipsoid()
    counts = slice_table(label, TWO)["classes"][f"class{value}"]
    assert counts == [(label[i] == value).sum() for i in range(len(label))]


# Regions and the ignore label


@pytest.fixture(scope="module")
def centres() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parent / "golden/network/centres.npz", allow_pickle=False) as found:
        return dict(found)


def drawn_centres(label, labels, oversample: float, count: int) -> np.ndarray:
    """Return how often each voxel of a label was the centre of `count` patches of one voxel."""
    sampler = patches.Sampler([case_of(label, labels=labels)], labels)
    found = np.zeros(label.shape, int)
    at = sampler.draw(np.random.default_rng(0), int(count), (1, 1), (1, 1), oversample)
    np.add.at(found, (at["slice"], at["row"], at["column"]), 1)
    return found


@pytest.mark.parametrize("oversample", [0.0, 1.0])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("holding", ["foreground", "background", "nothing"])
def test_centres_are_drawn_as_often_as_nnunets(centres, kind, holding, oversample):
    if holding == "nothing" and "ignore" not in kind:
        return
    label = centres[f"{kind}/{holding}/label"]
    expected = centres[f"{kind}/{holding}/{'forced' if oversample else 'free'}"]
    found = drawn_centres(label, parse_labels(*KINDS[kind]), oversample, expected.sum())
    assert not found[expected == 0].any()
    # Poisson counts of the same rate: the difference over its deviation is standard normal; the
    # bound is 5 of them for each of 210 voxels (1e-4 in all).
    pair = expected + found
    assert (abs(expected - found)[pair > 0] <= 5 * np.sqrt(pair[pair > 0])).all()


# Chosen slices and the share of empty ones


def draw_many(cases, batch_size=3000, oversample=0.0, empty=None, labels=TWO, seed=0):
    """Draw a large batch of small patches, the share of empty slices given as a number."""
    share = None if empty is None else patches.empty_share(cases, empty)
    rng = np.random.default_rng(seed)
    sampler = patches.Sampler(cases, labels, share)
    return sampler.draw(rng, batch_size, (6, 6), (6, 6), oversample)


def holds_foreground(cases, positions):
    return [bool((cases[case].label[at] > 0).any()) for case, at, *_ in positions.tolist()]


@pytest.mark.parametrize(
    ("labels", "recorded"),
    [
        (
            TWO,
            [
                (0, 3, 5, 0),
                (0, 0, 6, 3),
                (0, 1, -1, 3),
                (0, 0, 5, 2),
                (0, 3, -2, 1),
                (0, 3, 1, 1),
            ],
        ),
        (
            TWO_AND_IGNORE,
            [
                (0, 4, -2, -1),
                (0, 4, 6, 10),
                (0, 1, -2, -1),
                (0, 4, 0, 6),
                (0, 3, -2, 0),
                (0, 2, -2, -1),
            ],
        ),
    ],
    ids=["plain", "ignore"],
)
def test_a_seed_draws_what_it_drew_before(labels, recorded):
    """recorded: (case, slice, row, column) of each sample."""
    cases = []
    for slices in (5, 8):
        label = np.zeros((slices, 24, 20), np.int8)
        label[1:-1, 4:14, 6:12] = 1
        label[2, 15:18, 12:14] = 2
        label[0] = 0 if labels.ignore is None else labels.ignore
        cases.append(case_of(label, labels=labels))
    rng = generator(0, 1, "train", 2)
    positions = patches.Sampler(cases, labels).draw(rng, 6, (20, 18), (16, 16), 0.33)
    assert positions.tolist() == recorded


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
