"""Files of earlier jobs, read back."""

import pytest

from slicewise.files import write_json
from slicewise.records import read_fingerprint, read_fold, read_orientation


def test_what_is_asked_for_must_be_there(tmp_path):
    path = tmp_path / "orientation.json"
    write_json(path, {"reorient": True})
    assert read_orientation(path) == {"reorient": True}
    with pytest.raises(ValueError, match=r"orientation\.json: found no orientation.*delete it"):
        read_orientation(path, "orientation")


@pytest.mark.parametrize("value", ["true", 1, None])
def test_it_must_be_of_its_type(tmp_path, value):
    write_json(tmp_path / "orientation.json", {"reorient": value})
    with pytest.raises(ValueError, match=r"found reorient: .*expected true or false; delete it"):
        read_orientation(tmp_path / "orientation.json")


@pytest.mark.parametrize("spacing", [[1, 1], [1, 1, 0], [1, 1, "a"], [1, 1, True], "abc", 3])
def test_a_spacing_is_three_positive_numbers(tmp_path, spacing):
    path = tmp_path / "dataset_fingerprint.json"
    write_json(path, {"spacings": [[1, 1, 3], spacing], "shapes_after_crop": [[4, 4, 4]]})
    with pytest.raises(ValueError, match="expected three positive numbers for each case"):
        read_fingerprint(path)


def test_a_fold_has_the_parts_that_are_asked_for(tmp_path):
    path = tmp_path / "splits_final.json"
    write_json(path, [{}, {"val": ["a"]}])
    assert read_fold(path, 1, "val") == {"val": ["a"]}
    with pytest.raises(ValueError, match="found fold 1: "):
        read_fold(path, 1, "train", "val")
    with pytest.raises(ValueError, match="found 2 folds, expected one numbered 2"):
        read_fold(path, 2, "val")
