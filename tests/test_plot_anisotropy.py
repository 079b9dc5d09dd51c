"""The figure of scores over the thickness of slices."""

import numpy as np
import pandas as pd
import pytest

import plot_anisotropy
from drawing import faults, shown_texts
from slicewise import style


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
            row |= {"experiment": name, "network": name}
            row |= {"class": "mean foreground", "label": 0, "cases": cases}
            row |= {"mean": mean, "low": mean - spread, "high": mean + spread}
            compared = 0 < i < len(experiments)
            difference = -0.02 * i * (factor - 1) if compared else np.nan
            row |= {"difference": difference, "difference_low": difference - spread}
            row |= {"difference_high": difference + spread}
            row |= {"change": difference if factor > 1 else np.nan, "change_holm_p": 0.5}
            row |= {"change_low": difference - spread, "change_high": difference + spread}
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
    assert len(figure.axes) == 9
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
    assert titles == [f"thick {p} slices (n = 10)" for p in ("axial", "coronal", "sagittal")]
    assert len(figure_of(["coarsest"]).axes) == 3


def test_ratios_are_marked_where_they_are():
    texts = {text.get_text() for text in shown_texts(figure_of(["coarsest", "finest"]))}
    assert {"1", "2", "3", "4", "6"} <= texts


def test_what_is_significant_is_filled():
    axes = figure_of(["coarsest", "finest"], axes=(0,)).axes
    assert all(len(line.get_xdata()) == 0 for line in axes[2].get_lines()[2:3])
    lines = axes[1].get_lines()
    filled, open_ = (line for line in lines if line.get_linestyle() == "None")
    assert filled.get_xdata().tolist() == [3, 4, 6]
    assert open_.get_xdata().tolist() == [1, 2]
    assert open_.get_markerfacecolor() == "white"


def test_titles_say_whose_networks_stand_for_thin_slices():
    table = table_of(["coarsest", "finest"], axes=(0,))
    thin = (table["factor"] == 1) & (table["experiment"] == "finest")
    table["network"] = table["network"].mask(thin, "coronal")
    figure = plot_anisotropy.draw(table, "coarsest")
    assert figure.axes[0].get_title(loc="left").endswith("\nthin: coronal for finest")
    assert faults(figure) == []


def test_without_factor_1_there_is_no_panel_of_changes():
    table = table_of(["coarsest", "finest"], factors=(2, 4)).assign(change=np.nan)
    figure = plot_anisotropy.draw(table, "coarsest")
    assert len(figure.axes) == 6
    assert faults(figure) == []


def test_experiments_have_the_colours_of_the_palette():
    table = table_of(["coarsest", "finest"], axes=(0,))
    lines = plot_anisotropy.draw(table, "coarsest", ["finest", "x", "coarsest"]).axes[0].get_lines()
    assert [line.get_color() for line in lines[1:]] == [style.PALETTE[2], style.PALETTE[0]]


def test_files_are_the_same_on_every_run(tmp_path):
    table_of(["coarsest", "finest"], axes=(0,), factors=(1, 4)).to_csv(
        tmp_path / "table.csv", index=False
    )
    for folder in ("1", "2"):
        paths = {kind: tmp_path / folder / f"figure.{kind}" for kind in ("svg", "png", "pdf")}
        plot_anisotropy.main(
            table=tmp_path / "table.csv", reference="coarsest", palette=[], **paths
        )
    for kind in ("svg", "pdf"):
        first, second = ((tmp_path / f / f"figure.{kind}").read_bytes() for f in ("1", "2"))
        assert first == second
