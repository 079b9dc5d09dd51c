"""Batches: the same whatever prepares them."""

import mmap
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from augmentation import center_crop
from scans import labels_of
from slicewise import augment, patches
from slicewise.batches import Batches, Prepared
from slicewise.distributed import Ranks
from slicewise.files import write_npy
from slicewise.reading import SliceReader
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


@pytest.mark.parametrize("augmented", [True, False])
@pytest.mark.parametrize("count", [2, 3])
def test_ranks_make_the_batch_of_one_among_them(cases, augmented, count):
    """To the bit, but for the transforms that take several samples at once."""
    settings = {"augmented": augmented, "batch_size": 7}
    whole = stream_of(cases, **settings)
    shares = [
        stream_of(cases, **settings, ranks=Ranks(rank, count).of_batches(7))
        for rank in range(count)
    ]
    for index in range(4):
        made = [share.batch(index) for share in shares]
        image, label = (torch.cat(parts) for parts in zip(*made, strict=True))
        expected = whole.batch(index)
        torch.testing.assert_close(image, expected[0], rtol=0, atol=1e-6 if augmented else 0)
        assert torch.equal(label, expected[1])
        assert shares[0].slices(index) == whole.slices(index)


def on_disk(cases, folder):
    """Return the cases as they are after export, their voxels in files mapped into memory."""
    found = []
    for case in cases:
        arrays = {}
        for kind in ("image", "label"):
            path = folder / f"{case.name}_{kind}.npy"
            write_npy(path, getattr(case, kind))
            arrays[kind] = np.load(path, mmap_mode="r")
        found.append(replace(case, **arrays))
    return found


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="this system takes no advice")
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_from_files_are_the_same_while_pages_are_given_back(
    cases, tmp_path, workers, monkeypatch
):
    released, release = [], SliceReader.release
    monkeypatch.setattr(SliceReader, "release", lambda self: released.append(self) or release(self))
    batches = stream_of(on_disk(cases, tmp_path))
    readers = batches.sampler.images, batches.sampler.segmentations
    for reader in readers:
        reader.most_resident = 0
    for index, (image, label) in enumerate(batches.stream(range(12), workers)):
        expected = stream_of(cases).batch(index)
        assert torch.equal(image, expected[0])
        assert torch.equal(label, expected[1])
    assert all(released.count(reader) > 12 for reader in readers)


def test_the_sampler_is_made_before_threads_need_it(cases, monkeypatch):
    """From Python 3.12 on each of them would make its own."""
    makers, real = [], patches.Sampler

    def noted(*given):
        makers.append(threading.current_thread())
        return real(*given)

    monkeypatch.setattr(patches, "Sampler", noted)
    assert len(list(stream_of(cases).stream(range(6), 3))) == 6
    assert makers == [threading.current_thread()]


@pytest.mark.parametrize("augmented", [True, False])
def test_the_slices_of_a_batch_can_be_named_afterwards(cases, augmented, monkeypatch):
    drawn, draw = [], patches.Sampler.draw

    def noted(*given):
        drawn.append(draw(*given))
        return drawn[-1].copy()

    monkeypatch.setattr(patches.Sampler, "draw", noted)
    batches = stream_of(cases, augmented=augmented)
    batches.batch(4)
    named = [(case.name, index) for case, index in batches.slices(4)]
    assert named == [(f"case_{row['case']}", row["slice"]) for row in drawn[0]]


def test_large_batches_do_not_depend_on_who_prepares_them():
    """Above 32,768 pixels torch shares the sum of a plane between its threads."""
    label = np.zeros((2, 300, 280), np.int8)
    label[:, 100:140, 60:120] = 1
    image = np.random.default_rng(0).normal(size=(2, 1, 300, 280)).astype(np.float32)
    counts = np.array(list(slice_table(label, labels_of(1))["classes"].values()))
    batches = stream_of(
        [ExportedCase("large", image, label, counts, None)], batch_size=2, patch=(256, 256)
    )
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        expected = list(batches.stream(range(8), 0))
        for workers in (1, 3):
            for found, image in zip(batches.stream(range(8), workers), expected, strict=True):
                assert all(map(torch.equal, found, image))
    finally:
        torch.set_num_threads(before)


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


@pytest.mark.parametrize("augmented", [True, False])
@pytest.mark.parametrize("workers", [0, 2])
def test_what_is_augmented_on_its_device_equals_what_the_threads_augment(
    cases, augmented, workers, monkeypatch
):
    """A device by another name stands in for one; the batch is made on the CPU after all."""
    batches = stream_of(cases, augmented=augmented, batch_size=6)
    monkeypatch.setattr(Prepared, "to", lambda batch, device: batch)
    elsewhere = batches.stream(range(4), workers, torch.device("meta"))
    for expected, found in zip(batches.stream(range(4), workers), elsewhere, strict=True):
        assert torch.equal(expected[0], found[0])
        assert torch.equal(expected[1], found[1])


def test_margins_are_read_for_rotated_and_scaled_samples_only(cases):
    batches = stream_of(cases, batch_size=40)
    prepared = batches.prepare(0)
    turned = augment.resampled(prepared.parameters)
    read = augment.initial_patch_size((16, 16))
    assert 0 < len(turned) < 40
    assert prepared.image.shape == (40, 1, 16, 16)
    assert prepared.wide[0].shape == (len(turned), 1, *read)
    for part, wide in zip((prepared.image, prepared.label), prepared.wide, strict=True):
        assert torch.equal(part[turned], center_crop(wide, (16, 16)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gets_the_batches_of_the_cpu(cases):
    batches = stream_of(cases, augmented=False)
    for expected, found in zip(
        batches.stream(range(4), 1), batches.stream(range(4), 2, torch.device("cuda")), strict=True
    ):
        assert torch.equal(expected[0], found[0].cpu())
        assert torch.equal(expected[1], found[1].cpu())


def test_the_end_of_a_batch_holds_foreground(cases):
    _, label = stream_of(cases, augmented=False, oversample=0.5).batch(0)
    assert (label[2:] > 0).flatten(1).any(1).all()
