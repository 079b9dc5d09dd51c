"""The figure of what samples cost to read."""

import numpy as np
import pandas as pd
import pytest

import plot_reading
from drawing import faults
from scores import drawn_files
from slicewise.reading_trial import WAYS


def measured(experiments=1, sizes=(1, 4, 24, 96), disk=True, case_mib=0.25):
    """Return a table as measure_reading writes it, of round numbers."""
    rows = []
    for e in range(experiments):
        for number, way in enumerate(WAYS, 1):
            for cases in sizes:
                repeated = cases > 24
                if repeated and way not in ("slices", "npy", "memory"):
                    continue
                known = disk and not repeated
                rows.append(
                    {
                        "dataset": "phantom",
                        "experiment": f"experiment_{e}",
                        "way": way,
                        "cases": cases,
                        "repeated": repeated,
                        "case_mib": case_mib,
                        "dataset_mib": cases * case_mib,
                        "bytes_from_disk": 0 if way == "memory" else 3e4 * number,
                        "samples_per_second": 1e5 / number**3,
                        "growth_mib": 5 + cases * case_mib * (way == "memory"),
                        "resident_mib": 40.0,
                        "machine": "X, 2 cores",
                    }
                    | ({} if known else {"bytes_from_disk": np.nan})
                )
    return pd.DataFrame(rows)


def draw(folder, frame):
    folder.mkdir(exist_ok=True)
    frame.to_csv(folder / "measured.csv", index=False)
    files = drawn_files(folder)
    plot_reading.main(
        measured=folder / "measured.csv",
        dataset="phantom",
        study="memory",
        experiments=list(dict.fromkeys(frame["experiment"])),
        latex=folder / "a.tex",
        **files,
    )
    return files


@pytest.mark.parametrize(
    "frame",
    [
        measured(),
        measured(experiments=6),
        measured(sizes=(1,)),
        measured(disk=False),
        measured(sizes=(1, 4, 16, 64, 512), case_mib=40.0),
    ],
    ids=["one", "six", "one size", "no disk", "large"],
)
def test_the_figure_is_in_order(frame):
    experiments = list(dict.fromkeys(frame["experiment"]))
    figure = plot_reading.draw(frame, experiments, dict(zip(experiments, experiments, strict=True)))
    assert faults(figure) == []
    assert len(figure.axes) == 3 * min(len(experiments), plot_reading.MOST_EXPERIMENTS)


def test_repeated_cases_have_hollow_markers():
    figure = plot_reading.draw(measured(), ["experiment_0"], {"experiment_0": ""})
    lines = figure.axes[1].get_lines()
    hollow = [line for line in lines if line.get_markerfacecolor() == "white"]
    assert sorted(x for line in hollow for x in line.get_xdata()) == [24, 24, 24]


def test_files_are_the_same_for_the_same_measurements(tmp_path):
    first, second = (draw(tmp_path / name, measured()) for name in ("a", "b"))
    for kind, path in first.items():
        assert path.read_bytes() == second[kind].read_bytes(), kind
    assert pd.read_csv(first["table"])["way"].nunique() == len(WAYS)
    assert "Measured on X, 2 cores" in (tmp_path / "a/a.tex").read_text()
