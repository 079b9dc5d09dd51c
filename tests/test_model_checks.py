"""Folders of trained models, looked at before a checkpoint is opened."""

import shutil

import pytest

from models import PLAIN
from slicewise.model_checks import folder_problems

MODEL = {
    "nnunet": str(PLAIN.folder),
    "configuration": PLAIN.configuration,
    "checkpoint": "final",
    "fold": "each",
}


def problems(folds=(0,), **changes):
    return [str(found) for found in folder_problems("theirs", MODEL | changes, folds)]


def test_a_folder_with_all_folds_that_run_is_fine():
    assert problems() == []


def test_a_missing_fold_is_named_with_those_that_are_there():
    (line,) = problems(folds=[0, 1])
    assert "fold_1/checkpoint_final.pth: found no such file, but of fold 0, expected one" in line
    assert "theirs.model.fold: all" in line


@pytest.mark.parametrize("change", [{"fold": "all"}, {"checkpoint": "best"}])
def test_other_checkpoints_are_looked_for_by_their_name(change):
    (line,) = problems(**change)
    assert ("fold_all" if "fold" in change else "checkpoint_best") in line.split(":")[0]


def test_a_configuration_that_the_plan_lacks_is_named():
    (line,) = problems(configuration="3d_fullres")
    assert "found the configurations 2d_small" in line or "2d_small" in line
    assert "theirs.model.configuration: 3d_fullres" in line


def test_everything_that_is_missing_is_told_at_once(tmp_path):
    found = "\n".join(problems(nnunet=str(tmp_path)))
    for name in ("dataset.json", "plans.json", "fold_0/checkpoint_final.pth"):
        assert f"{tmp_path / name}: found no such file" in found


def test_folds_of_the_model_that_have_another_form_are_named(tmp_path):
    folder = shutil.copytree(PLAIN.folder, tmp_path / "model")
    (folder / "splits_final.json").write_text('[["a"]]')
    (line,) = problems(nnunet=str(folder))
    assert "splits_final.json: found fold 0: ['a'], expected" in line
