"""Problems of a user's files, in words and in a table."""

import pytest

from slicewise.files import write_table
from slicewise.problems import (
    COLUMNS,
    ERROR,
    SHOWN,
    WARNING,
    BadInput,
    Problem,
    error,
    read_tables,
    refuse_errors,
    rows,
)

EMPTY = Problem(WARNING, "case_01", "labelsTr/case_01.nii.gz", "no foreground", "a class or more")
CUT = Problem(ERROR, "case_02", "imagesTr/case_02.nii.gz", "half a file", "a whole", "copy it anew")


def test_one_problem_is_a_sentence_with_case_file_found_expected_and_remedy():
    assert str(BadInput(CUT)) == (
        "case case_02: imagesTr/case_02.nii.gz: found half a file, expected a whole; copy it anew"
    )


def test_a_problem_of_no_case_names_none():
    with pytest.raises(ValueError, match=r"^dataset\.json: found no labels, expected labels$"):
        raise error("", "dataset.json", "no labels", "labels")


def test_several_problems_are_listed_errors_first():
    said = str(BadInput([EMPTY, CUT], "dataset mine: 2 problems")).splitlines()
    assert said[0] == "dataset mine: 2 problems"
    assert said[1].startswith("  error: case case_02")
    assert said[2].startswith("  warning: case case_01")


def test_a_long_list_is_cut_and_says_by_how_much():
    said = str(BadInput([EMPTY] * (SHOWN + 3))).splitlines()
    assert len(said) == SHOWN + 2
    assert said[-1] == "  and 3 more"


def test_a_table_has_a_row_for_each_problem_under_its_columns():
    assert COLUMNS == ["severity", "case", "file", "found", "expected", "mend"]
    assert rows([CUT]) == [
        ("error", "case_02", "imagesTr/case_02.nii.gz", "half a file", "a whole", "copy it anew")
    ]


def test_problems_come_back_from_their_tables(tmp_path):
    for name, problem in (("a.csv", EMPTY), ("b.csv", CUT)):
        write_table(tmp_path / name, COLUMNS, rows([problem]))
    assert read_tables([tmp_path / "a.csv", tmp_path / "b.csv"]) == [EMPTY, CUT]


def test_errors_are_refused_and_warnings_are_not():
    refuse_errors([EMPTY, EMPTY])
    with pytest.raises(BadInput) as refused:
        refuse_errors([EMPTY, CUT], "a dataset:")
    assert refused.value.problems == [CUT]


def test_what_cannot_be_seen_is_written_out(tmp_path):
    """Names of files may hold escape sequences of a terminal, and bytes that are no text."""
    odd = Problem(ERROR, "", "a\x1b[2J/M\udcfcller.nii.gz", "M\u00fcller", "\u60a3\u8005\u202e")
    assert str(odd) == (
        r"a\x1b[2J/M\udcfcller.nii.gz: found M" + "\u00fcller, expected \u60a3\u8005" + r"\u202e"
    )
    write_table(tmp_path / "a.csv", COLUMNS, rows([odd]))
    assert str(*read_tables([tmp_path / "a.csv"])) == str(odd)
