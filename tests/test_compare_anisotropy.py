"""Scores over the thickness of slices: which datasets stand where, and the statistics of each."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wilcoxon

import compare_anisotropy
from scores import per_case_of, score_rows
from slicewise import statistics
from slicewise.files import read_json

THICK = {
    f"thick_{axis}x{factor}": {"of": "cube", "axis": axis, "factor": factor, "profile": "box"}
    for axis in (0, 2)
    for factor in (2, 4)
}
CUBE = {"cube": None, **THICK}
NAMES = ["coarsest", "finest"]
PLANES = ["axial", "coronal", "sagittal"]
"""Experiments that slice the axes 0, 1 and 2, and differ from NAMES in that alone."""

ON_SOURCE = [*NAMES, *PLANES]


def scores_of(dataset, experiment, loss, cases=8):
    seed = ["", *ON_SOURCE].index(experiment)  # so that differences are not the same in all cases
    rows = per_case_of(score_rows(experiment, cases, ["lv", "rv"], loss=loss, seed=seed))
    return rows.assign(dataset=dataset)


def losses(thickened, on_source=ON_SOURCE):
    """Return how much Dice each network loses on each dataset."""
    found = {}
    for name, made in thickened.items():
        factor = made["factor"] if made else 1
        for i, experiment in enumerate(NAMES if made else on_source):
            found[name, experiment] = 0.015 * i * factor + 0.01 * factor
    return found


def sliced(dataset, made, experiment):
    """Return the axis that a network slices: of voxels of one size each rule takes the first."""
    if experiment in PLANES:
        return PLANES.index(experiment)
    if made is None:
        return 0
    return made["axis"] if experiment == "coarsest" else min({0, 1, 2} - {made["axis"]})


def write_plan(path, axis):
    """Write a plan of the golden hippocampi, with slices across `axis`."""
    plan = read_json(Path(__file__).parent / "golden/hippocampus/plans.json")
    forward = [axis, *(other for other in range(3) if other != axis)]
    plan["transpose_forward"] = forward
    plan["transpose_backward"] = [forward.index(i) for i in range(3)]
    path.write_text(json.dumps(plan))
    return path


def run(
    folder,
    thickened=CUBE,
    experiments=NAMES,
    spacing=(2.5, 2.5, 2.5),
    orientation="RAS",
    on_source=ON_SOURCE,
    axis_of=sliced,
):
    folder.mkdir(exist_ok=True)
    per_case, ceilings, plans = [], [], {}
    for (dataset, experiment), loss in losses(thickened, on_source).items():
        if experiment in experiments or not thickened[dataset]:
            per_case.append(folder / f"{dataset}_{experiment}.csv")
            scores_of(dataset, experiment, loss).to_csv(per_case[-1], index=False)
            axis = axis_of(dataset, thickened[dataset], experiment)
            path = folder / f"{dataset}_{experiment}.json"
            plans[dataset, experiment] = write_plan(path, axis)
    for dataset in filter(thickened.get, thickened):
        ceilings.append(folder / f"{dataset}_ceiling.csv")
        more = scores_of(dataset, "", -0.05, cases=12).drop(columns=["experiment", "fold", "seed"])
        more.to_csv(ceilings[-1], index=False)
    prints = {"spacings": [list(spacing)], "shapes_after_crop": [[40, 40, 40]]}
    (folder / "fingerprint.json").write_text(json.dumps(prints))
    turned = {"reorient": False, "orientation": orientation}
    (folder / "orientation.json").write_text(json.dumps(turned))
    compare_anisotropy.main(
        per_case=per_case,
        plans=list(plans.values()),
        ceilings=ceilings,
        fingerprint=folder / "fingerprint.json",
        orientation=folder / "orientation.json",
        source="cube",
        study="thickness",
        thickened=thickened,
        planned=list(plans),
        experiments=experiments,
        twins={name: [name, *(one for one in ON_SOURCE if one != name)] for name in experiments},
        members={},
        reference="coarsest",
        confidence=0.95,
        resamples=200,
        table=folder / "table.csv",
        tex=folder / "table.tex",
    )
    return pd.read_csv(folder / "table.csv")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return run(tmp_path_factory.mktemp("study"))


def test_each_thickness_along_each_axis_has_all_experiments_and_the_ceiling(table):
    found = table[table["label"] == 0].groupby(["axis", "factor"])["experiment"].agg(list)
    assert found[0, 4] == found[2, 2] == [*NAMES, "ceiling"]
    assert found[0, 1] == found[2, 1] == NAMES
    assert set(table["class"]) == {"mean foreground", "lv", "rv"}


def test_at_factor_1_stand_networks_that_slice_the_axis_that_is_sliced_where_slices_are_thick(
    table,
):
    """Of cubes both rules take axis 0: the difference of the two would be no effect of the plane."""
    thin = table[(table["dataset"] == "cube") & (table["label"] == 0)]
    found = thin.set_index(["axis", "experiment"])
    assert found["network"].to_dict() == {
        (0, "coarsest"): "coarsest",
        (0, "finest"): "coronal",
        (2, "coarsest"): "sagittal",
        (2, "finest"): "finest",
    }
    assert found["sliced"].to_dict() == {
        (0, "coarsest"): "axial",
        (0, "finest"): "coronal",
        (2, "coarsest"): "sagittal",
        (2, "finest"): "axial",
    }
    assert (thin["factor"] == 1).all()
    row = found.loc[(0, "finest")]
    own, reference = (
        scores_of("cube", name, losses(CUBE)["cube", name]).groupby("case")["dice"].mean()
        for name in ("coronal", "coarsest")
    )
    assert row["mean"] == pytest.approx(own.mean())
    assert row["difference"] == pytest.approx((own - reference).mean())
    assert row["wilcoxon_p"] == pytest.approx(statistics.wilcoxon_p(own - reference))


def test_without_such_a_network_factor_1_is_left_out_and_no_difference_of_0_stands_there(tmp_path):
    table = run(tmp_path, on_source=NAMES)
    thin = table[(table["factor"] == 1) & (table["label"] == 0)]
    found = list(zip(thin["axis"], thin["experiment"], strict=True))
    assert found == [(0, "coarsest"), (2, "finest")]
    assert thin["difference"].isna().all()
    assert table["change"].isna().all()


def test_what_slices_thick_scans_along_several_axes_has_no_factor_1(tmp_path):
    def axis_of(dataset, made, experiment):
        return 2 if dataset == "thick_0x4" else sliced(dataset, made, experiment)

    thin = run(tmp_path, axis_of=axis_of).query("factor == 1")
    assert set(thin["axis"]) == {2}


def test_a_change_is_that_of_the_difference_of_each_case(table):
    row = table.set_index(["dataset", "experiment", "class"]).loc[("thick_2x4", "finest", "rv")]
    pairs = [("thick_2x4", "finest"), ("thick_2x4", "coarsest")]
    pairs += [("cube", "finest"), ("cube", "sagittal")]
    sides = [scores_of(*pair, losses(CUBE)[pair]).query("`class` == 'rv'") for pair in pairs]
    thick, beside, thin, thin_beside = (side.set_index("case")["dice"] for side in sides)
    changes = (thick - beside) - (thin - thin_beside)
    expected = statistics.cluster_mean(changes, changes.index, resamples=200)
    assert row["change"] == pytest.approx(changes.mean())
    assert (row["change_low"], row["change_high"]) == pytest.approx((expected.low, expected.high))
    assert row["change_p"] == pytest.approx(wilcoxon(changes).pvalue)
    assert table.loc[table["factor"] == 1, "change"].isna().all()


def test_changes_are_a_family_of_their_own(table):
    own = table[(table["experiment"] == "finest") & (table["factor"] > 1)]
    for family in (own[own["label"] == 0], own[own["label"] > 0]):
        assert set(family["change_family_size"]) == {len(family)}
        np.testing.assert_allclose(family["change_holm_p"], statistics.holm(family["change_p"]))


def test_networks_that_are_the_references_own_make_no_test(tmp_path):
    """Where both rules take one axis, there is one network, and nothing to compare."""

    def axis_of(dataset, made, experiment):
        return 0 if made and made["axis"] == 0 else sliced(dataset, made, experiment)

    table = run(tmp_path, axis_of=axis_of).query("label == 0 and experiment == 'finest'")
    same = table["axis"] == 0
    assert table.loc[same, ["difference", "wilcoxon_p", "holm_p", "change"]].isna().all(axis=None)
    assert set(table.loc[~same, "family_size"]) == {3}


def test_axes_are_named_by_the_plane_of_their_slices(table):
    assert dict(zip(table["axis"], table["plane"], strict=True)) == {0: "axial", 2: "sagittal"}


def test_the_ratio_is_of_the_distance_of_slices_to_their_pixels(tmp_path):
    table = run(tmp_path, spacing=(3.0, 1.0, 4.0), orientation="SRA")
    ratios = table.groupby(["axis", "factor"])["anisotropy"].first()
    assert ratios[0, 1] == pytest.approx(3 / 2)
    assert ratios[0, 4] == pytest.approx(4 * 3 / 2)
    assert ratios[2, 2] == pytest.approx(2 * 4 / np.sqrt(3))
    assert table.groupby("axis")["plane"].first().to_dict() == {0: "coronal", 2: "axial"}


def test_differences_are_paired_by_case_as_the_statistics_say(table):
    row = table.set_index(["dataset", "experiment", "class"]).loc[("thick_0x4", "finest", "lv")]
    sides = [
        scores_of("thick_0x4", name, losses(CUBE)["thick_0x4", name]).query("`class` == 'lv'")
        for name in NAMES
    ]
    reference, own = (side.set_index("case")["dice"] for side in sides)
    expected = statistics.paired_difference(reference, own, own.index, resamples=200)
    assert row["difference"] == pytest.approx((own - reference).mean())
    assert row["difference_low"] == pytest.approx(expected.difference.low)
    assert row["wilcoxon_p"] == pytest.approx(expected.p_value)
    assert row["rank_biserial"] == pytest.approx(expected.rank_biserial)
    assert row["cohen_dz"] == pytest.approx(expected.cohen_dz)
    assert row["mean"] == pytest.approx(own.mean())
    assert row["cases"] == 8


def test_the_reference_and_the_ceiling_are_compared_with_nothing(table):
    alone = table[table["experiment"].isin(["coarsest", "ceiling"])]
    assert alone[["difference", "wilcoxon_p", "holm_p", "cohen_dz"]].isna().all(axis=None)
    assert alone["mean"].notna().all()


def test_the_ceiling_is_of_the_cases_that_are_scored(table):
    assert set(table.loc[table["experiment"] == "ceiling", "cases"]) == {8}


def test_p_is_adjusted_over_all_thicknesses_along_all_axes(table):
    own = table[(table["experiment"] == "finest")]
    foreground, classes = own[own["label"] == 0], own[own["label"] > 0]
    for family, size in ((foreground, 6), (classes, 12)):
        assert set(family["family_size"]) == {size}
        np.testing.assert_allclose(family["holm_p"], statistics.holm(family["wilcoxon_p"]))


def test_without_the_source_there_is_no_factor_of_one(tmp_path):
    assert set(run(tmp_path, THICK)["factor"]) == {2, 4}


def test_one_experiment_alone_has_no_differences(tmp_path):
    table = run(tmp_path, experiments=["coarsest"])
    assert set(table["experiment"]) == {"coarsest", "ceiling"}
    assert table["difference"].isna().all()
    assert "--" in (tmp_path / "table.tex").read_text()


def test_the_latex_table_has_the_mean_foregrounds(table, tmp_path):
    run(tmp_path)
    text = (tmp_path / "table.tex").read_text()
    assert text.count("ceiling & 8") == 4
    assert "axial" in text
    assert not any("& lv" in line or "& rv" in line for line in text.splitlines())
    row = table[(table["dataset"] == "thick_2x4") & (table["experiment"] == "finest")].iloc[0]
    assert f"{row['mean']:.3f} [{row['low']:.3f}, {row['high']:.3f}]" in text


def test_two_runs_write_the_same_bytes(tmp_path):
    for folder in ("1", "2"):
        run(tmp_path / folder, experiments=["coarsest"])
    for name in ("table.csv", "table.tex"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
