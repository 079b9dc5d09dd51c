"""The figure of scores over the thickness of slices."""

import numpy as np
import pandas as pd
import pytest

import plot_anisotropy
from drawing import faults, shown_texts


def table_of(experiments, axes=(0, 1, 2), factors=(1, 2, 3, 4, 6), cases=10, profiles=("box",)):
    """Return a table as compare_anisotropy writes it, means falling with the factor."""
    planes = ("axial", "coronal", "sagittal")
    rows = []
    for axis, profile, factor in ((a, p, f) for a in axes for p in profiles for f in factors):
        for i, name in enumerate([*experiments, "ceiling"]):
            if name == "ceiling" and factor == 1:
                continue
            mean = (
                0.95 - 0.04 * factor - 0.02 * i * factor if name != "ceiling" else 1 - 0.02 * factor
            )
            spread = 0.03 if cases >= 5 else np.nan
            row = {"source": "cube", "axis": axis, "plane": planes[axis], "profile": profile}
            row |= {"factor": factor, "anisotropy": float(factor), "dataset": "d"}
            row |= {"experiment": name, "class": "mean foreground", "label": 0, "cases": cases}
            row |= {"mean": mean, "low": mean - spread, "high": mean + spread}
            compared = 0 < i < len(experiments)
            difference = -0.02 * i * (factor - 1) if compared else np.nan
            row |= {"difference": difference, "difference_low": difference - spread}
            row |= {"difference_high": difference + spread}
            row |= {"holm_p": (0.5 if factor < 3 else 0.01) if compared else np.nan}
            rows.append(row)
    return pd.DataFrame(rows)


def figure_of(experiments, **options):
    return plot_anisotropy.draw(table_of(experiments, **options), experiments[0])


@pytest.mark.parametrize(
    ("experiments", "options"),
    [
        (["coarsest"], {}),
        (["coarsest", "finest"], {}),
        (["experiment_with_a_long_name", "finest", "planes_and_more_planes"], {"cases": 4}),
        (["coarsest", "finest"], {"factors": (4,)}),
        ([f"experiment_with_a_long_name_{i}" for i in range(6)], {"cases": 300}),
        ([f"experiment_with_a_long_name_{i}" for i in range(6)], {"axes": (1,)}),
        (["coarsest", "finest"], {"profiles": ("box", "gaussian"), "axes": (0, 2)}),
    ],
)
def test_the_figure_can_be_read(experiments, options):
    assert faults(figure_of(experiments, **options)) == []


def test_there_is_a_column_for_each_axis_and_a_row_for_the_differences():
    figure = figure_of(["coarsest", "finest"])
    assert len(figure.axes) == 6
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
    assert titles == [f"thick {p} slices (n = 10)" for p in ("axial", "coronal", "sagittal")]
    assert len(figure_of(["coarsest"]).axes) == 3


def test_ratios_are_marked_where_they_are():
    texts = {text.get_text() for text in shown_texts(figure_of(["coarsest", "finest"]))}
    assert {"1", "2", "3", "4", "6"} <= texts


def test_what_is_significant_is_filled():
    lines = figure_of(["coarsest", "finest"], axes=(0,)).axes[1].get_lines()
    filled, open_ = (line for line in lines if line.get_linestyle() == "None")
    assert filled.get_xdata().tolist() == [3, 4, 6]
    assert open_.get_xdata().tolist() == [1, 2]
    assert open_.get_markerfacecolor() == "white"


def test_files_are_the_same_on_every_run(tmp_path):
    table_of(["coarsest", "finest"], axes=(0,), factors=(1, 4)).to_csv(
        tmp_path / "table.csv", index=False
    )
    for folder in ("1", "2"):
        paths = {kind: tmp_path / folder / f"figure.{kind}" for kind in ("svg", "png", "pdf")}
        plot_anisotropy.main(table=tmp_path / "table.csv", reference="coarsest", **paths)
    for kind in ("svg", "pdf"):
        first, second = ((tmp_path / f / f"figure.{kind}").read_bytes() for f in ("1", "2"))
        assert first == second
