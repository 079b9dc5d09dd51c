"""The same case, slice and class of several experiments, and conventions for empty slices."""

import numpy as np
import pandas as pd
import pytest

from scores import score_rows
from slicewise import pairing

ALL = ["coarsest", "finest", "axial"]


def dice_of(experiment, values, case="a", name="lv", label=1, **more):
    """Return one row for each value, of one case and class."""
    row = {"experiment": experiment, "case": case, "class": name, "label": label}
    return pd.DataFrame([row | more | {"dice": value} for value in values])


def pairs_of(*tables):
    return pairing.with_foreground(pairing.pair(pd.concat(tables), "dice", "coarsest", "finest"))


def ranked_cases(*tables, metric="dice"):
    scores = pd.concat(tables, ignore_index=True)
    scores = scores.assign(surface_dice=scores["dice"], hd95_mm=scores["dice"])
    return pairing.side_by_side(scores, metric, ALL)


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
    pairs = pairs_of(*tables)
    differences = (pairs["experiment"] - pairs["reference"])[pairs["class"] == "lv"]
    assert differences.tolist() == pytest.approx([-0.1, -0.2])


def test_the_mean_foreground_averages_the_classes_that_both_score():
    tables = [
        dice_of("coarsest", [0.8]),
        dice_of("coarsest", [0.4], name="rv", label=2),
        dice_of("coarsest", [0.1], name="la", label=3),
        dice_of("finest", [0.6]),
        dice_of("finest", [0.5], name="rv", label=2),
    ]
    row = pairs_of(*tables).iloc[0]
    assert (row["class"], row["label"]) == ("mean foreground", 0)
    assert (row["reference"], row["experiment"]) == pytest.approx((0.6, 0.55))


def test_slices_that_are_empty_in_both_are_no_pairs():
    tables = [dice_of(name, [np.nan], axis=2, slice=0) for name in ("coarsest", "finest")]
    assert len(pairs_of(*tables)) == 0


def slices_of(experiment, values, case="a", status="both", name="lv", label=1):
    """Return one slice for each Dice, numbered from 0."""
    rows = dice_of(experiment, values, case, name, label, axis=2)
    return rows.assign(slice=range(len(values)), status=status)


def test_slices_are_averaged_within_their_case_before_cases_are():
    """Three slices of case a do not outweigh the one of case b, nor a class of one slice."""
    tables = [slices_of(name, [0.8, 0.8, 0.8]) for name in ALL[:2]]
    tables += [slices_of(name, [0.2], name="rv", label=2) for name in ALL[:2]]
    tables += [slices_of("coarsest", [0.4], "b"), slices_of("finest", [0.6], "b")]
    means = pairing.within_cases(pairing.pair(pd.concat(tables), "dice", *ALL[:2]))
    whole = means[means["label"] == 0].set_index("case")
    assert whole["reference"].to_dict() == pytest.approx({"a": 0.5, "b": 0.4})
    assert whole["experiment"].to_dict() == pytest.approx({"a": 0.5, "b": 0.6})
    assert whole["pairs"].to_dict() == {"a": 3, "b": 1}


def test_a_slice_without_a_partner_counts_in_no_mean():
    tables = [slices_of("coarsest", [0.8, np.nan]), slices_of("finest", [0.4, 0.0])]
    row = pairing.within_cases(pairing.pair(pd.concat(tables), "dice", *ALL[:2])).iloc[-1]
    assert (row["reference"], row["experiment"]) == (0.8, 0.4)
    counts = ["reference_scores", "experiment_scores", "pairs", "unpaired"]
    assert row[counts].tolist() == [1, 2, 1, 1]


def test_slices_count_that_truly_show_the_class():
    status = ["both", "truth_only", "prediction_only", "both_empty", "ignored"]
    scores = slices_of("coarsest", [0.5, 0, 0, np.nan, np.nan], status=status)
    assert pairing.that_count(scores, "slice")["status"].tolist() == status[:2]
    assert len(pairing.that_count(scores, "case")) == 5
    assert pairing.mean_of_slices(scores, "dice")["dice"].tolist() == [0.25]


def test_false_slices_are_counted_in_every_case_and_averaged_over_runs():
    """Right in one experiment and wrong in the other: the pairs that no Dice could be given of."""
    nothing, wrong = "both_empty", "prediction_only"
    tables = [slices_of("coarsest", [np.nan] * 3, status=nothing)]
    tables += [slices_of("finest", [0.0] * 3, status=[wrong, wrong, nothing])]
    tables += [slices_of("finest", [0.0] * 3, status=[wrong, nothing, nothing])]
    tables += [slices_of(name, [0.9], "b") for name in ALL[:2]]
    pairs = pairing.false_slices(pd.concat(tables), *ALL[:2]).set_index("case")
    assert pairs["reference"].to_dict() == {"a": 0, "b": 0}
    assert pairs["experiment"].to_dict() == {"a": 1.5, "b": 0}


def test_slices_along_different_axes_are_refused():
    slices = pd.concat([score_rows("coarsest", 2, ["lv"]), score_rows("finest", 2, ["lv"])])
    slices.loc[slices["experiment"] == "finest", "axis"] = 0
    with pytest.raises(ValueError, match=r"case case_000: .* axes \[0, 2\], expected one axis"):
        pairing.check_axes(slices)


@pytest.mark.parametrize(
    ("convention", "expected"),
    [
        ("one_empty_0", [0.5, 0, 0, np.nan, np.nan]),
        ("both_empty_1", [0.5, 0, 0, 1, np.nan]),
        ("with_truth", [0.5, 0, np.nan, np.nan, np.nan]),
        ("both_present", [0.5, np.nan, np.nan, np.nan, np.nan]),
    ],
)
def test_conventions_differ_in_what_is_empty(convention, expected):
    status = ["both", "truth_only", "prediction_only", "both_empty", "ignored"]
    scores = pd.DataFrame({"status": status, "dice": [0.5, 0, 0, np.nan, np.nan]})
    found = pairing.dice_under(convention, scores)["dice"].to_numpy()
    np.testing.assert_array_equal(found, expected)


def test_a_case_that_an_experiment_has_no_prediction_of_counts_as_the_worst_dice():
    both = [dice_of(name, [0.8, 0.8], status="both") for name in ALL]
    more = [dice_of(name, [0.6], case="b", status="both") for name in ALL[:2]]
    tables, left_out = ranked_cases(*both, *more)
    assert tables["lv"].loc["b"].tolist() == [0.6, 0.6, 0]
    assert left_out == {"mean foreground": 0, "lv": 0}


def test_a_case_where_an_experiment_is_right_to_find_nothing_ranks_nobody():
    shared = [dice_of(name, [0.8], status="both") for name in ALL]
    right = [dice_of("coarsest", [np.nan], case="b", status="both_empty")]
    wrong = [dice_of(name, [0.0], case="b", status="prediction_only") for name in ALL[1:]]
    tables, left_out = ranked_cases(*shared, *right, *wrong)
    assert list(tables["lv"].index) == ["a"]
    assert left_out == {"mean foreground": 1, "lv": 1}


def test_a_missing_distance_is_the_largest_of_its_class_in_the_mean_foreground():
    rows = [dice_of(name, [4.0], status="both") for name in ALL]
    rows += [dice_of(name, [9.0], case="b", status="both") for name in ALL[:2]]
    rows += [dice_of("axial", [np.nan], case="b", status="truth_only")]
    rows += [dice_of(name, [50.0], name="rv", label=2, status="both") for name in ALL]
    tables, _ = ranked_cases(*rows, metric="hd95_mm")
    assert tables["lv"].loc["b"].tolist()[:2] == [9, 9]
    assert np.isnan(tables["lv"].loc["b", "axial"])
    assert tables["mean foreground"].loc["b"].tolist() == [9, 9, 9]
    assert tables["mean foreground"].loc["a"].tolist() == [27, 27, 27]
