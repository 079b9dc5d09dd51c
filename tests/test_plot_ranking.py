"""The figure of rank frequencies, drawn from the table of a ranking."""

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex

import plot_ranking
from compared import rank_in
from drawing import faults
from scores import score_rows
from slicewise import style


def named(experiments=3):
    return [f"experiment_with_a_long_name_{i}" for i in range(experiments)]


def ranking(folder, cases=8, experiments=3, step=0.005):
    names = named(experiments)
    scores = [
        score_rows(name, cases, ["lv", "rv"], slices=4, seed=i, loss=step * i).assign(seed=0)
        for i, name in enumerate(names)
    ]
    return rank_in(folder, scores, names)


def first_circles(figure):
    """Return the circles of the best experiment in the first panel."""
    return next(found for found in figure.axes[0].collections if isinstance(found, PathCollection))


@pytest.mark.parametrize(("cases", "experiments"), [(8, 1), (8, 2), (8, 6), (40, 15), (3, 3)])
def test_the_figure_can_be_read(tmp_path, cases, experiments):
    figure = plot_ranking.draw(ranking(tmp_path, cases, experiments), named(experiments))
    assert faults(figure) == []
    assert figure.get_figheight() * 25.4 <= 230


def test_areas_are_frequencies_of_the_mean_foreground(tmp_path):
    table = ranking(tmp_path)
    first = table[(table["metric"] == "dice") & (table["label"] == 0)].iloc[0]
    shares = first[[f"frequency_{i}" for i in (1, 2, 3)]].to_numpy(float)
    circles = first_circles(plot_ranking.draw(table, named()))
    shown = shares >= plot_ranking.TOLD
    assert circles.get_sizes() == pytest.approx(plot_ranking.LARGEST * shares[shown])
    assert list(circles.get_offsets()[:, 0]) == list(np.flatnonzero(shown) + 1)


def test_the_rank_of_all_cases_is_drawn_whatever_resamples_say(tmp_path):
    """Rows stand in the order of the first panel: elsewhere the place of a row is not its rank."""
    table = ranking(tmp_path)
    ranks = table["method"] == plot_ranking.RANK
    table.loc[ranks, "rank"] = [3, 1, 2] * (ranks.sum() // 3)
    figure = plot_ranking.draw(table, named())
    for axes, expected in ((figure.axes[0], [1, 2, 3]), (figure.axes[3], [3, 1, 2])):
        squares = [line for line in axes.lines if line.get_marker() == "s"]
        assert [line.get_xdata()[0] for line in squares] == expected


def test_experiments_stand_in_the_order_of_their_mean_dice(tmp_path):
    table = ranking(tmp_path, step=0.3)
    axes = plot_ranking.draw(table, named()).axes[0]
    assert [label.get_text()[-1] for label in axes.get_yticklabels()] == ["0", "1", "2"]


def test_an_experiment_has_the_colour_of_its_place_in_the_study(tmp_path):
    circles = first_circles(plot_ranking.draw(ranking(tmp_path, step=0.3), named()[::-1]))
    assert to_hex(circles.get_facecolor()[0]) == style.line_style(2)["color"].lower()


def test_two_runs_give_the_same_bytes(tmp_path):
    ranking(tmp_path)
    for name in ("1", "2"):
        drawn = {kind: tmp_path / f"{name}.{kind}" for kind in ("svg", "png", "pdf")}
        plot_ranking.main(table=tmp_path / "ranking.csv", palette=named(), **drawn)
    for ending in ("svg", "png", "pdf"):
        first, second = (tmp_path / f"{name}.{ending}" for name in ("1", "2"))
        assert first.read_bytes() == second.read_bytes()
