"""The folds of a run: nnU-Net's, or the user's own."""

import json

import pytest

import split_folds
from slicewise.files import read_json

OWN = [{"train": ["a", "b"], "val": ["c"]}, {"train": ["c"], "val": ["a"]}]


def write_folds(tmp_path, splits, folds=2):
    given = tmp_path / "given.json"
    given.write_text(json.dumps(splits))
    arguments = {"cases": ["a", "b", "c"], "folds": folds, "splits": tmp_path / "splits.json"}
    split_folds.main(**arguments, given=[str(given)])
    return read_json(tmp_path / "splits.json")


def test_the_users_own_folds_are_used_as_they_are(tmp_path):
    assert write_folds(tmp_path, OWN) == OWN


def test_folds_of_another_number_say_which_key_to_set(tmp_path):
    with pytest.raises(
        ValueError, match=r"found 2 folds, expected 5; set cross_validation\.folds: 2"
    ):
        write_folds(tmp_path, OWN, folds=5)


def test_a_case_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match="fold 1: unknown: 'z', expected names of the dataset"):
        write_folds(tmp_path, [OWN[0], {"train": ["z"], "val": ["a"]}])


@pytest.mark.parametrize(
    ("fold", "message"),
    [
        ({"train": ["a", "b"], "val": ["b"]}, "fold 1: in both: 'b'"),
        ({"train": [], "val": ["a"]}, "fold 1: 0 cases in train and 1 in val"),
        ({"train": ["a"], "val": []}, "fold 1: 1 cases in train and 0 in val"),
        ({"train": ["a", "a"], "val": ["b"]}, "fold 1: twice: 'a', expected each case once"),
        ({"train": "ab", "val": ["c"]}, "fold 1: .*expected {.train.: .case"),
        ({"train": ["a"]}, "fold 1: .*expected {.train.: .case"),
        (["a"], "fold 1: .*expected {.train.: .case"),
    ],
)
def test_a_fold_holds_out_cases_that_it_does_not_train_on(tmp_path, fold, message):
    with pytest.raises(ValueError, match=message):
        write_folds(tmp_path, [OWN[0], fold])


def test_all_that_is_wrong_with_the_folds_is_told_at_once(tmp_path):
    with pytest.raises(ValueError, match=r"(?s)found 2 folds.*fold 0: unknown.*fold 1: in both"):
        write_folds(tmp_path, [OWN[0] | {"val": ["z"]}, {"train": ["a"], "val": ["a"]}], folds=3)
