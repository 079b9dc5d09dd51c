"""Which case, slice and voxel the samples of a batch are about."""

from pathlib import Path

import numpy as np
import pytest

from exported import TWO, TWO_AND_IGNORE, case_of, ellipsoid
from golden.record_labels import KINDS
from scans import peak_memory
from slicewise import patches
from slicewise.labels import parse_labels
from slicewise.randomness import generator
from slicewise.sampling import Pool


def test_classes_are_drawn_alike_however_small_they_are():
    sampler = patches.Sampler([case_of(ellipsoid())], TWO)
    positions = sampler.draw(np.random.default_rng(0), 4000, (1, 1), (1, 1), 1.0)
    _, label = sampler.cut(positions, (1, 1))
    share = (label == 2).mean()
    assert abs(share - 0.5) < 4 * np.sqrt(0.25 / 4000)


def test_voxels_of_a_class_are_drawn_uniformly():
    label = np.zeros((3, 4, 4), np.int8)
    label[0, 0, 0] = label[2, 1:3, 1:3] = 1
    sampler = patches.Sampler([case_of(label)], TWO)
    positions = sampler.draw(np.random.default_rng(1), 5000, (1, 1), (1, 1), 1.0)
    share = np.mean(positions["slice"] == 0)
    assert abs(share - 0.2) < 4 * np.sqrt(0.16 / 5000)


def test_other_slices_and_cases_are_drawn_uniformly():
    sampler = patches.Sampler([case_of(ellipsoid(), seed) for seed in range(2)], TWO)
    positions = sampler.draw(np.random.default_rng(2), 8000, (6, 6), (6, 6), 0.0)
    drawn = np.bincount(8 * positions["case"] + positions["slice"], minlength=16)
    assert (abs(drawn - 500) < 5 * np.sqrt(500)).all()


def test_a_case_without_foreground_gives_any_patch():
    sampler = patches.Sampler([case_of(np.zeros((3, 8, 8), np.int8))], TWO)
    positions = sampler.draw(np.random.default_rng(3), 5, (4, 4), (4, 4), 1.0)
    assert len(positions) == 5


@pytest.fixture(scope="module")
def centres() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parent / "golden/network/centres.npz", allow_pickle=False) as found:
        return dict(found)


def drawn_centres(label, labels, oversample: float, count: int) -> np.ndarray:
    """Return how often each voxel of a label was the centre of `count` patches of one voxel."""
    sampler = patches.Sampler([case_of(label, labels=labels)], labels)
    found = np.zeros(label.shape, int)
    at = sampler.draw(np.random.default_rng(0), int(count), (1, 1), (1, 1), oversample)
    np.add.at(found, (at["slice"], at["row"], at["column"]), 1)
    return found


@pytest.mark.parametrize("oversample", [0.0, 1.0])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("holding", ["foreground", "background", "nothing"])
def test_centres_are_drawn_as_often_as_nnunets(centres, kind, holding, oversample):
    if holding == "nothing" and "ignore" not in kind:
        return
    label = centres[f"{kind}/{holding}/label"]
    expected = centres[f"{kind}/{holding}/{'forced' if oversample else 'free'}"]
    found = drawn_centres(label, parse_labels(*KINDS[kind]), oversample, expected.sum())
    assert not found[expected == 0].any()
    # Poisson counts of the same rate: the difference over its deviation is standard normal; the
    # bound is 5 of them for each of 210 voxels (1e-4 in all).
    pair = expected + found
    assert (abs(expected - found)[pair > 0] <= 5 * np.sqrt(pair[pair > 0])).all()


@pytest.mark.parametrize(
    ("labels", "recorded"),
    [
        (
            TWO,
            [
                (2, 1, -2, -1),
                (1, 6, 2, -1),
                (2, 2, -3, 5),
                (0, 0, 6, 2),
                (0, 2, 2, -1),
                (1, 1, 4, 3),
            ],
        ),
        (
            TWO_AND_IGNORE,
            [
                (2, 2, -3, -1),
                (1, 1, 15, -1),
                (2, 2, -3, -1),
                (0, 2, -2, -1),
                (0, 2, -1, -1),
                (1, 1, 4, 4),
            ],
        ),
    ],
    ids=["plain", "ignore"],
)
def test_a_seed_draws_what_it_drew_before(labels, recorded):
    """recorded: (case, slice, row, column) of each sample, of cases unlike in size and slices."""
    cases = []
    for shape in ((5, 24, 20), (8, 30, 17), (3, 15, 26)):
        label = np.zeros(shape, np.int8)
        label[1:-1, 4:14, 6:12] = 1
        label[1, 14:15, 12:14] = 2
        label[0] = 0 if labels.ignore is None else labels.ignore
        cases.append(case_of(label, labels=labels))
    rng = generator(0, 1, "train", 5)
    positions = patches.Sampler(cases, labels).draw(rng, 6, (20, 18), (16, 16), 0.33)
    assert positions.tolist() == recorded


@pytest.mark.parametrize("labels", [TWO, TWO_AND_IGNORE], ids=["plain", "ignore"])
def test_tables_are_made_in_little_more_memory_than_they_take(labels):
    label = np.zeros((3000, 1, 2), np.int8)
    label[::2, 0, 1] = 2
    members = list(enumerate([case_of(label, labels=labels)] * 20))
    pool = Pool(members)
    kept = sum(
        table.nbytes
        for table in (pool.before, pool.first, pool.drawable.values, pool.classes.values)
    )
    assert peak_memory(Pool, members) < 1.3 * kept
