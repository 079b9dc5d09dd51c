"""What exported arrays look like."""

import json

import pytest

from chain import Chain, analyse, plan
from plan_arrays import normalization
from scans import write_dataset
from slicewise.dataset import Dataset
from slicewise.files import read_json


def names_to_schemes(*names, relative_size=1.0):
    content = {"channel_names": dict(enumerate(names))}
    fingerprint = {"median_relative_size_after_cropping": relative_size}
    return normalization(Dataset("dataset.json", content), fingerprint)


def test_channel_names_choose_the_normalisation():
    schemes, _ = names_to_schemes("CT", "noNorm", "rescale_to_0_1", "rgb_to_0_1", "zscore", "T2")
    assert schemes == [
        "CTNormalization",
        "NoNormalization",
        "RescaleTo01Normalization",
        "RGBTo01Normalization",
        "ZScoreNormalization",
        "ZScoreNormalization",
    ]


def test_z_scores_use_the_mask_where_cropping_takes_a_quarter_away():
    assert names_to_schemes("MRI", "CT", relative_size=0.74)[1] == [True, False]
    assert names_to_schemes("MRI", "CT", relative_size=0.75)[1] == [False, False]


@pytest.fixture
def analysed(tmp_path):
    raw = write_dataset(tmp_path / "raw", [(16, 18, 7)] * 4, spacing=(1.2, 1.0, 5.0))
    return analyse(Chain(raw, tmp_path))


@pytest.mark.parametrize(
    ("policy", "forward", "spacing"),
    [
        ("coarsest", [0, 1, 2], [1.0, 1.2]),
        ("finest", [1, 0, 2], [5.0, 1.2]),
        ("sagittal", [2, 0, 1], [5.0, 1.0]),
        (1, [1, 0, 2], [5.0, 1.2]),
    ],
)
def test_the_sliced_axis_comes_to_the_front(analysed, policy, forward, spacing):
    content = read_json(plan(analysed, policy).preprocessing)
    assert content["transpose_forward"] == forward
    assert content["configurations"]["2d"]["spacing"] == pytest.approx(spacing)


@pytest.mark.parametrize(
    ("policy", "forward", "spacing"),
    [
        ("coarsest", [0, 2, 1], [1.2, 1.0]),
        ("finest", [1, 0, 2], [5.0, 1.2]),
        ("sagittal", [2, 0, 1], [5.0, 1.0]),
    ],
)
def test_the_finest_axis_of_a_slice_comes_last_on_request(analysed, policy, forward, spacing):
    planned = plan(analysed, policy, in_plane_order="finest_last")
    for content in map(read_json, (planned.preprocessing, planned.plan)):
        assert content["transpose_forward"] == forward
        assert [forward[i] for i in content["transpose_backward"]] == [0, 1, 2]
        assert content["configurations"]["2d"]["spacing"] == pytest.approx(spacing)
        assert content["slicewise"]["in_plane_order"] == "finest_last"


@pytest.mark.parametrize(
    ("policy", "forward", "in_plane"),
    [("coarsest", [1, 0, 2], [2.0, 1.5]), ("finest", [2, 0, 1], [2.0, 3.0])],
)
def test_an_own_target_spacing_decides_grid_and_axis(analysed, policy, forward, in_plane):
    chain = plan(analysed, policy, overwrite_target_spacing=[2.0, 3.0, 1.5])
    content = read_json(chain.preprocessing)
    assert content["transpose_forward"] == forward
    assert content["configurations"]["2d"]["spacing"] == in_plane
    assert content["slicewise"]["target_spacing"] == [2.0, 3.0, 1.5]


def test_a_spacing_that_no_memory_holds_is_refused(analysed):
    with pytest.raises(ValueError, match=r"planning: found a target spacing of 1e-05 x 1e-05 mm"):
        plan(analysed, overwrite_target_spacing=[5.0, 1e-5, 1e-5])


def test_a_plane_needs_one_orientation(tmp_path):
    raw = write_dataset(tmp_path / "raw", orientations=("RAS", "SAR"))
    chain = analyse(Chain(raw, tmp_path), reorient="never")
    with pytest.raises(ValueError, match="coronal needs one orientation"):
        plan(chain, "coronal")


def test_a_plan_of_the_users_own_is_used_as_it_is(analysed):
    content = read_json(plan(analysed).plan)
    content["configurations"]["2d"]["spacing"] = [2.0, 2.5]
    own = analysed.folder / "own.json"
    own.write_text(json.dumps(content))
    plan(analysed, plans=own)
    assert read_json(analysed.preprocessing) == read_json(analysed.plan) == content
