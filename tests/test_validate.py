"""What the target `validate` says of all datasets."""

import logging

import pytest

import validate
from slicewise.files import write_table
from slicewise.problems import COLUMNS, ERROR, WARNING, BadInput, Problem, rows

ODD = Problem(WARNING, "a", "labelsTr/a.nii.gz", "nothing but background", "a class or more")
CUT = Problem(ERROR, "b", "imagesTr/b_0000.nii.gz", "a gzip file that is cut off", "a whole one")


@pytest.fixture
def tables(tmp_path):
    """Return what writes the table of each of two datasets."""

    def write(*problems):
        paths = [tmp_path / f"{number}.csv" for number in range(len(problems))]
        for path, of_dataset in zip(paths, problems, strict=True):
            write_table(path, COLUMNS, rows(of_dataset))
        return paths

    return write


def test_an_error_in_any_dataset_is_refused_with_all_problems(tables):
    with pytest.raises(BadInput) as refused:
        validate.main(validations=tables([ODD], [CUT]))
    said = str(refused.value).splitlines()
    assert said[0].startswith("1 error and 1 warning in ")
    assert said[1:] == [f"  error: {CUT}", f"  warning: {ODD}"]


def test_warnings_are_said_and_refuse_nothing(tables, caplog):
    with caplog.at_level(logging.INFO, "slicewise"):
        validate.main(validations=tables([ODD], []))
    assert "0 errors and 1 warning" in caplog.text
    assert str(ODD) in caplog.text
