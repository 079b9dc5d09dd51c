"""The tables of a study: differences, families, what could be seen, conventions, seeds."""

import shutil

import numpy as np
import pandas as pd
import pytest

from compare_experiments import compare, compare_seeds
from compared import TABLES, compare_in
from scores import score_rows
from slicewise import statistics
from slicewise.pairing import FALSE_SLICES, METRICS, pair, within_cases
from test_latex import typeset
from test_pairing import dice_of

TWO = ["coarsest", "finest"]
THREE = [*TWO, "axial"]


def scores_of(experiments, cases=8, classes=("lv", "myo"), **more):
    """Return tables of scores by chance, each experiment much worse than the one before."""
    return [
        score_rows(name, cases, list(classes), seed=i, loss=0.2 * i, **more).assign(seed=0)
        for i, name in enumerate(experiments)
    ]


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Return the folder of a study of three experiments, and its comparison."""
    folder = tmp_path_factory.mktemp("three")
    return folder, compare_in(folder, scores_of(THREE), THREE)


def row_of(table, **place):
    """Return the only row of a table with these values."""
    for key, value in place.items():
        table = table[table[key] == value]
    assert len(table) == 1
    return table.iloc[0]


def of_pairs(*tables):
    pairs = within_cases(pair(pd.concat(tables), "dice", *TWO))
    return compare(pairs, {"lv": 1}, 0.95, 200).set_index("class").loc["lv"]


def test_a_dice_that_has_no_partner_is_counted_and_not_averaged():
    tables = [
        dice_of("coarsest", [np.nan], axis=2, slice=0),
        dice_of("finest", [0.0], axis=2, slice=0),
        dice_of("coarsest", [0.5], axis=2, slice=1),
        dice_of("finest", [0.7], axis=2, slice=1),
    ]
    row = of_pairs(*tables)
    assert (row["pairs"], row["unpaired"]) == (1, 1)
    assert (row["reference_scores"], row["experiment_scores"]) == (1, 2)
    assert row["difference"] == pytest.approx(0.2)


def test_the_table_holds_interval_test_and_effect_of_the_statistics(tmp_path):
    table = compare_in(
        tmp_path, [score_rows("coarsest", 8, ["lv"]), score_rows("finest", 8, ["lv"], 9)], TWO
    )
    cases = pd.concat([pd.read_csv(tmp_path / f"per_case_{i}.csv") for i in (0, 1)])
    for metric in METRICS:
        sides = cases.pivot(index="case", columns="experiment", values=metric)
        expected = statistics.paired_difference(
            sides["coarsest"], sides["finest"], sides.index, resamples=200
        )
        row = row_of(table, level="case", metric=metric, **{"class": "lv"})
        assert row["difference"] == pytest.approx(expected.difference.mean)
        assert row["difference_low"] == pytest.approx(expected.difference.low)
        assert row["wilcoxon_p"] == pytest.approx(expected.p_value)
        assert row["rank_biserial"] == pytest.approx(expected.rank_biserial)
        assert row["cohen_dz"] == pytest.approx(expected.cohen_dz)
        assert row["detectable"] == pytest.approx(
            statistics.detectable_difference(expected.deviation, 8)
        )


def test_families_are_all_experiments_and_their_classes_apart_by_level_and_metric(three):
    _, table = three
    whole, classes = (table[table["label"] == 0], table[table["label"] > 0])
    assert set(whole["family_size"]) == {2}
    assert set(classes["family_size"]) == {4}
    for _, family in classes.groupby(["level", "metric"]):
        assert family["holm_p"].to_numpy() == pytest.approx(statistics.holm(family["wilcoxon_p"]))
    spread = table[table["deviation"].notna()]
    assert (spread["detectable_holm"] > spread["detectable"]).all()
    assert set(spread["metric"]) == set(METRICS)
    assert set(table["smallest_p"]) == {2 / 2**8}


def test_a_larger_distance_is_a_positive_difference(three):
    table = three[1][three[1]["experiment"] == "axial"]
    for level in ("case", "slice"):
        dice = row_of(table, level=level, metric="dice", label=0)
        distance = row_of(table, level=level, metric="hd95_mm", label=0)
        assert dice["difference_high"] < 0 < distance["difference_low"]
        assert (dice["rank_biserial"], distance["rank_biserial"]) == (-1, 1)


def test_distances_that_do_not_exist_are_counted(tmp_path):
    tables = scores_of(TWO, cases=5, classes=["lv"])
    empty = tables[1]["slice"] == 3
    tables[1].loc[empty, ["dice", "surface_dice"]] = 0.0
    tables[1].loc[empty, "hd95_mm"] = np.nan
    tables[1].loc[empty, "status"] = "truth_only"
    table = compare_in(tmp_path, tables, TWO)
    row = row_of(table, level="slice", metric="hd95_mm", label=1)
    assert (row["reference_undefined"], row["experiment_undefined"]) == (0, 5)
    assert row["unpaired"] == 5
    row = row_of(table, level="slice", metric="dice", label=1)
    assert (row["experiment_undefined"], row["unpaired"]) == (0, 0)


def test_each_experiment_is_compared_with_the_first(three):
    _, table = three
    assert set(table["reference"]) == {"coarsest"}
    assert list(table["experiment"].unique()) == ["finest", "axial"]


def test_one_experiment_says_that_there_is_nothing_to_pair(tmp_path):
    table = compare_in(tmp_path, scores_of(["coarsest"], cases=6), ["coarsest"])
    assert (table["pairs"] == 0).all()
    assert table["difference"].isna().all()
    assert table["reference_mean"].notna().all()
    assert len(pd.read_csv(tmp_path / TABLES["empty"])) == 0


def test_the_pairs_are_those_of_the_differences(three):
    folder, table = three
    pairs = pd.read_parquet(folder / TABLES["pairs"])
    place = {"experiment": "axial", "class": "myo"}
    for level in ("case", "slice"):
        chosen = pairs[(pairs[["level", *place]] == [level, *place.values()]).all(axis=1)]
        found = (chosen["experiment_dice"] - chosen["reference_dice"]).mean()
        row = row_of(table, level=level, metric="dice", **place)
        assert found == pytest.approx(row["difference"])
        assert chosen["experiment_dice"].count() == row["cases"]
        assert chosen["pairs"].sum() == row["pairs"]


def hallucinated(tables):
    """Let the second experiment see something in slice 0 of every case, which shows nothing."""
    wrong = tables[1]["slice"] == 0
    tables[1].loc[wrong, ["dice", "surface_dice"]] = 0.0
    tables[1].loc[wrong, "status"] = "prediction_only"
    return tables


def test_slices_where_an_experiment_sees_what_is_not_there_are_counted_beside_the_dice(tmp_path):
    """The Dice of the slices that show the class does not change, nor does their number."""
    before = compare_in(tmp_path / "right", scores_of(TWO, cases=5, classes=["lv"]), TWO)
    after = compare_in(tmp_path / "wrong", hallucinated(scores_of(TWO, 5, ["lv"])), TWO)
    place = {"level": "slice", "label": 1}
    rows = [row_of(table, metric="dice", **place) for table in (before, after)]
    assert rows[0]["difference"] == rows[1]["difference"]
    assert [(row["pairs"], row["unpaired"]) for row in rows] == [(30, 0)] * 2
    rows = [row_of(table, metric=FALSE_SLICES, **place) for table in (before, after)]
    assert [row["experiment_mean"] for row in rows] == [0, 1]
    assert rows[1]["reference_mean"] == 0
    assert (rows[1]["difference"], rows[1]["cases"]) == (1, 5)
    assert "case" not in set(after[after["metric"] == FALSE_SLICES]["level"])


def test_the_mean_foreground_of_slices_lies_between_its_classes(tmp_path):
    """However many slices each class has: the second has one, and is far worse there."""
    tables = scores_of(TWO, cases=5)
    for table in tables:
        rare = table["class"] == "myo"
        table.loc[rare & (table["slice"] != 3), ["dice", "surface_dice", "hd95_mm"]] = np.nan
        table.loc[rare & (table["slice"] != 3), "status"] = "both_empty"
        table.loc[rare & (table["slice"] == 3), "dice"] = 0.3
    compared = compare_in(tmp_path, tables, TWO)
    mean = {
        label: row_of(compared, level="slice", metric="dice", label=label)["reference_mean"]
        for label in (0, 1, 2)
    }
    assert mean[0] == pytest.approx((mean[1] + mean[2]) / 2)


def test_conventions_show_what_hangs_on_empty_slices(tmp_path):
    """Slices 0 and 7 are empty in both; the second experiment sees something in slice 0."""
    compare_in(tmp_path, hallucinated(scores_of(TWO, cases=5, classes=["lv"])), TWO)
    table = pd.read_csv(tmp_path / TABLES["empty"])
    assert table["convention"].iloc[0] == "with_truth"
    rows = {
        name: row_of(table, level="slice", label=1, convention=name)
        for name in ("with_truth", "one_empty_0", "both_empty_1", "both_present")
    }
    assert {name: (row["pairs"], row["unpaired"]) for name, row in rows.items()} == {
        "with_truth": (30, 0),
        "one_empty_0": (30, 5),
        "both_empty_1": (40, 0),
        "both_present": (30, 0),
    }
    inside = rows["with_truth"]["difference"]
    assert rows["both_empty_1"]["difference"] == pytest.approx((30 * inside - 5) / 40)
    assert rows["one_empty_0"]["reference_both_empty"] == 10
    assert rows["one_empty_0"]["experiment_both_empty"] == 5
    assert rows["one_empty_0"]["experiment_one_empty"] == 5


def test_cases_have_conventions_only_where_one_of_them_is_empty(tmp_path):
    tables = scores_of(TWO, cases=5, classes=["lv"])
    compare_in(tmp_path / "shown", tables, TWO)
    assert set(pd.read_csv(tmp_path / "shown" / TABLES["empty"])["level"]) == {"slice"}
    for table in tables:
        table.loc[table["case"] == "case_000", ["dice", "surface_dice", "hd95_mm"]] = np.nan
    compare_in(tmp_path / "absent", tables, TWO)
    table = pd.read_csv(tmp_path / "absent" / TABLES["empty"])
    of_cases = table[table["level"] == "case"]
    assert of_cases["convention"].iloc[0] == "one_empty_0"


def test_the_stated_convention_is_that_of_the_comparison(three):
    folder, compared = three
    stated = pd.read_csv(folder / TABLES["empty"]).query("convention == 'with_truth'")
    dice = compared[(compared["metric"] == "dice") & (compared["level"] == "slice")]
    assert len(stated) == len(dice) > 0
    assert list(stated["difference_low"]) == pytest.approx(list(dice["difference_low"]))


def test_seeds_have_a_variance_beside_that_of_cases(tmp_path):
    """Seed 1 is 0.1 better in every case: 0.005 of variance, as the mean is between the two."""
    tables = [score_rows("coarsest", 6, ["lv"]), score_rows("finest", 6, ["lv"])]
    better = [table.assign(seed=1, dice=table["dice"] + 0.1) for table in tables[:1]]
    same = [tables[1].assign(seed=1)]
    compare_in(tmp_path, [*tables, *better, *same], TWO)
    table = pd.read_csv(tmp_path / TABLES["seeds"])
    for of in ("coarsest", "finest - coarsest"):
        row = row_of(table, of=of, label=0)
        assert row["between_seeds"] == pytest.approx(0.005)
        assert row["residual"] == pytest.approx(0, abs=1e-12)
    row = row_of(table, of="finest", label=1)
    assert row["between_seeds"] == 0
    assert row["between_cases"] > 0
    assert row["seeds"] == 2


def test_differences_between_seeds_are_of_the_same_case_fold_and_seed():
    rng = np.random.default_rng(0)
    unit = pd.MultiIndex.from_product([[0, 1], list("abc"), [0, 1]], names=["fold", "case", "seed"])
    one = unit.to_frame(index=False)
    one["case"] += one["fold"].astype(str)
    one = one.assign(experiment="coarsest", dice=rng.random(12), **{"class": "lv", "label": 1})
    shuffled = one.assign(experiment="finest", dice=one["dice"] + 0.25).sample(
        frac=1, random_state=0
    )
    table = compare_seeds(pd.concat([one, shuffled]), TWO, {"lv": 1})
    row = row_of(table, of="finest - coarsest", label=1)
    assert row["mean"] == pytest.approx(0.25)
    assert row["between_cases"] + row["between_seeds"] + row["residual"] < 1e-12


def test_latex_tables_stand_beside_all_of_them(three):
    folder, table = three
    for kind in ("table_tex", "empty_tex"):
        text = (folder / TABLES[kind]).read_text()
        assert r"\toprule" in text
        assert "phantom" in text
    row = row_of(table, experiment="axial", level="case", metric="hd95_mm", label=0)
    expected = f"$+${row['difference']:.3f} [$+${row['difference_low']:.3f}, "
    lines = (folder / TABLES["table_tex"]).read_text().splitlines()
    assert [line for line in lines if expected in line]
    assert r"\multicolumn{9}{@{}l}{\emph{HD95 (mm) of whole cases}} \\" in lines
    assert r"\multicolumn{9}{@{}l}{\emph{false-positive slices per case}} \\" in lines


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
@pytest.mark.parametrize("kind", ["table_tex", "empty_tex", "seeds_tex"])
def test_latex_tables_fit_between_the_margins(tmp_path, kind):
    """With names as long as those of real studies, and two seeds."""
    names = ["coarsest", "three_quarters", "sagittal_thick"]
    one = scores_of(names, cases=6, classes=["right_ventricle", "left_ventricle"])
    compare_in(tmp_path, [*one, *(table.assign(seed=1) for table in one)], names)
    assert "Overfull" not in typeset(tmp_path, (tmp_path / TABLES[kind]).read_text())


def test_a_single_seed_has_no_table_of_dashes(three):
    text = (three[0] / TABLES["seeds_tex"]).read_text()
    assert text.startswith("% phantom, comparison: a single seed")
    assert r"\begin" not in text


def test_a_difference_of_seeds_has_a_minus_and_no_hyphen(tmp_path):
    one = scores_of(TWO, cases=5)
    compare_in(tmp_path, [*one, *(table.assign(seed=1) for table in one)], TWO)
    assert r"\emph{finest $-$ coarsest}" in (tmp_path / TABLES["seeds_tex"]).read_text()


def test_another_run_gives_the_same_bytes(three, tmp_path):
    folder, _ = three
    compare_in(tmp_path, scores_of(THREE), THREE)
    for name in TABLES.values():
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()
