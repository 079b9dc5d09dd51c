"""The figure of where errors are."""

import numpy as np
import pandas as pd
import pytest

import plot_errors
from drawing import faults
from locate_errors import CASE_COLUMNS, COUNTS, SLICE_COLUMNS
from scores import drawn_files
from slicewise.wrong_voxels import KINDS

SETTINGS = {"bins": 4, "confidence": 0.95, "resamples": 200}


def error_rows(experiment, cases=6, classes=("heart",), slices=5, seed=0):
    """Return rows of slices as locate_errors writes them, the first and last beyond the ends."""
    rng = np.random.default_rng([cases, seed, len(experiment)])
    rows = []
    for case in range(cases):
        for label, name in enumerate(classes, start=1):
            for index in range(slices):
                row = {"dataset": "phantom", "experiment": experiment, "fold": 0, "seed": seed}
                row |= {"case": f"case_{case:03d}", "class": name, "label": label, "axis": 2}
                row |= {"slice": index, "start": (index - 1) / (slices - 2)}
                row |= {"stop": index / (slices - 2), "voxel_ml": 0.01}
                beyond = index in (0, slices - 1)
                for column in COUNTS:
                    there = beyond == column.startswith("ends")
                    row[column] = int(rng.integers(1, 50)) if there else 0
                rows.append(row)
    return pd.DataFrame(rows)[SLICE_COLUMNS]


def totals(slices):
    """Return rows as locate_errors writes them of cases."""
    unit = ["dataset", "experiment", "fold", "seed", "case", "class", "label", "voxel_ml"]
    table = slices.groupby(unit, sort=False)[COUNTS].sum().reset_index()
    return table.assign(wrong=table[COUNTS].sum(axis=1))[CASE_COLUMNS]


def draw(folder, tables, experiments):
    paths = {"per_slice": [], "per_case": []}
    folder.mkdir(parents=True, exist_ok=True)
    for i, table in enumerate(tables):
        paths["per_slice"].append(folder / f"slices_{i}.parquet")
        table.to_parquet(paths["per_slice"][-1])
        paths["per_case"].append(folder / f"cases_{i}.csv")
        totals(table).to_csv(paths["per_case"][-1], index=False)
    files = drawn_files(folder) | {"tex": folder / "figure.tex"}
    names = {"dataset": "phantom", "experiments": experiments}
    plot_errors.main(**paths, **names, **SETTINGS, **files)
    return pd.read_csv(files["table"])


def tabulate(*tables, experiments=("a",)):
    """Return the table of slices' rows of one or more runs."""
    slices = pd.concat(tables)
    return plot_errors.tabulate(totals(slices), slices, experiments, **SETTINGS)


def test_the_volume_of_a_kind_is_the_mean_over_cases():
    slices = error_rows("a")
    table = tabulate(slices).set_index(["class", "kind"])
    row = table.loc[("heart", "boundary")]
    voxels = slices["boundary_missed"].sum() + slices["boundary_false"].sum()
    assert row["volume_ml"] == pytest.approx(0.01 * voxels / 6)
    assert row["missed_ml"] + row["false_ml"] == pytest.approx(row["volume_ml"])
    assert row["volume_low"] < row["volume_ml"] < row["volume_high"]


def test_kinds_add_up_to_all_that_is_wrong():
    table = tabulate(error_rows("a", classes=["a", "b"]))
    for _, group in table.groupby("class"):
        group = group.set_index("kind")
        assert group.loc[list(KINDS), "volume_ml"].sum() == pytest.approx(
            group.loc["all", "volume_ml"]
        )
        assert group.loc[list(KINDS), "share"].sum() == pytest.approx(1)


def test_the_foreground_is_the_mean_of_the_classes():
    table = tabulate(error_rows("a", classes=["a", "b"]))
    whole = table[table["kind"] == "all"].set_index("class")["volume_ml"]
    assert whole["mean foreground"] == pytest.approx((whole["a"] + whole["b"]) / 2)


def test_bins_along_the_structure_add_up_to_the_volume():
    """Three slices of a structure in four bins: each slice is spread over what it covers."""
    runs = [error_rows(name, classes=["left", "right"]) for name in ("a", "bc")]
    table = tabulate(*runs, experiments=["a", "bc"])
    kinds = table[table["kind"] != "all"]
    bins = kinds[plot_errors.bin_names(4)].sum(axis=1)
    assert bins.to_numpy() == pytest.approx(kinds["volume_ml"].to_numpy())
    beyond = kinds[["ml_before", "ml_behind"]].sum(axis=1)
    assert beyond[kinds["kind"] == "ends"].to_numpy() == pytest.approx(
        kinds.loc[kinds["kind"] == "ends", "volume_ml"].to_numpy()
    )


def test_seeds_of_a_case_are_averaged():
    slices = error_rows("a")
    one, two = tabulate(slices), tabulate(slices, slices.assign(seed=1))
    pd.testing.assert_frame_equal(one, two)


def test_a_case_without_errors_counts_as_zero():
    slices = error_rows("a")
    slices.loc[slices["case"] == "case_000", COUNTS] = 0
    table = tabulate(slices).set_index(["class", "kind"])
    row = table.loc[("heart", "all")]
    voxels = slices[COUNTS].to_numpy().sum()
    assert (row["cases"], row["share"]) == (6, 1)
    assert row["volume_ml"] == pytest.approx(0.01 * voxels / 6)


def test_nothing_wrong_can_be_drawn():
    slices = error_rows("a")
    slices[COUNTS] = 0
    table = tabulate(slices)
    assert table["volume_ml"].eq(0).all()
    assert table["share"].isna().all()
    assert faults(plot_errors.draw(table, ["a"], 0.95)) == []


def test_structures_that_are_not_there_have_no_place_but_a_volume():
    slices = error_rows("a").assign(start=np.nan, stop=np.nan)
    table = tabulate(slices)
    assert table.filter(like="ml_0").isna().all(axis=None)
    assert (table["volume_ml"] > 0).all()


def test_two_runs_give_the_same_bytes_and_latex_the_same_numbers(tmp_path):
    for name in "12":
        table = draw(tmp_path / name, [error_rows("a"), error_rows("bc")], ["a", "bc"])
    row = table[(table["class"] == "heart") & (table["kind"] == "boundary")].iloc[0]
    interval = f"{row['volume_ml']:.2f} [{row['volume_low']:.2f}, {row['volume_high']:.2f}]"
    assert (
        f"boundary & {interval} & {row['missed_ml']:.2f} & "
        in (tmp_path / "1" / "figure.tex").read_text()
    )
    for kind in drawn_files(tmp_path).values():
        assert (tmp_path / "1" / kind.name).read_bytes() == (
            tmp_path / "2" / kind.name
        ).read_bytes()


LONG = "a_very_long_name_of_an_experiment_number_"


@pytest.mark.parametrize(
    ("experiments", "classes", "cases"),
    [
        (["coarsest"], ["heart"], 4),
        (["coarsest", "finest"], ["a_class_with_a_rather_long_name_indeed", "b", "c"], 6),
        ([f"{LONG}{i}" for i in range(6)], ["left", "right"], 6),
        ([f"{LONG}{i}" for i in range(6)], [f"class_{i}" for i in range(15)], 5),
    ],
)
def test_the_figure_can_be_read(experiments, classes, cases):
    tables = [error_rows(name, cases, classes) for name in experiments]
    found = tabulate(*tables, experiments=experiments)
    assert faults(plot_errors.draw(found, experiments, 0.95)) == []
