"""Datasets of thick slices in a config: which ones there are, and which mistakes are told."""

import pytest

from slicewise.config import load

HEART = {"phantom": {"cases": 6}}


def datasets(**given):
    return load({"datasets": given})["datasets"]


def thick(**settings):
    return {"thicken": {"of": "heart", "axis": 0, "factor": 2, **settings}}


def mistake(**given):
    with pytest.raises(ValueError, match="a mistake in the config") as refused:
        load({"datasets": given})
    return str(refused.value).splitlines()[1].strip()


def test_one_axis_and_one_factor_keep_their_name():
    assert datasets(heart=HEART, thick=thick())["thick"] == thick(profile="box")


def test_lists_stand_for_a_dataset_of_each_axis_and_factor_in_their_place():
    loaded = datasets(thick=thick(axis=[0, "coronal"], factor=[2, 6]), heart=HEART)
    names = ["thick_0x2", "thick_0x6", "thick_coronalx2", "thick_coronalx6", "heart"]
    assert list(loaded) == names
    assert loaded["thick_coronalx6"] == thick(axis="coronal", factor=6, profile="box")


@pytest.mark.parametrize("one", [{"axis": [1]}, {"factor": [3]}])
def test_a_list_of_one_is_a_list(one):
    (name,) = set(datasets(heart=HEART, thick=thick(**one))) - {"heart"}
    assert name in ("thick_1x2", "thick_0x3")


@pytest.mark.parametrize("of", ["lung", "thick"])
def test_slices_are_made_thick_of_another_dataset_that_is_not_thick_itself(of):
    said = mistake(heart=HEART, thick=thick(of=of))
    assert said == f"datasets.thick.thicken.of: found {of}; allowed: one of heart"


@pytest.mark.parametrize(
    ("wrong", "key", "allowed"),
    [
        ({"factor": 1}, "factor", "an integer, at least 2, at most 20, or a list of them"),
        ({"factor": [2, 21]}, "factor[1]", "an integer, at least 2, at most 20"),
        ({"factor": 2.5}, "factor", "an integer, at least 2, at most 20, or a list of them"),
        ({"factor": [2, 2]}, "factor", "an integer, at least 2, at most 20, or a list of them"),
        ({"axis": 3}, "axis", "0, 1, 2, axial, coronal or sagittal"),
        ({"axis": [0, "coarsest"]}, "axis[1]", "0, 1, 2, axial, coronal or sagittal"),
        ({"profile": "sinc"}, "profile", "box or gaussian"),
    ],
)
def test_what_no_slice_can_be_is_told(wrong, key, allowed):
    said = mistake(heart=HEART, thick=thick(**wrong))
    assert said.startswith(f"datasets.thick.thicken.{key}: found ")
    assert said.endswith(f"allowed: {allowed}")


def test_a_study_of_anisotropy_has_thick_slices():
    study = {"s": {"kind": "anisotropy", "datasets": ["heart"]}}
    with pytest.raises(
        ValueError, match=r"studies\.s\.datasets: found heart; allowed: at least one"
    ):
        load({"datasets": {"heart": HEART, "thick": thick()}, "studies": study})
    study["s"]["datasets"] = ["thick"]
    load({"datasets": {"heart": HEART, "thick": thick()}, "studies": study})


def test_a_thick_dataset_is_of_no_other_kind():
    said = mistake(heart=HEART, thick={**thick(), "raw": "x"})
    assert said.startswith("datasets.thick: found raw and thicken; a dataset is of exactly")
