"""The figure of Dice along the structures."""

import numpy as np
import pandas as pd
import pytest

import plot_dice_profile
from drawing import faults
from scores import drawn_files, score_rows, write_scores


def slices_of(positions, dice, case="a", experiment="coarsest", name="lv", label=1):
    return pd.DataFrame(
        {
            "experiment": experiment,
            "case": case,
            "class": name,
            "label": label,
            "relative_position": positions,
            "dice": dice,
        }
    )


def profile(slices, experiments=("coarsest",), bins=10):
    return plot_dice_profile.profile(slices, experiments, bins=bins, confidence=0.95, resamples=200)


def draw(folder, tables, experiments, bins=10):
    plot_dice_profile.main(
        per_slice=write_scores(folder, tables)["per_slice"],
        dataset="phantom",
        experiments=experiments,
        palette=experiments,
        bins=bins,
        confidence=0.95,
        resamples=200,
        **drawn_files(folder),
    )
    return pd.read_csv(folder / "figure.csv")


def test_slices_of_a_case_are_averaged_before_cases():
    slices = pd.concat(
        [
            slices_of([0, 0.1, 0.2, 1], [0.2, 0.4, 0.6, 0.8]),
            slices_of([0, 0.4, 0.5, 1], [1.0, 0.8, 0.0, 0.2], case="b"),
        ]
    )
    table = profile(slices, bins=2)
    assert table["dice"].tolist() == pytest.approx([(0.4 + 0.9) / 2, (0.8 + 0.1) / 2])
    assert table["cases"].tolist() == [2, 2]


def test_the_far_end_belongs_to_the_last_bin():
    assert plot_dice_profile.bin_means(slices_of([0.5, 1], [0.3, 0.7]), 2).loc["a", 1] == 0.5


def test_structures_of_few_slices_have_as_many_bins():
    positions = np.linspace(0, 1, 4)
    table = profile(slices_of(positions, [0.1, 0.2, 0.3, 0.4]))
    assert table["dice"].tolist() == [0.1, 0.2, 0.3, 0.4]
    assert table["position_high"].tolist() == [0.25, 0.5, 0.75, 1]


def test_a_structure_of_one_slice_is_one_point():
    assert profile(slices_of([0.5], [0.7]))["dice"].tolist() == [0.7]


def test_slices_beyond_the_structure_and_without_dice_do_not_count():
    slices = slices_of([0, np.nan, 0.5, 1], [0.4, 0.0, np.nan, 0.6])
    assert profile(slices, bins=1)["dice"].tolist() == [0.5]


def test_runs_of_a_case_are_averaged_and_count_once():
    slices = pd.concat([slices_of([0.5], [0.6]), slices_of([0.5], [0.8])])
    table = profile(slices)
    assert (table["dice"].item(), table["cases"].item()) == (pytest.approx(0.7), 1)


def test_fewer_than_five_cases_have_no_band():
    rows = [score_rows("coarsest", n, ["lv"]) for n in (4, 5)]
    few, enough = (profile(table, bins=3) for table in rows)
    assert few["low"].isna().all()
    assert ((enough["low"] < enough["dice"]) & (enough["dice"] < enough["high"])).all()


def test_the_table_has_every_experiment_and_class(tmp_path):
    classes = ["lv", "myo"]
    tables = [score_rows(name, 5, classes) for name in ("finest", "coarsest")]
    table = draw(tmp_path, tables, ["coarsest", "finest"], bins=4)
    assert table.groupby(["class", "experiment"], sort=False).size().to_dict() == {
        ("lv", "coarsest"): 4,
        ("lv", "finest"): 4,
        ("myo", "coarsest"): 4,
        ("myo", "finest"): 4,
    }


def test_two_runs_give_the_same_bytes(tmp_path):
    tables = [score_rows(name, 6, ["lv", "myo"]) for name in ("coarsest", "finest")]
    for folder in ("1", "2"):
        (tmp_path / folder).mkdir()
        draw(tmp_path / folder, tables, ["coarsest", "finest"])
    for name in ("figure.svg", "figure.png", "figure.pdf", "figure.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


@pytest.mark.parametrize(("experiments", "classes"), [(1, 1), (5, 3), (1, 5), (2, 30)])
def test_the_figure_can_be_read(experiments, classes):
    names = [f"experiment_{i}" for i in range(experiments)]
    structures = [f"left_adrenal_gland_{i}" for i in range(classes)]
    tables = pd.concat([score_rows(name, 5, structures, slices=5) for name in names])
    assert faults(plot_dice_profile.draw(profile(tables, names))) == []


def test_a_class_that_no_case_has_is_shown_as_such():
    tables = score_rows("coarsest", 5, ["lv", "myo"])
    tables.loc[tables["class"] == "myo", ["relative_position", "dice"]] = np.nan
    table = profile(tables)
    assert table.loc[table["class"] == "myo", "cases"].tolist() == [0]
    figure = plot_dice_profile.draw(table)
    assert faults(figure) == []
    assert figure.axes[1].texts[0].get_text() == "no slice to score"


def test_slices_that_were_not_scored_leave_the_others_in_their_place():
    """Every second slice of nine, and the middle five: places are those in the whole structure."""
    positions = np.linspace(0, 1, 9)
    dice = 0.5 + positions / 2
    every_second = profile(slices_of(positions[::2], dice[::2]))
    assert every_second["dice"].tolist() == pytest.approx(dice[::2].tolist())
    middle = profile(slices_of(positions[2:7], dice[2:7]))
    assert middle["cases"].tolist() == [0, 1, 1, 1, 0]
    inside = middle.iloc[1:4]
    assert (inside["position_low"] <= 2 * inside["dice"] - 1).all()
    assert (2 * inside["dice"] - 1 <= inside["position_high"]).all()
    assert faults(plot_dice_profile.draw(middle)) == []


def test_an_experiment_without_scores_leaves_the_others():
    tables = pd.concat([score_rows(name, 5, ["lv"]) for name in ("coarsest", "finest")])
    tables.loc[tables["experiment"] == "finest", "dice"] = np.nan
    assert faults(plot_dice_profile.draw(profile(tables, ["coarsest", "finest"]))) == []
