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
from slicewise.slices import ExportedCase, slice_table

TWO = labels_of(2)


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
    positions = patches.draw(rng, cases, TWO, 6, (6, 6), (6, 6), 1.0)
    _, label = patches.cut(cases, positions, (6, 6))
    assert (label > 0).any(axis=(1, 2)).all()


def test_classes_are_drawn_alike_however_small_they_are():
    cases = [case_of(ellipsoid())]
    positions = patches.draw(np.random.default_rng(0), cases, TWO, 4000, (1, 1), (1, 1), 1.0)
    _, label = patches.cut(cases, positions, (1, 1))
    share = (label == 2).mean()
    assert abs(share - 0.5) < 4 * np.sqrt(0.25 / 4000)


def test_voxels_of_a_class_are_drawn_uniformly():
    label = np.zeros((3, 4, 4), np.int8)
    label[0, 0, 0] = label[2, 1:3, 1:3] = 1
    cases = [case_of(label)]
    positions = patches.draw(np.random.default_rng(1), cases, TWO, 5000, (1, 1), (1, 1), 1.0)
    share = np.mean([position.slice == 0 for position in positions])
    assert abs(share - 0.2) < 4 * np.sqrt(0.16 / 5000)


def test_other_slices_and_cases_are_drawn_uniformly():
    cases = [case_of(ellipsoid(), seed) for seed in range(2)]
    positions = patches.draw(np.random.default_rng(2), cases, TWO, 8000, (6, 6), (6, 6), 0.0)
    drawn = np.bincount(
        [8 * position.case + position.slice for position in positions], minlength=16
    )
    assert (abs(drawn - 500) < 5 * np.sqrt(500)).all()


def test_a_case_without_foreground_gives_any_patch():
    cases = [case_of(np.zeros((3, 8, 8), np.int8))]
    positions = patches.draw(np.random.default_rng(3), cases, TWO, 5, (4, 4), (4, 4), 1.0)
    assert len(positions) == 5


@given(st.integers(-8, 24), st.integers(-8, 20), st.integers(0, 7))
def test_a_patch_is_the_slice_with_its_border(row, column, chosen):
    case = case_of(ellipsoid())
    at = patches.Position(0, chosen, row, column)
    image, label = patches.cut([case], [at], (6, 7))
    padded = np.pad(case.image[chosen], ((0, 0), (10, 30), (10, 30)))
    rows, columns = slice(row + 10, row + 16), slice(column + 10, column + 17)
    np.testing.assert_array_equal(image[0], padded[:, rows, columns])
    padded = np.pad(case.label[chosen], ((10, 30), (10, 30)), constant_values=OUTSIDE)
    np.testing.assert_array_equal(label[0], padded[rows, columns])


def test_only_the_chosen_slices_of_a_volume_are_touched():
    seen = []

    class Watched(np.ndarray):
        def __getitem__(self, key):
            seen.append(key[0])
            return np.asarray(self)[key]

    case = case_of(ellipsoid())
    watched = ExportedCase("case", case.image.view(Watched), case.label, case.counts, None)
    patches.cut([watched], [patches.Position(0, 5, 0, 0)], (4, 4))
    assert seen == [5]


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
    cases = [case_of(label, labels=labels)]
    rng = np.random.default_rng(0)
    found = np.zeros(label.shape, int)
    for at in patches.draw(rng, cases, labels, count, (1, 1), (1, 1), oversample):
        found[at.slice, at.row, at.column] += 1
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
