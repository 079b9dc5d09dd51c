"""Measuring what samples cost to read."""

import sys

import pandas as pd
import pytest

import measure_reading
from benchmarks import measuring
from chain import Chain, analyse, export, plan
from scans import write_dataset
from slicewise.reading_trial import WAYS


@pytest.mark.parametrize(
    ("cases", "case_mib", "expected"),
    [
        (1, 1, [1, 4, 16, 64, 256]),
        (24, 1, [1, 4, 24, 96, 384]),  # 16 of 24 are not worth a measurement
        (5, 200, [2]),  # what 512 MiB hold
        (10_000, 1, [1, 4, 16, 64, 512]),
        (3, 600, [1]),
    ],
)
def test_sizes_go_up_by_four_times_within_bounds(cases, case_mib, expected):
    assert measure_reading.sizes(cases, case_mib * measure_reading.MIB) == expected


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    raw = write_dataset(folder / "raw", [(24, 20, 6)] * 2)
    return export(plan(analyse(Chain(raw, folder))))


def measure(chain, **changes):
    arguments = {
        "plans": [chain.plan],
        "arrays": [chain.arrays],
        "dataset_json": chain.dataset_json,
        "study": "memory",
        "dataset": "own",
        "experiments": {"coarsest": {"batch_size": 2, "oversample_foreground": 0.5}},
        "cases": chain.cases,
        "measured": chain.folder / "measured.csv",
    }
    measure_reading.main(**arguments | changes)
    return pd.read_csv(chain.folder / "measured.csv")


@pytest.mark.skipif(not measuring.LINUX, reason="memory is read from /proc")
def test_every_way_and_size_has_a_row_and_nothing_is_left_behind(chain, monkeypatch):
    size = measure_reading.bytes_of(chain.arrays, chain.cases)
    monkeypatch.setattr(measure_reading, "MOST_BYTES", 4 * size)
    monkeypatch.setattr(measure_reading, "SECONDS", 0)
    before = sorted(chain.folder.rglob("*"))
    found = measure(chain)
    assert set(found.loc[~found["repeated"], "way"]) == set(WAYS)
    assert set(found.loc[found["repeated"], "way"]) == set(measure_reading.ON_REPEATED)
    assert found.groupby("repeated")["cases"].max().to_dict() == {False: 2, True: 8}
    large = found[found["repeated"]].iloc[0]
    assert large["dataset_mib"] == pytest.approx(4 * size / measure_reading.MIB)
    assert found["machine"].nunique() == 1
    assert set(chain.folder.rglob("*")) - set(before) == {chain.folder / "measured.csv"}


@pytest.mark.skipif(not measuring.LINUX, reason="memory is read from /proc")
def test_nothing_is_read_but_copies(chain, monkeypatch):
    """What another process maps, a training the arrays, would not be read from disk again."""
    size = measure_reading.bytes_of(chain.arrays, chain.cases)
    monkeypatch.setattr(measure_reading, "MOST_BYTES", 4 * size)
    read = []

    def measure_nothing(trial):
        read.extend(trial.files())
        assert all(path.is_file() and not path.is_symlink() for path in trial.files())
        return {"bytes_from_disk": 1.0, "kept_pages": 0}

    monkeypatch.setattr(measure_reading, "measure", measure_nothing)
    measure(chain)
    originals = [*chain.arrays.iterdir(), *(chain.folder / "raw").rglob("*.nii.gz")]
    assert len({path.name for path in read}) > 2 * len(WAYS)
    assert not any(path.is_relative_to(chain.arrays) for path in read)
    assert not set(originals) & set(read)


@pytest.mark.skipif(not measuring.LINUX, reason="memory is read from /proc")
def test_bytes_that_cannot_be_counted_are_missing_and_told(chain, monkeypatch, caplog):
    """As where the copies lie in memory, on a tmpfs, and never on a disk."""
    monkeypatch.setattr(measure_reading, "MOST_BYTES", 1)
    monkeypatch.setattr(measure_reading, "SECONDS", 0)
    costs = {"bytes_from_disk": float("nan"), "kept_pages": 3}
    monkeypatch.setattr(measure_reading, "measure", lambda trial: dict(costs))
    found = measure(chain)
    assert found["bytes_from_disk"].isna().all()
    assert "npz of 1 cases: the system keeps files in memory" in caplog.text


def test_elsewhere_than_on_linux_the_study_is_refused(chain, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ValueError, match=r"^studies\.memory: found the system darwin, expected Li"):
        measure(chain)
