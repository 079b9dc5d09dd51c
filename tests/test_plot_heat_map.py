"""The heat map of slice Dice: a row for each case, a column for each place along the structure."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps

import plot_heat_map
from drawing import faults
from scores import drawn_files, score_rows, write_scores
from test_style import lightness


def bins_of(table, **where):
    """Return the cells of the only row of a table with these values."""
    for column, value in where.items():
        table = table[table[column] == value]
    (row,) = table.filter(like="dice_at").to_numpy()
    return row


def test_each_slice_covers_its_part_of_the_structure():
    found = plot_heat_map.along(np.array([0, 0.5, 1]), np.array([1.0, 2.0, 3.0]), 6)
    assert found.tolist() == [1, 1, 2, 2, 3, 3]


def test_slices_may_come_in_any_order():
    found = plot_heat_map.along(np.array([1, 0, 0.5]), np.array([3.0, 1.0, 2.0]), 3)
    assert found.tolist() == [1, 2, 3]


def test_the_only_slice_is_the_whole_structure():
    assert plot_heat_map.along(np.array([0.5]), np.array([0.7]), 3).tolist() == [0.7] * 3


def test_where_no_slice_is_scored_there_is_none():
    found = plot_heat_map.along(np.array([0.25, 0.5]), np.array([1.0, 2.0]), 5)
    np.testing.assert_array_equal(found, [np.nan, 1, 2, np.nan, np.nan])


@pytest.mark.parametrize("count", [2, 3, 7, 11, 40, 300])
def test_every_slice_is_found_where_it_lies(count):
    positions = np.linspace(0, 1, count)
    assert plot_heat_map.along(positions, np.arange(count), count).tolist() == [*range(count)]


def test_a_cell_is_the_dice_of_its_slice():
    slices = score_rows("coarsest", 3, ["heart"], slices=7)
    table = plot_heat_map.tabulate(slices, ["coarsest"], 5)
    of_case = slices[slices["case"] == "case_001"].dropna(subset=["relative_position"])
    row = bins_of(table, case="case_001", **{"class": "heart"})
    assert row.tolist() == pytest.approx(of_case["dice"].tolist())


def test_the_foreground_is_the_mean_of_the_classes_that_have_a_dice():
    slices = score_rows("a", 2, ["left", "right"], slices=7)
    slices.loc[(slices["class"] == "left") & (slices["slice"] == 3), "dice"] = np.nan
    table = plot_heat_map.tabulate(slices, ["a"], 5)
    mean, left, right = (
        bins_of(table, case="case_000", **{"class": name})
        for name in ("mean foreground", "left", "right")
    )
    assert np.isnan(left[2])
    assert mean[2] == right[2]
    assert mean[0] == pytest.approx((left[0] + right[0]) / 2)


def test_runs_of_a_slice_are_averaged():
    one, two = (score_rows("a", 2, ["heart"], seed=seed) for seed in (0, 1))
    cells = [
        bins_of(plot_heat_map.tabulate(slices, ["a"], 6), case="case_001", label=1)
        for slices in (one, two, pd.concat([one, two]))
    ]
    assert cells[2] == pytest.approx((cells[0] + cells[1]) / 2)


def test_cases_are_sorted_by_their_mean_over_experiments():
    slices = pd.concat([score_rows("a", 9, ["heart"]), score_rows("b", 9, ["heart"], loss=0.1)])
    table = plot_heat_map.tabulate(slices, ["b", "a"], 6)
    assert table["experiment"].drop_duplicates().tolist() == ["b", "a"]
    for _, group in table.groupby(["experiment", "class"]):
        assert group["rank"].tolist() == list(range(1, 10))
    ranked = table[table["label"] == 0].groupby("rank")["dice"].mean()
    assert ranked.is_monotonic_decreasing


def test_a_case_without_a_dice_comes_last():
    slices = score_rows("a", 3, ["heart"])
    slices.loc[slices["case"] == "case_000", "dice"] = np.nan
    table = plot_heat_map.tabulate(slices, ["a"], 6)
    assert table.loc[table["rank"] == 3, "case"].tolist() == ["case_000"] * 2
    assert faults(plot_heat_map.draw(table, ["a"])) == []


def test_a_case_that_one_experiment_lacks_keeps_its_row():
    slices = score_rows("a", 4, ["heart"])
    fewer = score_rows("b", 4, ["heart"])
    fewer = fewer[fewer["case"] != "case_002"]
    table = plot_heat_map.tabulate(pd.concat([slices, fewer]), ["a", "b"], 6)
    rank = table.loc[table["case"] == "case_002", "rank"].iloc[0]
    cells = plot_heat_map.matrix(table, "b", "heart")
    assert np.isnan(cells).all(axis=1).tolist() == [place == rank for place in range(1, 5)]


def test_the_difference_of_two_is_the_second_from_the_first():
    slices = pd.concat([score_rows("a", 3, ["heart"]), score_rows("b", 3, ["heart"], loss=0.1)])
    table = plot_heat_map.tabulate(slices, ["a", "b"], 6)
    ((_, _, difference),) = plot_heat_map.panels_of(table, ["a", "b"])
    assert difference.title == "b − a"
    assert difference.cells == pytest.approx(np.full((3, 6), -0.1))


@pytest.mark.parametrize(("count", "rows"), [(3, [3]), (4, [2, 2]), (5, [3, 2]), (6, [3, 3])])
def test_panels_fill_their_rows_as_evenly_as_they_can(count, rows):
    names = [f"e{i}" for i in range(count)]
    slices = pd.concat([score_rows(name, 3, ["heart"]) for name in names])
    table = plot_heat_map.tabulate(slices, names, 5)
    assert [len(row) for row in plot_heat_map.panels_of(table, names)] == rows


@pytest.mark.parametrize("scale", [plot_heat_map.DICE, plot_heat_map.DIFFERENCE])
def test_colours_grow_lighter_all_the_way(scale):
    """So that they can be told apart in grey print, a minus from a plus too."""
    colors = [color[:3] for color in colormaps.get_cmap(scale)(np.linspace(0, 1, 50))]
    assert (np.diff([lightness(color) for color in colors]) > 0).all()


def test_two_runs_give_the_same_bytes(tmp_path):
    paths = write_scores(tmp_path, [score_rows(name, 3, ["heart"]) for name in ("a", "b")])
    found = []
    for folder in (tmp_path / "1", tmp_path / "2"):
        files = drawn_files(folder)
        names = {"dataset": "phantom", "experiments": ["a", "b"], "bins": 8}
        plot_heat_map.main(per_slice=paths["per_slice"], **names, **files)
        found.append([path.read_bytes() for path in files.values()])
    assert found[0] == found[1]


LONG = "a_very_long_name_of_an_experiment_number_"


@pytest.mark.parametrize(
    ("experiments", "classes", "cases"),
    [
        (["coarsest"], ["heart"], 1),
        (["coarsest", "finest"], ["a_class_with_a_rather_long_name_indeed", "b", "c"], 5),
        (["coarsest", "finest"], ["heart"], 300),
        ([f"{LONG}{i}" for i in range(6)], [f"class_{i}" for i in range(15)], 24),
    ],
)
def test_the_figure_can_be_read(experiments, classes, cases):
    tables = [score_rows(name, cases, classes) for name in experiments]
    table = plot_heat_map.tabulate(pd.concat(tables), experiments, 10)
    table.loc[table["rank"] == 1, table.columns[6:9]] = np.nan
    assert faults(plot_heat_map.draw(table, experiments)) == []
