"""The spacing analysis and the plan of 200 real scans, against nnunetv2 2.8.1 on the same files."""

import os
from pathlib import Path

import numpy as np
import pytest

from chain import Chain, analyse, plan
from slicewise.files import read_json
from slicewise.folds import split

GOLDEN = Path(__file__).parent / "golden" / "hippocampus"
REAL = os.environ.get("SLICEWISE_REAL_DATA")

pytestmark = pytest.mark.skipif(not REAL, reason="SLICEWISE_REAL_DATA is not set")


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    dataset_json = Path(REAL) / "Dataset004_Hippocampus" / "dataset.json"
    return plan(analyse(Chain(dataset_json, tmp_path_factory.mktemp("real")), groups=4))


def without_statistics(content: dict) -> dict:
    """Return a plan or fingerprint without what is averaged, and without what is ours alone."""
    left_out = ("foreground_intensity_properties_per_channel", "slicewise", "dataset_name")
    return {key: value for key, value in content.items() if key not in left_out}


@pytest.mark.parametrize("name", ["fingerprint", "plan"])
def test_every_key_is_nnunets(chain, name):
    golden = {"fingerprint": "dataset_fingerprint.json", "plan": "plans.json"}[name]
    found, expected = read_json(getattr(chain, name)), read_json(GOLDEN / golden)
    assert without_statistics(found) == without_statistics(expected)
    key = "foreground_intensity_properties_per_channel"
    for channel, statistics in expected[key].items():
        assert found[key][channel].keys() == statistics.keys()
        for statistic, value in statistics.items():
            np.testing.assert_allclose(found[key][channel][statistic], value, rtol=1e-5)


def test_the_patch_and_batch_are_those_of_the_readme(chain):
    configuration = read_json(chain.plan)["configurations"]["2d"]
    assert configuration["patch_size"] == [56, 40]
    assert configuration["batch_size"] == 281


def test_the_folds_are_nnunets(chain):
    assert split(chain.cases, 5) == read_json(GOLDEN / "splits_final.json")
