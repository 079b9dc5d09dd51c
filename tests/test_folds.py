"""Folds; golden/splits.json holds them to nnU-Net's in test_golden.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicewise.folds import split


@given(st.integers(2, 60), st.integers(2, 6))
def test_every_case_is_held_out_once(count, folds):
    cases = [f"case_{i}" for i in range(count)]
    if count < folds:
        return
    splits = split(cases, folds)
    assert sorted(name for fold in splits for name in fold["val"]) == sorted(cases)
    for fold in splits:
        assert sorted(fold["train"] + fold["val"]) == sorted(cases)


def test_the_order_of_the_names_does_not_matter():
    cases = [f"case_{i}" for i in range(11)]
    assert split(cases, 5) == split(cases[::-1], 5)


def test_fewer_cases_than_folds_are_refused():
    with pytest.raises(ValueError, match="found 5, expected at most 3 cases"):
        split(["a", "b", "c"], 5)
