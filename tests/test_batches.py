"""Batches: the same whatever prepares them."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from scans import labels_of
from slicewise.batches import Batches
from slicewise.files import write_npy
from slicewise.slices import ExportedCase, slice_table


@pytest.fixture(scope="module")
def cases():
    made = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        label = np.zeros((5, 24, 20), np.int8)
        label[1:4, 8:14, 6:12] = 1
        image = rng.normal(size=(5, 1, 24, 20)).astype(np.float32)
        counts = np.array(list(slice_table(label, labels_of(1))["classes"].values()))
        made.append(ExportedCase(f"case_{seed}", image, label, counts, None))
    return made


def stream_of(cases, **changes):
    settings = {
        "cases": cases,
        "labels": labels_of(1),
        "batch_size": 4,
        "patch": (16, 16),
        "oversample": 0.33,
        "augmented": True,
        "masked_channels": [False],
        "seed": 0,
        "fold": 0,
        "purpose": "train",
    }
    return Batches(**(settings | changes))


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_do_not_depend_on_who_prepares_them(cases, workers):
    batches = stream_of(cases)
    for index, (image, label) in enumerate(batches.stream(range(5), workers)):
        expected = batches.batch(index)
        assert torch.equal(image, expected[0])
        assert torch.equal(label, expected[1])


def test_a_stream_can_begin_anywhere(cases):
    batches = stream_of(cases)
    resumed = list(batches.stream(range(3, 5), 1))
    assert torch.equal(resumed[0][0], batches.batch(3)[0])
    assert len(resumed) == 2


@pytest.mark.parametrize("change", [{"seed": 1}, {"fold": 1}, {"purpose": "val"}])
def test_seed_fold_and_purpose_change_the_batch(cases, change):
    assert not torch.equal(stream_of(cases).batch(0)[0], stream_of(cases, **change).batch(0)[0])


@pytest.mark.parametrize("augmented", [True, False])
def test_a_batch_has_the_plans_patch_and_no_label_outside(cases, augmented):
    image, label = stream_of(cases, augmented=augmented).batch(0)
    assert image.shape == (4, 1, 16, 16)
    assert label.shape == (4, 16, 16)
    assert image.dtype == torch.float32
    assert set(label.unique().tolist()) <= {0, 1}


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="Linux tells what is resident")
def test_a_batch_leaves_no_page_of_the_dataset_resident(tmp_path):
    label = np.ones((40, 64, 64), np.int8)
    write_npy(tmp_path / "a.npy", np.ones((40, 1, 64, 64), np.float32))
    write_npy(tmp_path / "a_seg.npy", label)
    arrays = [np.load(tmp_path / name, mmap_mode="r") for name in ("a.npy", "a_seg.npy")]
    case = ExportedCase("a", *arrays, np.full((1, 40), 64 * 64), None)

    def resident_kb():
        maps = Path("/proc/self/smaps").read_text().split(str(tmp_path))[1:]
        return sum(int(re.search(r"Rss: +(\d+)", part)[1]) for part in maps)

    assert case.image[:, 0, 0, 0].sum() == 40
    assert resident_kb() > 0
    image, _ = stream_of([case], batch_size=16).batch(0)
    assert resident_kb() == 0
    assert image.shape == (16, 1, 16, 16)


def test_the_end_of_a_batch_holds_foreground(cases):
    _, label = stream_of(cases, augmented=False, oversample=0.5).batch(0)
    assert (label[2:] > 0).flatten(1).any(1).all()
