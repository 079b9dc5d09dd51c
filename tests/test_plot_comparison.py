"""The figure that compares experiments, drawn from the tables of a study."""

import numpy as np
import pandas as pd
import pytest

import plot_comparison
from compare_experiments import compare_all
from drawing import faults, shown_texts
from scores import per_case_of, score_rows
from slicewise.files import write_csv, write_parquet
from slicewise.score_tables import read_table


def tables_of(cases, classes, experiments, nan=False):
    """Return the comparison of a study's Dice, and the pairs behind it."""
    structures = {f"left_adrenal_gland_{i}": i + 1 for i in range(classes)}
    names = [f"experiment_{i}" for i in range(experiments)]
    scores = pd.concat(
        score_rows(name, cases, list(structures), slices=4, seed=i, loss=0.02 * i).assign(seed=0)
        for i, name in enumerate(names)
    )
    if nan:
        scores["dice"] = np.nan
    levels = {"case": per_case_of(scores), "slice": scores}
    return compare_all(levels, names, structures, 0.95, 100, metrics=["dice", "false_slices"])


def texts_of(figure):
    return {text.get_text() for text in shown_texts(figure)}


@pytest.mark.parametrize(
    ("cases", "classes", "experiments"),
    [(1, 1, 2), (5, 3, 2), (300, 1, 2), (4, 15, 2), (5, 3, 6), (2, 15, 6), (3, 1, 1), (5, 15, 1)],
)
def test_the_figure_can_be_read(cases, classes, experiments):
    figure = plot_comparison.draw(*tables_of(cases, classes, experiments), 0.95)
    assert faults(figure) == []
    assert figure.get_figheight() * 25.4 <= 230


@pytest.mark.parametrize("experiments", [1, 2, 6])
def test_a_figure_without_any_score_can_be_read(experiments):
    figure = plot_comparison.draw(*tables_of(3, 2, experiments, nan=True), 0.95)
    assert faults(figure) == []


def test_numbers_are_those_of_the_table():
    """Changed there, they are changed here: nothing is estimated a second time."""
    table, pairs = tables_of(6, 1, 2)
    estimates = ["difference", "difference_low", "difference_high", "rank_biserial"]
    table[estimates] = [0.1234, 0.1111, 0.2222, 0.33]
    texts = texts_of(plot_comparison.draw(table, pairs, 0.95))
    assert "+0.123 [+0.111, +0.222], r +0.33" in texts


def test_false_slices_stand_beside_the_differences_of_slices():
    table, pairs = tables_of(6, 1, 2)
    false = table["metric"] == "false_slices"
    table.loc[false, ["reference_mean", "experiment_mean"]] = [9.04, 0.51]
    texts = texts_of(plot_comparison.draw(table, pairs, 0.95))
    assert [text for text in texts if text.endswith("; 9.0 → 0.5")]


def test_panels_of_one_level_share_their_axis():
    """Otherwise the same length would be another difference in every panel."""
    figure = plot_comparison.draw(*tables_of(6, 2, 4), 0.95)
    blocks = np.reshape(figure.axes, (3, 3))
    for column, limits in enumerate(("get_ylim", "get_xlim", "get_xlim")):
        assert len({getattr(axes, limits)() for axes in blocks[:, column]}) == 1


def test_the_numbers_of_pairs_stand_above_the_panels():
    texts = texts_of(plot_comparison.draw(*tables_of(6, 1, 2), 0.95))
    assert {"whole cases: 6 cases", "slices, averaged in cases: 12 slices of 6 cases"} <= texts


def test_numbers_of_pairs_that_differ_between_experiments_are_a_range():
    table, pairs = tables_of(5, 3, 6)
    table.loc[(table["experiment"] == "experiment_2") & (table["level"] == "slice"), "pairs"] = 7
    assert "Dice − Dice of experiment_0\n7 to 10 slices of 5 cases" in texts_of(
        plot_comparison.draw(table, pairs, 0.95)
    )


def test_many_experiments_have_a_row_each_in_every_class():
    figure = plot_comparison.draw(*tables_of(5, 3, 6), 0.95)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(labels) == 4 * 6
    assert labels[:2] == ["mean foreground", "experiment_1"]
    assert "Dice − Dice of experiment_0\n10 slices of 5 cases" in texts_of(figure)


def test_what_does_not_fit_on_a_page_is_the_mean_foreground_alone():
    figure = plot_comparison.draw(*tables_of(5, 15, 6), 0.95)
    assert len(figure.axes[0].get_yticks()) == 6


def test_a_single_experiment_says_that_there_is_nothing_to_pair():
    texts = texts_of(plot_comparison.draw(*tables_of(5, 2, 1), 0.95))
    assert "experiment_0 is the only experiment, nothing to pair: Dice of 5 cases" in texts


def test_two_runs_give_the_same_bytes(tmp_path):
    table, pairs = tables_of(6, 2, 2)
    write_csv(tmp_path / "table.csv", table)
    write_parquet(tmp_path / "pairs.parquet", pairs)
    given = {"table": tmp_path / "table.csv", "pairs": tmp_path / "pairs.parquet"}
    for name in ("1", "2"):
        drawn = {kind: tmp_path / f"{name}.{kind}" for kind in ("svg", "png", "pdf")}
        plot_comparison.main(**given, confidence=0.95, palette=["x"], **drawn)
    for ending in ("svg", "png", "pdf"):
        first, second = (tmp_path / f"{name}.{ending}" for name in ("1", "2"))
        assert first.read_bytes() == second.read_bytes()


def test_a_single_experiment_is_drawn_from_its_file_too(tmp_path):
    """Empty names of experiments come back as empty text."""
    table, pairs = tables_of(3, 1, 1)
    write_csv(tmp_path / "table.csv", table)
    assert len(plot_comparison.draw(read_table(tmp_path / "table.csv"), pairs, 0.95).axes) == 1
