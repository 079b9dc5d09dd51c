"""What is wrong with a dataset before one of its images is opened."""

import json

import pytest

from scans import write_dataset
from slicewise.dataset_checks import check_dataset, read_description


@pytest.fixture
def raw(tmp_path):
    return write_dataset(tmp_path / "raw", [(6, 7, 4)] * 3)


def change(path, **content):
    path.write_text(json.dumps(json.loads(path.read_text()) | content))


def test_a_sound_dataset_comes_with_its_cases_in_order(raw):
    dataset, cases, problems = check_dataset(raw, folds=2)
    assert problems == []
    assert cases == ("case_00", "case_01", "case_02")
    assert dataset.json_path == raw


def test_all_that_is_wrong_is_told_at_once_and_no_dataset_returned(raw):
    change(raw, numTraining=7, labels={"background": 0, "a": 2})
    dataset, _, problems = check_dataset(raw, folds=5)
    said = "\n".join(map(str, problems))
    assert dataset is None
    assert "numTraining 7" in said
    assert "found 3 cases, expected at least 5" in said
    assert "consecutive" in said


def test_files_with_a_misspelt_name_are_told_where_the_number_of_cases_is_not_right(raw):
    image = raw.parent / "imagesTr/case_01_0000.nii.gz"
    image.rename(image.with_name("case_01.nii.gz"))
    _, _, (problem,) = check_dataset(raw, folds=2)
    assert problem.found == "numTraining 3"
    assert problem.mend.endswith(
        "; of no case are imagesTr/case_01.nii.gz, labelsTr/case_01.nii.gz"
    )


def test_cases_are_not_listed_where_it_is_not_known_what_they_are(raw):
    """A wrong number of cases would be told of files that another ending hides."""
    change(raw, file_ending=".png")
    _, cases, problems = check_dataset(raw, folds=2)
    assert cases == ()
    assert ["file_ending" in str(problem) for problem in problems] == [True]


def test_a_description_by_itself_says_nothing_of_cases(raw):
    change(raw, numTraining=7)
    assert read_description(raw) == []
    (problem,) = read_description(raw.with_name("none.json"), "look elsewhere")
    assert (problem.found, problem.mend) == ("no such file", "look elsewhere")
