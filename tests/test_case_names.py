"""What a case may be called."""

import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slicewise.case_names import LONGEST, fault, name_problems
from slicewise.slices import case_paths


@pytest.mark.parametrize(
    "name",
    [
        "case_001",
        "BRATS-17.b",
        "a",
        "_x",
        "7",
        "M\xfcller",
        "Mu\u0308ller",
        "\u60a3\u8005",
        "a=1,b:2@c+d%",
    ],
)
def test_ordinary_names_are_fine(name):
    assert fault(name) == ""


@given(st.text())
def test_a_name_that_is_fine_is_one_visible_word_and_one_part_of_a_path(name):
    if fault(name):
        return
    assert name.isprintable()
    assert not set(name) & set(" /\\{}\"'`$;&|*?<>()")
    assert os.path.basename(name) == name not in (".", "..")
    assert len(f".1234567.{name}_seg.npy".encode()) <= 255


def test_a_name_may_be_as_long_as_is_said():
    assert fault("a" * LONGEST) == ""
    assert fault("a" * (LONGEST + 1)) == "has 201 bytes"


@given(
    st.lists(st.sampled_from(["x", "X", "x_seg", "y", "x_seg_seg", "e\u0301", "\xe9"]), unique=True)
)
def test_cases_without_a_problem_never_share_a_file(names):
    paths = [str(path) for name in names for path in case_paths("arrays", name)]
    folded = [unicodedata.normalize("NFC", path).casefold() for path in paths]
    alone = len(set(folded)) == len(folded)
    assert alone == (name_problems("dataset.json", names) == [])


def test_names_that_cannot_be_seen_are_written_out():
    (problem,) = name_problems("dataset.json", ["a\x1b[31mb"])
    assert str(problem).isprintable()
    assert r"'a\x1b[31mb'" in problem.found
