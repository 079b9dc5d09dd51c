"""The ways to read training samples."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import measuring
from chain import Chain, analyse, export, plan
from measure_reading import compress, copy_scans
from scans import write_dataset, write_decathlon
from slicewise.reading_trial import WAYS, Trial

pytestmark = pytest.mark.skipif(not measuring.LINUX, reason="memory is read from /proc")


@pytest.fixture(scope="module", params=["plain", "decathlon"])
def trial(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    raw = (
        write_dataset(folder / "raw", [(24, 20, 6)] * 2, channels=("a", "b"))
        if request.param == "plain"
        else write_decathlon(folder / "raw", 2)
    )
    chain = export(plan(analyse(Chain(raw, folder))))
    compress(chain.arrays, chain.cases, chain.arrays)
    made = Trial("slices", str(chain.arrays), chain.cases, str(raw), (8, 40), 3, 0.33, 1, 0)
    assert copy_scans(made) == chain.cases
    return made


def of_way(trial, way):
    return replace(trial, way=way)


@pytest.mark.parametrize("way", [way for way in WAYS if way != "slices"])
def test_whole_volumes_are_cut_to_the_patch_or_to_the_slice(trial, way):
    read, _ = of_way(trial, way).start()
    batch = read()
    assert len(batch) == 3
    for *images, label in batch:
        assert label.ndim == 2
        assert label.shape[0] == 8  # rows of the patch, and no more columns than there are
        assert 8 < label.shape[1] <= 24
        for image in images:
            assert image.shape[-2:] == label.shape
        assert sum(image.size for image in images) == 2 * label.size  # both channels


def test_all_ways_but_the_scans_themselves_hold_the_same_voxels(trial):
    name = trial.names[0]
    array = of_way(trial, "npy")
    for one, other in zip(array._npy(name), array._npz(name), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_has_costs(trial, way):
    found = of_way(trial, way).costs()
    assert found["samples_per_second"] > 0
    assert found["resident_mib"] > 0


def test_a_trial_goes_as_text_to_its_process(trial):
    assert Trial(**json.loads(trial.as_json())).files() == trial.files()
