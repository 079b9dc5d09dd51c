"""The figure of what reading patches costs, and how that is measured."""

import pandas as pd
import pytest

from benchmarks import measuring, memory_claim, own_reading, reading
from drawing import faults

pytestmark = pytest.mark.skipif(not measuring.LINUX, reason="memory is read from /proc")


@pytest.fixture
def folder(tmp_path):
    memory_claim.write_volumes(tmp_path / "read", (8, 128, 96), 1, {"slices", "npy", "npz"})
    return tmp_path / "read"


@pytest.mark.parametrize("way", ["slices", "npy", "npz"])
def test_each_way_reads_patches(folder, way, monkeypatch):
    monkeypatch.setattr(reading, "WARM_SECONDS", 0)
    monkeypatch.setattr(reading, "COLD_BATCHES", 1)
    by = own_reading.by_slices if way == "slices" else own_reading.by_volumes
    found = by(folder) if way == "slices" else by(folder, f".{way}")
    assert set(found) == {"bytes_from_disk", "samples_per_second", "growth_mib"}


def made_up():
    """Return a frame as `measure` makes it, from round numbers."""
    rows = []
    for number, way in enumerate(memory_claim.WAYS, 1):
        for size in (1, 10, 100):
            costs = {"bytes_from_disk": 1e4 * number * size, "samples_per_second": 1e5 / number}
            about = {"way": way, "case_mib": size, "dataset_mib": 4 * size}
            for series in ("volumes", "datasets"):
                rows.append({"series": series, "growth_mib": 10 * number, **about, **costs})
    for size in (90, 900):
        way = memory_claim.TRAINING
        rows.append({"series": way, "way": way, "dataset_mib": size, "growth_mib": 600})
    return pd.DataFrame(rows)


@pytest.mark.parametrize("without", [[], ["blosc2"]])
def test_the_figure_is_in_order(without):
    frame = made_up()
    assert faults(memory_claim.figure_of(frame[~frame.way.isin(without)])) == []


def test_the_figure_is_written_as_svg_and_png(tmp_path):
    memory_claim.draw(made_up(), tmp_path / "claim.svg")
    assert {path.name for path in tmp_path.iterdir()} == {"claim.svg", "claim.png"}
