"""Folders of trained models, held against a run and a dataset."""

import json
from pathlib import Path

import pytest

from slicewise.dataset import Dataset
from slicewise.folds import split
from slicewise.model_folders import check_dataset, check_fold

TRADE = Path(__file__).parent / "golden" / "trade"
PLAIN = TRADE / "plain/nnUNetTrainer_onlyMirror01__nnUNetPlans__2d_small"
SPLIT = {"train": ["b", "c"], "val": ["a"]}
CASES = list("abcdefghij")


def dataset(**changes):
    content = json.loads((PLAIN / "dataset.json").read_text())
    return Dataset("mine/dataset.json", content | changes)


def theirs(**changes):
    return Dataset(PLAIN / "dataset.json", {"numTraining": len(CASES)} | changes)


def test_the_same_dataset_has_no_difference():
    assert check_dataset(dataset(), dataset()) == []


def test_other_names_are_told():
    ours = dataset(channel_names={"0": "T1"}, labels={"background": 0, "a": 1, "core": 2})
    assert check_dataset(dataset(), ours) == [
        "channel_names of the model are ['MRI'], those of the dataset ['T1']",
        "labels of the model are ['shell', 'core'], those of the dataset ['a', 'core']",
    ]


def test_another_number_of_channels_is_refused():
    with pytest.raises(ValueError, match=r"found 1 channels \['MRI'\], expected 2"):
        check_dataset(dataset(), dataset(channel_names={"0": "MRI", "1": "CT"}))


@pytest.mark.parametrize(
    "labels",
    [{"background": 0, "shell": 1}, {"background": 0, "whole": [1, 2], "core": 2}],
)
def test_other_classes_are_refused(labels):
    with pytest.raises(ValueError, match="found the labels"):
        check_dataset(dataset(), dataset(labels=labels, regions_class_order=[1, 2]))


def test_regions_that_write_other_values_are_refused():
    regions = {"background": 0, "whole": [1, 2], "core": 2}
    first, second = (
        dataset(labels=regions, regions_class_order=order) for order in ([1, 2], [2, 1])
    )
    with pytest.raises(ValueError, match="found the labels"):
        check_dataset(first, second)


@pytest.mark.parametrize("fold", range(5))
def test_a_model_without_folds_of_its_own_has_nnunets_five(fold):
    check_fold(fold, split(CASES, 5)[fold], theirs(), CASES)


@pytest.mark.parametrize(
    ("fold", "ours"),
    [(0, split(CASES, 4)[0]), (1, split(CASES, 10)[1]), (0, {"train": CASES[2:], "val": ["b"]})],
    ids=["of 4", "of 10", "own"],
)
def test_a_case_of_nnunets_five_folds_that_the_model_may_know_is_not_held_out(fold, ours):
    expected = (
        rf"fold {fold} was trained on [a-j], held out here; set cross_validation\.folds: 5.*, or "
        r"put the splits_final\.json of its training beside its dataset\.json"
    )
    with pytest.raises(ValueError, match=expected):
        check_fold(fold, ours, theirs(), CASES)


def test_a_sixth_fold_is_none_of_nnunets_five():
    with pytest.raises(ValueError, match=r"found 5 folds, no fold 5; .*put the splits_final\.json"):
        check_fold(5, split(CASES, 10)[5], theirs(), CASES)


@pytest.mark.parametrize("cases", [CASES[:9], [*CASES, "k"]], ids=["fewer", "more"])
def test_a_model_of_another_number_of_cases_must_bring_its_folds(cases):
    expected = rf"knows 10 cases, the dataset has {len(cases)}.*splits_final\.json"
    with pytest.raises(ValueError, match=expected):
        check_fold(0, split(cases, 5)[0], theirs(), cases)


def test_a_model_of_too_few_cases_for_five_folds_must_bring_its_folds():
    with pytest.raises(ValueError, match=r"knows 3 cases.*expected .* 5 at least.*splits_final"):
        check_fold(0, SPLIT, theirs(numTraining=3), CASES[:3])


def test_a_case_that_the_model_was_trained_on_is_not_held_out():
    check_fold(0, SPLIT, theirs(), CASES, [{"train": ["c"], "val": ["a", "b"]}])
    with pytest.raises(ValueError, match=r"fold 0 was trained on a, held out here; copy that file"):
        check_fold(0, SPLIT, theirs(), CASES, [{"train": ["a"], "val": ["b"]}])


def test_a_fold_beyond_the_models_is_named():
    with pytest.raises(ValueError, match="found 1 folds, no fold 2"):
        check_fold(2, SPLIT, theirs(), CASES, [SPLIT])
