"""The study of patch sizes: Dice by class and by the size of structures, and what fits."""

import numpy as np
import pandas as pd
import pytest

import compare_patch_sizes as study
import plot_patch_size
from chain import Chain, analyse, plan
from drawing import faults
from plan_network import patch_adequacy
from scans import write_dataset
from scores import per_case_of, score_rows
from slicewise.plans import read_plan

PATCHES = {"whole": (40, 40), "half": (20, 20)}
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


def tabulate(**changes):
    given = {"scores": scores_of(), "extents": extents_of(), "patches": PATCHES}
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


def test_sizes_fall_into_thirds():
    sizes = pd.Series([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    found = study.size_groups(sizes).tolist()
    assert found == ["small"] * 2 + ["medium"] * 2 + ["large"] * 2


def test_equal_sizes_are_not_parted():
    assert study.size_groups(pd.Series([0.2] * 5)).nunique() == 1


@pytest.mark.parametrize("level", ["case", "slice"])
@pytest.mark.parametrize("group", ["mean foreground", *CLASSES, *study.SIZES])
def test_differences_are_paired_with_the_reference(table, level, group):
    row = row_of(table, level=level, group=group, experiment="half")
    assert row["difference"] == pytest.approx(-0.1)
    assert row["difference_low"] == pytest.approx(-0.1)
    reference = row_of(table, level=level, group=group, experiment="whole")
    assert np.isnan(reference["difference"])
    assert row["dice"] == pytest.approx(reference["dice"] - 0.1)


def test_slices_that_do_not_show_the_class_count_for_no_experiment():
    """The second experiment sees something in the first, empty slice of every case."""
    scores = scores_of()
    wrong = (scores["slice"]["slice"] == 0) & (scores["slice"]["experiment"] == "half")
    scores["slice"].loc[wrong, ["dice", "status"]] = [0.0, "prediction_only"]
    row = row_of(tabulate(scores=scores), level="slice", group="left", experiment="half")
    assert row["difference"] == pytest.approx(-0.1)
    assert (row["pairs"], row["dice"]) == (9, pytest.approx(row_of_left(tabulate(), "half")))


def row_of_left(table, experiment):
    return row_of(table, level="slice", group="left", experiment=experiment)["dice"]


def test_structures_are_grouped_by_their_size_whatever_their_class(table):
    """The second class is larger in all cases by half a patch: 6 of 18 structures in each third."""
    rows = table[(table["level"] == "case") & (table["experiment"] == "half")]
    small, large = (row_of(rows, group=name) for name in ("small", "large"))
    assert (small["units"], large["units"]) == (6, 6)
    assert (small["size_low"], small["size_high"]) == pytest.approx((4 / 40, 14 / 40))
    assert large["size_high"] == pytest.approx(40 / 40)


def test_structures_of_cases_that_nobody_scored_have_no_group():
    table = tabulate(extents=extents_of(cases=12))
    assert row_of(table, level="case", group="large", experiment="half")["size_high"] == 1


def test_a_structure_that_is_not_there_is_of_no_size():
    extents = extents_of()
    extents = extents[(extents["case"] != "case_000") | (extents["class"] != "left")]
    table = tabulate(extents=extents)
    units = [
        row_of(table, level="case", group=name, experiment="half")["units"] for name in study.SIZES
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
    sizes = study.relative_size(extents, (40, 40))
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
    rows, _, caption = study.latex_table(table.assign(dataset="phantom"), 0.95)
    assert len(rows) == 2 * (1 + len(CLASSES) + 3)
    assert "n = 9 cases" in caption
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
