"""The study of patch sizes: Dice by class and by the size of structures, and what fits."""

import numpy as np
import pandas as pd
import pytest

import compare_patch_sizes as study
import plot_patch_size
from chain import Chain, analyse, plan
from drawing import faults
from plan_network import patch_adequacy
from scans import labels_of, write_dataset
from scores import per_case_of, score_rows
from slicewise.network import build_network
from slicewise.plans import read_plan
from slicewise.statistics import FEWEST_CASES

PATCHES = {"whole": (40, 40), "half": (20, 20)}
NETWORK = {"batch_size": 6, "stages": 4, "weights": 1_928_716}
SETTINGS = {"confidence": 0.95, "resamples": 200}
CLASSES = ["left", "right"]


def scores_of(experiments=("whole", "half"), cases=9, classes=CLASSES):
    """Return scores of cases and of slices, those of each experiment 0.1 below the one before."""
    tables = [score_rows(name, cases, classes, loss=0.1 * i) for i, name in enumerate(experiments)]
    slices = pd.concat(tables)
    return {"case": per_case_of(slices), "slice": slices}


def extents_of(cases=9, classes=CLASSES):
    """Return extents of two slices a structure: case i spans 4 + 2 i rows in the first class."""
    rows = [
        {"case": f"case_{case:03d}", "label": label, "class": name, "row": size, "column": 3.0}
        for case in range(cases)
        for label, name in enumerate(classes, start=1)
        for size in (2.0, 4.0 + 2 * case + 20 * (label - 1))
    ]
    return pd.DataFrame(rows)


def tabulate(patches=PATCHES, **changes):
    edges = {name: dict(zip(study.EDGES, patch, strict=True)) for name, patch in patches.items()}
    networks = pd.DataFrame({name: edge | NETWORK for name, edge in edges.items()}).T
    given = {"scores": scores_of(), "extents": extents_of(), "networks": networks}
    return study.tabulate(**given | changes, settings=SETTINGS)


@pytest.fixture(scope="module")
def table():
    return tabulate()


def row_of(table, **where):
    for column, value in where.items():
        table = table[table[column] == value]
    (row,) = table.to_dict("records")
    return row


def test_a_structure_is_as_large_as_its_largest_extent_in_the_patch():
    extents = pd.DataFrame(
        {"case": ["a", "a"], "class": "heart", "row": [10.0, 4.0], "column": [5.0, 18.0]}
    )
    assert study.relative_size(extents, (40, 20)).item() == 0.9


def sizes_of(**classes):
    """Return sizes by case and class."""
    keys = [(f"case_{i}", name) for name, sizes in classes.items() for i in range(len(sizes))]
    index = pd.MultiIndex.from_tuples(keys, names=["case", "class"])
    return pd.Series(np.concatenate(list(classes.values())), index)


def test_sizes_fall_into_thirds_of_each_class():
    """All structures of the second class are larger than those of the first."""
    sizes = sizes_of(atrium=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], aorta=[0.9, 0.8, 0.7])
    thirds = ["small"] * 2 + ["medium"] * 2 + ["large"] * 2
    assert study.size_groups(sizes).tolist() == [*thirds, "large", "medium", "small"]


def test_equal_sizes_are_not_parted():
    assert study.size_groups(sizes_of(heart=[0.2] * 5)).nunique() == 1


@pytest.mark.parametrize("level", ["case", "slice"])
@pytest.mark.parametrize("group", ["mean foreground", *CLASSES, *study.SIZES])
def test_differences_are_paired_with_the_reference(table, level, group):
    row = row_of(table, level=level, group=group, experiment="half")
    assert row["difference"] == pytest.approx(-0.1)
    low = -0.1 if row["cases"] >= FEWEST_CASES else np.nan
    assert row["difference_low"] == pytest.approx(low, nan_ok=True)
    reference = row_of(table, level=level, group=group, experiment="whole")
    assert np.isnan(reference["difference"])
    assert row["dice"] == pytest.approx(reference["dice"] - 0.1)


def test_every_size_holds_a_third_of_each_class(table):
    """The second class is larger by half a patch in all of the 9 cases."""
    rows = table[(table["level"] == "case") & (table["experiment"] == "half")]
    small, large = (row_of(rows, group=name) for name in ("small", "large"))
    assert (small["cases"], small["structures"]) == (large["cases"], large["structures"]) == (3, 6)
    assert (small["size_low"], small["size_high"]) == pytest.approx((4 / 40, 28 / 40))
    assert (large["size_low"], large["size_high"]) == pytest.approx((16 / 40, 40 / 40))


def test_every_row_says_how_many_cases_structures_and_slices_it_is_the_mean_of(table):
    slices = table[table["level"] == "slice"].set_index(["group", "experiment"])
    counts = slices[["cases", "structures", "slices"]]
    assert counts.loc["left"].to_numpy().tolist() == [[9, 9, 9 * 6]] * 2
    assert counts.loc["mean foreground"].to_numpy().tolist() == [[9, 18, 18 * 6]] * 2
    assert table.loc[table["level"] == "case", "slices"].isna().all()


def test_slices_are_those_that_truly_show_the_class_and_count_by_their_case():
    """Of two false slices one is in the whole patch's prediction alone; one case is much longer."""
    scores = scores_of(classes=["left"])
    slices = scores["slice"]
    expected = slices.groupby(["experiment", "case"])["dice"].mean().groupby("experiment").mean()
    false = {"status": "prediction_only", "dice": 0.0}
    ends = slices["slice"].isin([0, 7]) & (slices["experiment"] == "whole")
    more = slices[(slices["case"] == "case_000") & (slices["status"] == "both")]
    more = pd.concat([more.assign(slice=more["slice"] + 100 * i) for i in range(1, 9)])
    scores["slice"] = pd.concat([slices.mask(ends, slices.assign(**false)), more])
    table = tabulate(scores=scores, extents=extents_of(classes=["left"]))
    for name in ("whole", "half"):
        row = row_of(table, level="slice", group="left", experiment=name)
        assert row["dice"] == pytest.approx(expected[name])
        assert row["slices"] == 9 * 6 + 8 * 6


def test_structures_count_where_all_experiments_have_a_score():
    """Nothing is there and nothing found in the whole patch's prediction of one case."""
    scores = scores_of()
    cases = scores["case"]
    gone = (cases["experiment"] == "whole") & (cases["case"] == "case_003")
    gone &= cases["class"] == "left"
    scores["case"] = cases.assign(dice=cases["dice"].mask(gone))
    table = tabulate(scores=scores)
    rows = table[(table["level"] == "case") & (table["group"] == "left")]
    assert rows["cases"].tolist() == [8, 8]
    whole = table[(table["level"] == "case") & (table["by"] == "all")]
    assert whole[["cases", "structures"]].to_numpy().tolist() == [[9, 17], [9, 17]]


def test_networks_of_the_patches_are_told_in_every_row(table):
    assert (table[list(NETWORK)] == list(NETWORK.values())).all(axis=None)


def test_a_batch_of_the_config_goes_before_that_of_the_plan(tmp_path):
    chain = plan(analyse(Chain(write_dataset(tmp_path / "raw", [(30, 34, 7)] * 4), tmp_path)))
    planned = read_plan(chain.plan)
    labels = labels_of(2)
    found = study.describe({"a": planned, "b": planned}, [None, 3], 2, labels.outputs)
    assert found["batch_size"].tolist() == [planned.batch_size, 3]
    network = build_network(planned, 2, labels.outputs)
    assert found.loc["a", "weights"] == sum(part.numel() for part in network.parameters())
    assert found.loc["a", "stages"] == planned.architecture.n_stages


def test_structures_of_cases_that_nobody_scored_have_no_group():
    table = tabulate(extents=extents_of(cases=12))
    assert row_of(table, level="case", group="large", experiment="half")["size_high"] == 1


def test_a_structure_that_is_not_there_is_of_no_size():
    extents = extents_of()
    extents = extents[(extents["case"] != "case_000") | (extents["class"] != "left")]
    table = tabulate(extents=extents)
    units = [
        row_of(table, level="case", group=name, experiment="half")["structures"]
        for name in study.SIZES
    ]
    assert sum(units) == 17


def test_the_scale_is_that_of_the_edge():
    patches = {"whole": (40, 20), "part": (20, 10), "flat": (10, 20)}
    table = tabulate(scores=scores_of(patches), patches=patches)
    scales = table.drop_duplicates("experiment").set_index("experiment")["scale"]
    assert scales.tolist() == pytest.approx([1, 0.5, 0.5])


def test_p_values_are_adjusted_over_experiments_and_groups_of_a_kind():
    patches = {"whole": (40, 40), "a": (20, 20), "b": (10, 10)}
    table = tabulate(scores=scores_of(patches), patches=patches)
    found = table[(table["level"] == "case") & (table["by"] == "class")].dropna(subset=["holm_p"])
    assert len(found) == 4
    assert found["holm_p"].tolist() == pytest.approx((4 * found["wilcoxon_p"]).tolist())


def test_the_shares_that_fit_are_those_of_the_plan():
    """Of all structures and of each class they are what patch_adequacy.csv says of a patch."""
    extents = extents_of()
    rows = extents[["label", "row", "column"]].to_numpy()
    sizes = study.relative_size(extents, (40, 40)).loc[:, ["left"]]
    found = study.shares_that_fit(extents, sizes, (20, 20))
    expected = patch_adequacy(rows, CLASSES, [20, 20])
    assert [found["class", name] for name in CLASSES] == [row["share"] for row in expected]
    fit, slices = (sum(row[key] for row in expected) for key in ("fit", "slices"))
    assert 0 < found["all", study.FOREGROUND] == fit / slices < 1
    assert found["size", "small"] == 1


def test_experiments_of_other_slices_are_refused(tmp_path):
    chain = Chain(write_dataset(tmp_path / "raw", [(30, 34, 7)] * 4), tmp_path)
    plans = {name: read_plan(plan(analyse(chain), name).plan) for name in ("coarsest", "finest")}
    with pytest.raises(ValueError, match=r"experiment finest: .*planning\.patch_scale"):
        study.check_plans(plans)


def test_the_table_in_latex_has_a_row_for_each_group_and_experiment(table):
    rows, columns, caption = study.latex_table(table.assign(dataset="phantom"), 0.95)
    assert len(rows) == 2 * (1 + len(CLASSES) + 3)
    assert columns["n"] == "cases"
    assert {"batch", "stages"} < set(columns)
    assert "one split" in caption
    assert set(rows["patch"]) == {"40 × 40", "20 × 20"}


MANY = {f"a_long_name_of_an_experiment_{i}": (10 + 10 * i, 10 + 10 * i) for i in range(6)}


@pytest.mark.parametrize(
    ("patches", "classes", "cases"),
    [
        ({"whole": (512, 448)}, ["heart"], 5),
        (PATCHES, ["a_class_with_a_rather_long_name_indeed", "b", "c"], 3),
        (dict(list(MANY.items())[::-1]), [f"class_{i}" for i in range(15)], 6),
    ],
)
def test_the_figure_can_be_read(patches, classes, cases):
    scores, extents = scores_of(patches, cases, classes), extents_of(cases, classes)
    table = tabulate(scores=scores, extents=extents, patches=patches)
    assert faults(plot_patch_size.draw(table)) == []
