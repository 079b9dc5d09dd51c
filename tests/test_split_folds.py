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
    with pytest.raises(ValueError, match="fold 1 names z, expected the dataset's cases"):
        write_folds(tmp_path, [OWN[0], {"train": ["z"], "val": ["a"]}])


@pytest.mark.parametrize("fold", [{"train": ["a", "b"], "val": ["b"]}, {"train": [], "val": ["a"]}])
def test_a_fold_holds_out_cases_that_it_does_not_train_on(tmp_path, fold):
    with pytest.raises(ValueError, match="expected some of each, none in both"):
        write_folds(tmp_path, [OWN[0], fold])
