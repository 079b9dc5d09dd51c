"""Folders of trained models, held against a run and a dataset."""

import json
from pathlib import Path

import pytest

from slicewise.dataset import Dataset
from slicewise.model_folders import check_dataset, check_fold, check_folder

TRADE = Path(__file__).parent / "golden" / "trade"
PLAIN = TRADE / "plain/nnUNetTrainer_onlyMirror01__nnUNetPlans__2d_small"
MODEL = {"nnunet": str(PLAIN), "configuration": "2d_small", "checkpoint": "final", "fold": "each"}
SPLIT = {"train": ["b", "c"], "val": ["a"]}


def dataset(**changes):
    content = json.loads((PLAIN / "dataset.json").read_text())
    return Dataset("mine/dataset.json", content | changes)


def theirs(**changes):
    return Dataset(PLAIN / "dataset.json", {"numTraining": 3} | changes)


def test_a_folder_with_all_folds_that_run_is_fine():
    check_folder("theirs", MODEL, [0])


def test_a_missing_fold_is_named_with_those_that_are_there():
    expected = r"theirs\.model\.nnunet: .*fold_1.* is missing; found fold 0, expected 0, 1"
    with pytest.raises(ValueError, match=expected):
        check_folder("theirs", MODEL, [0, 1])


@pytest.mark.parametrize("change", [{"fold": "all"}, {"checkpoint": "best"}])
def test_other_checkpoints_are_looked_for_by_their_name(change):
    expected = "fold_all" if "fold" in change else "checkpoint_best"
    with pytest.raises(ValueError, match=rf"{expected}.* is missing"):
        check_folder("theirs", MODEL | change, [0])


@pytest.mark.parametrize("name", ["dataset.json", "plans.json"])
def test_a_missing_description_is_named(tmp_path, name):
    for other in {"dataset.json", "plans.json"} - {name}:
        (tmp_path / other).write_text("{}")
    with pytest.raises(ValueError, match=rf"{name} is missing"):
        check_folder("theirs", MODEL | {"nnunet": str(tmp_path)}, [0])


def test_a_configuration_that_the_plan_lacks_is_named():
    expected = r"theirs\.model\.configuration: found 3d_fullres, expected one of .*2d_small"
    with pytest.raises(ValueError, match=expected):
        check_folder("theirs", MODEL | {"configuration": "3d_fullres"}, [0])


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


def test_folds_agree_where_the_number_of_cases_does():
    check_fold(0, SPLIT, theirs(), cases=3, splits=None)
    with pytest.raises(ValueError, match=r"knows 3 cases, the dataset has 4.*splits_final\.json"):
        check_fold(0, SPLIT, theirs(), cases=4, splits=None)


def test_a_case_that_the_model_was_trained_on_is_not_held_out():
    check_fold(0, SPLIT, theirs(), cases=9, splits=[{"train": ["c"], "val": ["a", "b"]}])
    with pytest.raises(ValueError, match=r"fold 0 was trained on a, which is held out here"):
        check_fold(0, SPLIT, theirs(), cases=3, splits=[{"train": ["a"], "val": ["b"]}])


def test_a_fold_beyond_the_models_is_named():
    with pytest.raises(ValueError, match="found 1 folds, no fold 2"):
        check_fold(2, SPLIT, theirs(), cases=3, splits=[SPLIT])
