"""The figure that compares experiments, paired per case and per slice."""

import numpy as np
import pandas as pd
import pytest

import plot_comparison
from drawing import faults
from scores import drawn_files, score_rows, write_scores
from slicewise import statistics


def draw(folder, tables, experiments):
    folder.mkdir(exist_ok=True)
    plot_comparison.main(
        **write_scores(folder, tables),
        dataset="phantom",
        experiments=experiments,
        confidence=0.95,
        resamples=200,
        **drawn_files(folder),
    )
    return pd.read_csv(folder / "figure.csv")


def dice_of(experiment, values, case="a", name="lv", label=1, **more):
    """Return one row for each value, of one case and class."""
    row = {"experiment": experiment, "case": case, "class": name, "label": label}
    return pd.DataFrame([row | more | {"dice": value} for value in values])


def compare(pairs, classes):
    return plot_comparison.compare(pairs, classes, confidence=0.95, resamples=200)


def pairs_of(*tables):
    pairs = plot_comparison.pair(pd.concat(tables), "coarsest", "finest")
    return plot_comparison.with_foreground(pairs)


def test_the_same_case_is_paired_with_its_mean_over_runs():
    pairs = pairs_of(dice_of("coarsest", [0.6, 0.8]), dice_of("finest", [0.5]))
    of_class = pairs[pairs["class"] == "lv"]
    assert of_class[["reference", "experiment"]].to_numpy().tolist() == [[pytest.approx(0.7), 0.5]]


def test_the_same_slice_is_paired_with_itself():
    tables = [
        dice_of("coarsest", [0.6], axis=2, slice=1),
        dice_of("coarsest", [0.9], axis=2, slice=2),
        dice_of("finest", [0.7], axis=2, slice=2),
        dice_of("finest", [0.5], axis=2, slice=1),
    ]
    row = compare(pairs_of(*tables), {"lv": 1}).iloc[1]
    assert row["pairs"] == 2
    assert row["difference"] == pytest.approx((-0.1 - 0.2) / 2)


def test_the_mean_foreground_averages_the_classes_of_each_case():
    tables = [
        dice_of("coarsest", [0.8]),
        dice_of("coarsest", [0.4], name="rv", label=2),
        dice_of("finest", [0.6]),
        dice_of("finest", [0.5], name="rv", label=2),
    ]
    row = compare(pairs_of(*tables), {"lv": 1, "rv": 2}).iloc[0]
    assert row["class"] == "mean foreground"
    assert row["reference_mean"] == pytest.approx(0.6)
    assert row["difference"] == pytest.approx(-0.05)


def test_a_dice_that_has_no_partner_is_counted_and_not_averaged():
    tables = [
        dice_of("coarsest", [np.nan], axis=2, slice=0),
        dice_of("finest", [0.0], axis=2, slice=0),
        dice_of("coarsest", [0.5], axis=2, slice=1),
        dice_of("finest", [0.7], axis=2, slice=1),
    ]
    row = compare(pairs_of(*tables), {"lv": 1}).iloc[1]
    assert (row["pairs"], row["unpaired"]) == (1, 1)
    assert row["difference"] == pytest.approx(0.2)


def test_slices_that_are_empty_in_both_are_no_pairs():
    tables = [dice_of(name, [np.nan], axis=2, slice=0) for name in ("coarsest", "finest")]
    row = compare(pairs_of(*tables), {"lv": 1}).iloc[1]
    assert (row["pairs"], row["unpaired"]) == (0, 0)


def test_the_table_holds_interval_test_and_effect_of_the_statistics(tmp_path):
    tables = [score_rows("coarsest", 8, ["lv", "myo"]), score_rows("finest", 8, ["lv", "myo"], 9)]
    table = draw(tmp_path, tables, ["coarsest", "finest"]).set_index(["level", "class"])
    cases = pd.concat([pd.read_csv(tmp_path / f"per_case_{i}.csv") for i in (0, 1)])
    sides = cases[cases["class"] == "lv"].pivot(index="case", columns="experiment", values="dice")
    expected = statistics.paired_difference(
        sides["coarsest"], sides["finest"], sides.index, resamples=200
    )
    row = table.loc["case", "lv"]
    assert row["difference"] == pytest.approx(expected.difference.mean)
    assert row["difference_low"] == pytest.approx(expected.difference.low)
    assert row["wilcoxon_p"] == pytest.approx(expected.p_value)
    assert row["rank_biserial"] == pytest.approx(expected.rank_biserial)
    assert row["cohen_dz"] == pytest.approx(expected.cohen_dz)


def test_p_is_adjusted_for_the_number_of_classes():
    tables = [score_rows("coarsest", 8, ["lv", "myo"]), score_rows("finest", 8, ["lv", "myo"], 9)]
    table = compare(pairs_of(*tables), {"lv": 1, "myo": 2})
    assert np.isnan(table["holm_p"][0])
    assert table["holm_p"][1:].tolist() == statistics.holm(table["wilcoxon_p"][1:]).tolist()


def test_a_worse_experiment_has_a_negative_difference(tmp_path):
    tables = [score_rows("coarsest", 6, ["lv"]), score_rows("finest", 6, ["lv"], loss=0.2)]
    table = draw(tmp_path, tables, ["coarsest", "finest"])
    assert (table["difference_high"] < 0).all()
    assert (table["rank_biserial"] == -1).all()


def test_one_experiment_says_that_there_is_nothing_to_pair(tmp_path):
    table = draw(tmp_path, [score_rows("coarsest", 6, ["lv", "myo"])], ["coarsest"])
    assert table["pairs"].tolist() == [0] * 6
    assert table["difference"].isna().all()
    assert table["reference_mean"].notna().all()
    assert (tmp_path / "figure.svg").exists()


def test_three_experiments_are_each_compared_with_the_first(tmp_path):
    names = ["coarsest", "finest", "sagittal"]
    table = draw(tmp_path, [score_rows(name, 3, ["lv"]) for name in names], names)
    assert set(table["reference"]) == {"coarsest"}
    assert table["experiment"].unique().tolist() == ["finest", "sagittal"]


def test_slices_along_different_axes_are_refused():
    slices = pd.concat([score_rows("coarsest", 2, ["lv"]), score_rows("finest", 2, ["lv"])])
    slices.loc[slices["experiment"] == "finest", "axis"] = 0
    with pytest.raises(ValueError, match=r"case case_000: .* axes \[0, 2\], expected one axis"):
        plot_comparison.check_axes(slices)


def test_two_runs_give_the_same_bytes(tmp_path):
    tables = [score_rows("coarsest", 6, ["lv"]), score_rows("finest", 6, ["lv"], loss=0.1)]
    for folder in ("1", "2"):
        draw(tmp_path / folder, tables, ["coarsest", "finest"])
    for name in ("figure.svg", "figure.png", "figure.pdf", "figure.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def figure_of(cases, classes, experiments, nan=False):
    structures = [f"left_adrenal_gland_{i}" for i in range(classes)]
    names = [f"experiment_{i}" for i in range(experiments)]
    tables = pd.concat(
        score_rows(name, cases, structures, slices=4, loss=0.02 * i) for i, name in enumerate(names)
    )
    if nan:
        tables["dice"] = np.nan
    labels = {name: i for i, name in enumerate(structures, start=1)}
    pairs, found = {}, {}
    for other in names[1:] or names:
        for level, scores in (("case", tables.drop(columns=["axis", "slice"])), ("slice", tables)):
            pairs[other, level] = plot_comparison.with_foreground(
                plot_comparison.pair(scores, names[0], other)
            )
            found[other, level] = compare(pairs[other, level], labels)
    if experiments > 1:
        return plot_comparison.draw_pairs(names, pairs, found, 0.95)
    alone = plot_comparison.alone(found[other, "case"])
    return plot_comparison.draw_alone(other, pairs[other, "case"], alone, 0.95)


@pytest.mark.parametrize(
    ("cases", "classes", "experiments"),
    [(1, 1, 2), (5, 3, 2), (300, 1, 2), (4, 30, 2), (2, 2, 9), (3, 1, 1), (5, 30, 1)],
)
def test_the_figure_can_be_read(cases, classes, experiments):
    assert faults(figure_of(cases, classes, experiments)) == []


@pytest.mark.parametrize("experiments", [1, 2])
def test_a_figure_without_any_score_can_be_read(experiments):
    assert faults(figure_of(3, 2, experiments, nan=True)) == []


def test_the_figure_fits_on_a_page_whatever_the_number_of_classes():
    height = figure_of(2, 30, 2).get_figheight() * 25.4
    assert height <= 230
