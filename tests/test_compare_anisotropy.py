"""Scores over the thickness of slices: which datasets stand where, and the statistics of each."""

import json

import numpy as np
import pandas as pd
import pytest

import compare_anisotropy
from scores import per_case_of, score_rows
from slicewise import statistics

THICK = {
    f"thick_{axis}x{factor}": {"of": "cube", "axis": axis, "factor": factor, "profile": "box"}
    for axis in (0, 2)
    for factor in (2, 4)
}
CUBE = {"cube": None, **THICK}
NAMES = ["coarsest", "finest"]


def scores_of(dataset, experiment, loss, cases=8):
    seed = [*NAMES, ""].index(experiment)  # so that differences are not the same in all cases
    rows = per_case_of(score_rows(experiment, cases, ["lv", "rv"], loss=loss, seed=seed))
    return rows.assign(dataset=dataset)


def losses(thickened):
    """Return how much Dice each experiment loses on each dataset."""
    factors = {name: made["factor"] if made else 1 for name, made in thickened.items()}
    return {
        (name, experiment): 0.02 * i * (factor - 1) + 0.01 * factor
        for name, factor in factors.items()
        for i, experiment in enumerate(NAMES)
    }


def run(folder, thickened=CUBE, experiments=NAMES, spacing=(2.5, 2.5, 2.5), orientation="RAS"):
    folder.mkdir(exist_ok=True)
    per_case, ceilings = [], []
    for (dataset, experiment), loss in losses(thickened).items():
        if experiment in experiments:
            per_case.append(folder / f"{dataset}_{experiment}.csv")
            scores_of(dataset, experiment, loss).to_csv(per_case[-1], index=False)
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
        ceilings=ceilings,
        fingerprint=folder / "fingerprint.json",
        orientation=folder / "orientation.json",
        source="cube",
        study="thickness",
        thickened=thickened,
        experiments=experiments,
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


def test_the_source_stands_for_each_axis_with_the_same_numbers(table):
    thin = table[table["dataset"] == "cube"]
    first, second = (
        thin[thin["axis"] == axis].drop(columns=["axis", "plane"]).reset_index(drop=True)
        for axis in (0, 2)
    )
    pd.testing.assert_frame_equal(first, second)
    assert (thin["factor"] == 1).all()


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
    own = table[(table["experiment"] == "finest")].drop_duplicates(["dataset", "class"])
    foreground, classes = own[own["label"] == 0], own[own["label"] > 0]
    for family, size in ((foreground, 5), (classes, 10)):
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
