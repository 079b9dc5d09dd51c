"""One fingerprint from groups of cases."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain import Chain, analyse
from merge_fingerprint import Histogram, RandomBits, sample_counts
from scans import write_dataset
from slicewise.files import read_json


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=60), st.integers(0, 100))
def test_percentiles_of_counts_are_those_of_the_values(values, share):
    histogram = Histogram()
    for part in np.array_split(np.array(values, np.float32), 3):
        histogram.add(part, np.ones(len(part), np.int64))
    histogram.compact()
    np.testing.assert_allclose(histogram.percentile(share), np.percentile(values, share), atol=1e-9)


def test_statistics_are_those_of_the_repeated_values():
    values, counts = np.array([1.0, 5.0, 2.0], np.float32), np.array([3, 0, 2])
    histogram = Histogram()
    histogram.add(values, counts)
    repeated, found = np.repeat(values, counts), histogram.statistics()
    assert found["mean"] == repeated.mean()
    np.testing.assert_allclose(found["std"], repeated.std())
    assert (found["min"], found["max"]) == (1, 2)


def test_values_are_merged_each_time_that_more_than_so_many_wait(monkeypatch):
    monkeypatch.setattr(Histogram, "COMPACT_AT", 5)
    histogram, merged = Histogram(), []
    for start in range(0, 24, 3):
        counts = np.array([1, 1, 0])  # what was not drawn does not wait
        histogram.add(np.arange(start, start + 3, dtype=np.float32), counts)
        merged.append(len(histogram.values))
    assert merged == [0, 0, 6, 6, 6, 12, 12, 12]


def test_draws_are_numpys_legacy_choice():
    values = np.random.default_rng(0).normal(size=50)
    chosen = np.random.RandomState(1234).choice(values, 1000, replace=True)
    (counts,) = sample_counts([50], 1000, RandomBits(1234))
    np.testing.assert_array_equal(np.sort(chosen), np.sort(np.repeat(values, counts)))


def drawn(lengths, samples, seed):
    """Draw as nnU-Net does, channel after channel from one legacy generator."""
    legacy = np.random.RandomState(seed)
    return [
        np.bincount(legacy.randint(0, length, samples), minlength=length) if length else []
        for length in lengths
    ]


@given(
    st.lists(st.sampled_from([0, 1, 2, 3, 31, 32, 33, 63, 64, 65, 1000]), min_size=1, max_size=4),
    st.integers(0, 400),
)
def test_draws_go_on_from_channel_to_channel_whatever_the_chunks(lengths, samples):
    random = RandomBits(7)
    random.CHUNK, random.KEPT, random.FEW_BITS = 50, 3, 6
    for _ in range(2):  # the second case of a dataset starts from the same bits
        found = sample_counts(lengths, samples, random)
        for counts, wanted in zip(found, drawn(lengths, samples, 7), strict=True):
            np.testing.assert_array_equal(counts, wanted)


@pytest.mark.parametrize("voxels", [65_535, 65_536, 65_537, 131_073])
def test_draws_of_large_cases_are_numpys_too(voxels):
    random = RandomBits(1234)
    for lengths in ([voxels] * 3, [voxels, 0, 1, 100]):
        found = sample_counts(lengths, 600_000, random)
        for counts, wanted in zip(found, drawn(lengths, 600_000, 1234), strict=True):
            np.testing.assert_array_equal(counts, wanted)


@pytest.fixture
def raw(tmp_path):
    shapes = [(10, 11, 6), (12, 11, 7), (10, 13, 8), (9, 11, 6)]
    return write_dataset(tmp_path / "raw", shapes, spacing=(1.0, 1.5, 4.0), channels=("a", "b"))


def test_the_fingerprint_does_not_depend_on_the_groups(raw, tmp_path):
    one = analyse(Chain(raw, tmp_path / "one"), groups=1)
    three = analyse(Chain(raw, tmp_path / "three"), groups=3)
    for name in ("fingerprint", "spacing", "orientation"):
        assert getattr(one, name).read_bytes() == getattr(three, name).read_bytes()


def test_spacing_has_a_row_per_case_in_reading_order(raw, tmp_path):
    table = pd.read_csv(analyse(Chain(raw, tmp_path)).spacing)
    assert table["case"].tolist() == ["case_00", "case_01", "case_02", "case_03"]
    first = table.iloc[0]
    assert [first[f"spacing_{axis}_mm"] for axis in range(3)] == [4, 1.5, 1]
    assert [first[f"shape_{axis}"] for axis in range(3)] == [6, 11, 10]
    assert first["extent_0_mm"] == 24
    assert (first["anisotropy"], first["coarsest_axis"], first["finest_axis"]) == (4, 0, 2)


def test_turned_cases_share_their_geometry(tmp_path):
    """The same scan stored in two ways gives the same rows once turned."""
    mixed = write_dataset(
        tmp_path / "raw", [(8, 8, 5)] * 2, spacing=(1, 1, 4), orientations=("RAS", "LPS")
    )
    chain = analyse(Chain(mixed, tmp_path / "out"))
    assert read_json(chain.orientation)["reorient"] is True
    table = pd.read_csv(chain.spacing)
    assert table["spacing_0_mm"].tolist() == [4, 4]
    assert table["orientation"].tolist() == ["RAS", "LPS"]


@given(st.lists(st.lists(st.integers(-9, 9), min_size=1, max_size=20), min_size=1, max_size=8))
def test_values_that_come_in_parts_stand_once_and_in_order(parts):
    histogram = Histogram()
    for part in parts:
        histogram.add(np.array(part, np.float32), np.ones(len(part), np.int64))
        histogram.compact()
    values, counts = np.unique(np.concatenate(parts), return_counts=True)
    assert histogram.values.tolist() == values.tolist()
    assert histogram.counts.tolist() == counts.tolist()
