"""Per-slice and per-case tables and summary.json of small datasets written to a folder."""

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

import evaluate_fold
from golden.summary import record
from slicewise import scoring, slice_stacks

GOLDEN = Path(__file__).parent / "golden" / "summary"
ALONG = (2, 1, 0)
"""File axis of each reading axis of a dataset that is read as stored."""

OBLIQUE = np.array(
    [
        [0.9, -0.8, 0.0, 12.0],
        [1.2, 0.6, 0.0, -7.0],
        [0.0, 0.0, 4.0, 30.0],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
"""Axes turned by 53 degrees around the third; spacing 1.5, 1 and 4 mm."""

RUN = ["dataset", "experiment", "fold", "seed", "case", "class", "label"]
COUNTS = ["tp", "fp", "fn"]
SCORES = ["dice", "iou", "hd95_mm", "assd_mm", "surface_dice", "status"]
PLACE = ["axis", "slice", "position_mm", "relative_position"]
SLICE_COLUMNS = [*RUN, *PLACE, *COUNTS, "area_true_mm2", "area_predicted_mm2", *SCORES]
CASE_COLUMNS = [*RUN, *COUNTS, "volume_true_ml", "volume_predicted_ml", *SCORES]

PLAIN = {"background": 0, "inner": 1, "outer": 2}
REGIONS = {"background": 0, "whole": [1, 2], "core": 2}


@dataclass(frozen=True)
class Scan:
    """A case: truth and prediction (None: there is none) on one grid, in file order."""

    truth: np.ndarray
    prediction: np.ndarray | None
    affine: np.ndarray = field(default_factory=lambda: np.diag([1.0, 1.0, 3.0, 1.0]))
    prediction_affine: np.ndarray | None = None


def save(path: Path, voxels: np.ndarray, affine: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(voxels.astype(np.uint8), affine), path)


def run(
    folder: Path,
    scans: dict[str, Scan],
    labels: dict | None = None,
    order: list[int] | None = None,
    slice_axis: str | int = "coarsest",
    reorient: bool = False,
    slices: str = "all",
) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    """Write a dataset, evaluate it and read back the two tables and the summary."""
    for name, scan in scans.items():
        save(folder / f"imagesTr/{name}_0000.nii.gz", np.zeros(scan.truth.shape), scan.affine)
        save(folder / f"labelsTr/{name}.nii.gz", scan.truth, scan.affine)
        if scan.prediction is not None:
            affine = scan.affine if scan.prediction_affine is None else scan.prediction_affine
            save(folder / f"predictions/{name}.nii.gz", scan.prediction, affine)
    contents = {
        "dataset": {
            "channel_names": {"0": "MRI"},
            "labels": labels or PLAIN,
            "regions_class_order": order,
            "numTraining": len(scans),
            "file_ending": ".nii.gz",
        },
        "splits_final": [{}, {"train": [], "val": list(scans)}],
        "fingerprint": {"spacings": [[3.0, 1.0, 1.0]], "shapes_after_crop": [[8, 20, 20]]},
        "orientation": {"reorient": reorient, "orientation": "RAS", "orientations": {}},
    }
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    outputs = {
        "per_slice": folder / "out/per_slice.csv",
        "per_slice_parquet": folder / "out/per_slice.parquet",
        "per_case": folder / "out/per_case.csv",
        "summary": folder / "out/summary.json",
    }
    evaluate_fold.main(
        dataset_json=folder / "dataset.json",
        splits=folder / "splits_final.json",
        predictions=folder / "predictions",
        fingerprint=folder / "fingerprint.json",
        orientation=folder / "orientation.json",
        slice_axis=slice_axis,
        slices=slices,
        surface_tolerance_mm=1.0,
        dataset="toy",
        experiment="coarsest",
        fold=1,
        seed=7,
        **outputs,
    )
    tables = [pd.read_csv(outputs[name]) for name in ("per_slice", "per_case")]
    return *tables, json.loads(outputs["summary"].read_text())


def random_scan(seed: int, shape=(6, 7, 8), **grid) -> Scan:
    """Return a case of blocks of two classes, the prediction right in most voxels."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, size=shape)
    noise = random.integers(0, 3, size=shape)
    return Scan(truth, np.where(random.random(shape) < 0.8, truth, noise), **grid)


def bar(axis: int, start: int, stop: int, **grid) -> Scan:
    """Return a case with a structure from slice `start` up to `stop` across a file axis."""
    truth = np.zeros((6, 7, 8))
    np.moveaxis(truth, axis, 0)[start:stop, 2:5, 2:4] = 1
    return Scan(truth, truth, **grid)


def of_class(table: pd.DataFrame, name: str) -> pd.DataFrame:
    return table[table["class"] == name]


# Tables


def test_columns_are_those_of_the_contract_in_its_order(tmp_path):
    slices, cases, _ = run(tmp_path, {"a": random_scan(0)})
    assert (list(slices), list(cases)) == (SLICE_COLUMNS, CASE_COLUMNS)


def test_every_slice_and_class_has_a_row(tmp_path):
    slices, _, _ = run(tmp_path, {"b": random_scan(0), "a": random_scan(1, (4, 4, 5))})
    rows = list(slices[["case", "class", "label", "slice"]].itertuples(index=False, name=None))
    assert rows == [
        (case, name, label, index)
        for case, count in (("b", 8), ("a", 5))
        for label, name in enumerate(["inner", "outer"], start=1)
        for index in range(count)
    ]


def test_rows_name_the_run(tmp_path):
    for table in run(tmp_path, {"a": random_scan(0)})[:2]:
        runs = table[["dataset", "experiment", "fold", "seed"]].drop_duplicates()
        assert runs.to_numpy().tolist() == [["toy", "coarsest", 1, 7]]


@pytest.mark.parametrize("reading_axis", [0, 1, 2])
def test_counts_of_the_slices_add_up_to_the_case(tmp_path, reading_axis):
    slices, cases, _ = run(tmp_path, {"a": random_scan(0)}, slice_axis=reading_axis)
    summed = slices.groupby("label")[COUNTS].sum()
    np.testing.assert_array_equal(summed, cases.set_index("label")[COUNTS])


@pytest.mark.parametrize("reading_axis", [0, 1, 2])
def test_a_row_names_the_slice_in_the_axis_of_the_file(tmp_path, reading_axis):
    axis = ALONG[reading_axis]
    slices, _, _ = run(tmp_path, {"a": bar(axis, 4, 5)}, slice_axis=reading_axis)
    filled = slices[slices["tp"] > 0]
    assert filled[["axis", "slice"]].to_numpy().tolist() == [[axis, 4]]


@pytest.mark.parametrize(("codes", "axis"), [("SAR", 0), ("LIP", 1), ("RPI", 2)])
def test_a_plane_is_found_in_a_file_of_a_dataset_that_is_reoriented(tmp_path, codes, axis):
    letters = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
    affine = np.eye(4)
    affine[:3, :3] = 0
    for column, letter in enumerate(codes):
        world, sign = letters[letter]
        affine[world, column] = sign
    scan = bar(axis, 4, 5, affine=affine)
    slices, _, _ = run(tmp_path, {"a": scan}, slice_axis="axial", reorient=True)
    assert slices.loc[slices["tp"] > 0, ["axis", "slice"]].to_numpy().tolist() == [[axis, 4]]


def test_coarsest_slices_across_the_coarsest_target_spacing(tmp_path):
    slices, _, _ = run(tmp_path, {"a": random_scan(0)}, slice_axis="coarsest")
    assert set(slices["axis"]) == {2}


# Positions and sizes


@pytest.mark.parametrize(("axis", "step"), [(0, 1.5), (1, -1.0), (2, 4.0)])
def test_slices_of_an_oblique_volume_are_their_spacing_apart(tmp_path, axis, step):
    """Its second axis runs towards the patient's left, against the direction of the positions."""
    scan = random_scan(0, affine=OBLIQUE)
    slices, _, _ = run(tmp_path, {"a": scan}, slice_axis=ALONG[axis])
    steps = np.diff(of_class(slices, "inner")["position_mm"])
    np.testing.assert_allclose(steps, step, rtol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_position_is_that_of_the_slice_centre_along_the_normal(tmp_path, axis):
    scan = random_scan(0, affine=OBLIQUE)
    slices, _, _ = run(tmp_path, {"a": scan}, slice_axis=ALONG[axis])
    centre = [(n - 1) / 2 for n in scan.truth.shape]
    centre[axis] = 3
    towards = (1, -1, 1)[axis]
    normal = towards * OBLIQUE[:3, axis] / np.linalg.norm(OBLIQUE[:3, axis])
    row = of_class(slices, "inner").query("slice == 3").iloc[0]
    expected = normal @ nib.affines.apply_affine(OBLIQUE, centre)
    assert row["position_mm"] == pytest.approx(expected, rel=1e-5)


def test_the_position_falls_with_the_index_where_the_file_runs_downwards():
    stack = slice_stacks.stack_slices(np.diag([-1.0, -1.0, -2.0, 1.0]), (3, 3, 3), 2)
    np.testing.assert_allclose(stack.position_mm, [0, -2, -4])


def test_slices_of_a_sheared_volume_are_apart_along_their_normal():
    sheared = np.eye(4)
    sheared[:3, 2] = (0, 3, 4)
    stack = slice_stacks.stack_slices(sheared, (5, 5, 3), 2)
    np.testing.assert_allclose(stack.position_mm, [0, 4, 8])
    assert stack.voxel_mm3 == pytest.approx(4)


def test_relative_position_runs_over_the_true_structure_only(tmp_path):
    slices, _, _ = run(tmp_path, {"a": bar(2, 2, 7)})
    nan = np.nan
    expected = [nan, nan, 0, 0.25, 0.5, 0.75, 1, nan]
    np.testing.assert_array_equal(of_class(slices, "inner")["relative_position"], expected)


def test_relative_position_starts_at_the_inferior_end_of_a_file_stored_downwards():
    voxels = np.array([0, 3, 3, 3, 0])
    np.testing.assert_array_equal(
        scoring.relative_position(voxels, ascending=False), [np.nan, 1, 0.5, 0, np.nan]
    )


def test_relative_position_spans_a_gap():
    np.testing.assert_array_equal(
        scoring.relative_position(np.array([2, 0, 2]), ascending=True), [0, 0.5, 1]
    )


def test_relative_position_of_a_single_slice_is_in_the_middle(tmp_path):
    slices, _, _ = run(tmp_path, {"a": bar(2, 4, 5)})
    assert slices["relative_position"].dropna().tolist() == [0.5]


def test_areas_and_volumes_are_those_of_the_grid(tmp_path):
    slices, cases, _ = run(tmp_path, {"a": bar(2, 2, 7, affine=OBLIQUE)}, slice_axis=0)
    area = of_class(slices, "inner").query("slice == 2")["area_true_mm2"].item()
    volume = of_class(cases, "inner")["volume_predicted_ml"].item()
    assert (area, volume) == pytest.approx((6 * 1.5, 30 * 6 / 1000), rel=1e-5)


def test_distances_are_in_the_plane_for_a_slice_and_in_space_for_a_case(tmp_path):
    truth = np.zeros((12, 12, 8))
    truth[2:10, 2:10, 2:5] = 1
    scan = Scan(truth, np.roll(truth, 1, axis=2))
    slices, cases, _ = run(tmp_path, {"a": scan})
    both = slices[slices["status"] == "both"]
    assert both["hd95_mm"].tolist() == [0, 0]
    assert of_class(cases, "inner")["hd95_mm"].item() == 3


# Empty structures


def test_rows_say_which_mask_is_empty_and_keep_their_place(tmp_path):
    truth, prediction = np.zeros((2, 5, 5, 4))
    truth[1:4, 1:4, 1:3] = 1
    prediction[1:4, 1:4, 2:4] = 1
    slices, _, _ = run(
        tmp_path, {"a": Scan(truth, prediction)}, labels={"background": 0, "inner": 1}
    )
    expected = ["both_empty", "truth_only", "both", "prediction_only"]
    assert slices["status"].tolist() == expected
    np.testing.assert_array_equal(slices["dice"], [np.nan, 0, 1, 0])
    np.testing.assert_array_equal(slices["surface_dice"], [np.nan, 0, 1, 0])
    np.testing.assert_array_equal(slices["assd_mm"], [np.nan, np.nan, 0, np.nan])


# summary.json


def golden_labels(name: str) -> tuple[dict, list[int] | None]:
    """Return labels and regions_class_order behind a golden summary."""
    members, ignore = record.REGIONS.get(name, (record.LABELS.get(name), None))
    members = [list(member) if isinstance(member, tuple) else member for member in members]
    labels = {"background": 0, **{f"class {i}": member for i, member in enumerate(members)}}
    order = list(range(1, len(members) + 1)) if "regions" in name else None
    return labels | ({} if ignore is None else {"ignore": ignore}), order


@pytest.mark.parametrize("name", [*record.LABELS, *record.REGIONS])
def test_summary_is_nnunets_to_the_byte(tmp_path, name):
    labels, order = golden_labels(name)
    ignore = labels.get("ignore")
    pairs = [record.volumes(number, ignore) for number in range(len(record.CASES))]
    affine = np.diag([1.0, 1.5, 4.0, 1.0])
    scans = {
        case: Scan(*pair, affine=affine) for case, pair in zip(record.CASES, pairs, strict=True)
    }
    run(tmp_path, scans, labels, order)
    text = (tmp_path / "out/summary.json").read_text().replace(f"{tmp_path}/", "")
    assert text == (GOLDEN / name).read_text()


# Regions and the ignore label


def test_regions_are_scored_as_unions_of_their_labels(tmp_path):
    scan = random_scan(0)
    slices, cases, summary = run(tmp_path, {"a": scan}, REGIONS, [1, 2])
    assert slices["class"].unique().tolist() == ["whole", "core"]
    whole = of_class(cases, "whole").iloc[0]
    true, found = scan.truth > 0, scan.prediction > 0
    assert (whole["tp"], whole["fp"]) == ((true & found).sum(), (found & ~true).sum())
    assert list(summary["mean"]) == ["(1, 2)", "2"]


def test_ignored_voxels_count_in_no_score(tmp_path):
    scan = random_scan(0)
    ignored = scan.truth == 2
    known = Scan(np.where(ignored, 0, scan.truth), np.where(ignored, 0, scan.prediction))
    prediction = np.where(scan.prediction == 2, 1, scan.prediction)
    labels = {"background": 0, "inner": 1}
    found = run(tmp_path / "1", {"a": Scan(scan.truth, prediction)}, {**labels, "ignore": 2})
    prediction = np.where(ignored, 0, prediction)
    expected = run(tmp_path / "2", {"a": Scan(known.truth, prediction)}, labels)
    for table, other in zip(found[:2], expected[:2], strict=True):
        pd.testing.assert_frame_equal(table, other)


def test_a_slice_that_nobody_annotated_has_no_score(tmp_path):
    scan = bar(2, 1, 4)
    truth = scan.truth.copy()
    truth[..., 3:5] = 2
    labels = {"background": 0, "inner": 1, "ignore": 2}
    slices, _, _ = run(tmp_path, {"a": Scan(truth, scan.prediction)}, labels)
    assert slices["status"].tolist() == [
        *["both_empty", "both", "both", "ignored", "ignored"],
        *["both_empty"] * 3,
    ]
    assert slices.loc[slices["status"] == "ignored", ["dice", "hd95_mm"]].isna().all(axis=None)


# Chosen slices


def grown(**grid) -> Scan:
    """Return a case with a structure in slices 2 to 6 of 8, predicted one slice too high."""
    truth = np.zeros((6, 7, 8))
    truth[1:5, 1:5, 2:7] = 1
    return Scan(truth, np.roll(truth, 1, axis=2), **grid)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("foreground", [2, 3, 4, 5, 6]),
        ("central 3", [2, 3, 4]),
        ("every 3", [0, 3, 6]),
        ("3 to 12.5 mm", [1, 2, 3, 4]),
    ],
)
def test_only_chosen_slices_have_rows(tmp_path, text, expected):
    slices, _, _ = run(tmp_path, {"a": grown()}, slices=text)
    assert of_class(slices, "inner")["slice"].tolist() == expected
    assert of_class(slices, "outer")["slice"].tolist() == expected


@pytest.mark.parametrize("text", ["foreground", "central 3", "every 2", "3 to 12 mm"])
def test_chosen_slices_have_the_rows_they_have_among_all(tmp_path, text):
    """Relative position and every score: a slice that is left out changes nothing of the others."""
    every = run(tmp_path / "all", {"a": grown(), "b": random_scan(0)})[0]
    some = run(tmp_path / "some", {"a": grown(), "b": random_scan(0)}, slices=text)[0]
    unit = ["case", "class", "slice"]
    same = every.merge(some[unit], on=unit)
    pd.testing.assert_frame_equal(same[list(some)], some)


@pytest.mark.parametrize("text", ["foreground", "central 3", "every 2", "3 to 12 mm"])
def test_a_case_counts_the_voxels_of_its_chosen_slices_only(tmp_path, text):
    scan = random_scan(0)
    slices, cases, summary = run(tmp_path, {"a": scan}, slices=text)
    summed = slices.groupby("label")[COUNTS].sum()
    np.testing.assert_array_equal(summed, cases.set_index("label")[COUNTS])
    for row in cases.itertuples():
        assert row.volume_true_ml == pytest.approx((row.tp + row.fn) * 3 / 1000)
        found = summary["metric_per_case"][0]["metrics"][str(row.label)]
        assert [found[name.upper()] for name in COUNTS] == [row.tp, row.fp, row.fn]
        total = found["TN"] + row.tp + row.fp + row.fn
        assert total == 6 * 7 * slices["slice"].nunique()


def test_distances_of_a_case_are_those_of_a_scan_of_its_chosen_slices(tmp_path):
    scan = random_scan(0, shape=(6, 7, 9))
    kept = Scan(scan.truth[:, :, 2:7], scan.prediction[:, :, 2:7])
    chosen = run(tmp_path / "chosen", {"a": scan}, slices="central 5")[1]
    alone = run(tmp_path / "alone", {"a": kept})[1]
    pd.testing.assert_frame_equal(chosen, alone)


def test_a_prediction_beyond_the_foreground_does_not_count(tmp_path):
    _, cases, _ = run(tmp_path, {"a": grown()}, slices="foreground")
    row = of_class(cases, "inner").iloc[0]
    assert (row["tp"], row["fp"], row["fn"]) == (64, 0, 16)


def test_cases_of_slices_with_gaps_have_no_surface_distances(tmp_path):
    slices, cases, _ = run(tmp_path, {"a": grown()}, slices="every 2")
    surface = ["hd95_mm", "assd_mm", "surface_dice"]
    assert cases[surface].isna().all(axis=None)
    assert of_class(cases, "inner")["dice"].item() == pytest.approx(2 * 32 / (48 + 32))
    assert slices.loc[slices["status"] == "both", surface].notna().all(axis=None)


def test_a_case_with_ignored_slices_in_between_has_no_surface_distances(tmp_path):
    scan = grown()
    scan.truth[:, :, 4] = 2
    labels = {"background": 0, "inner": 1, "ignore": 2}
    _, cases, _ = run(tmp_path / "between", {"a": scan}, labels)
    assert cases[["hd95_mm", "assd_mm", "surface_dice"]].isna().all(axis=None)
    assert cases["dice"].notna().all()
    scan = grown()
    scan.truth[:, :, 7:] = 2
    _, cases, _ = run(tmp_path / "end", {"a": scan}, labels)
    assert cases[["hd95_mm", "assd_mm", "surface_dice"]].notna().all(axis=None)


def test_foreground_in_two_places_has_no_surface_distances(tmp_path):
    truth, prediction = np.zeros((2, 6, 7, 8))
    truth[1:4, 1:4, [1, 2, 5, 6]] = 1
    prediction[1:4, 1:4, 1:7] = 1
    _, cases, _ = run(tmp_path, {"a": Scan(truth, prediction)}, slices="foreground")
    row = of_class(cases, "inner").iloc[0]
    assert row["dice"] == 1
    assert np.isnan(row[["hd95_mm", "assd_mm", "surface_dice"]].astype(float)).all()


def test_a_fold_without_foreground_has_empty_scores(tmp_path, caplog):
    nothing = Scan(np.zeros((6, 7, 8)), np.ones((6, 7, 8)))
    slices, cases, _ = run(tmp_path, {"a": nothing}, slices="foreground")
    assert len(slices) == 0
    assert list(slices) == SLICE_COLUMNS
    assert cases["dice"].isna().all()
    assert "no slice of a is chosen by 'foreground'" in caplog.text


def test_a_case_without_chosen_slices_has_empty_scores_and_a_warning(tmp_path, caplog):
    scans = {"a": grown(), "b": Scan(np.zeros((6, 7, 8)), np.ones((6, 7, 8)))}
    with caplog.at_level(logging.INFO, "slicewise"):
        slices, cases, summary = run(tmp_path, scans, slices="foreground")
    assert set(slices["case"]) == {"a"}
    empty = cases[cases["case"] == "b"]
    assert empty[COUNTS].sum(axis=None) == 0
    assert empty[["dice", "iou", "hd95_mm", "surface_dice"]].isna().all(axis=None)
    alone = cases.loc[(cases["case"] == "a") & (cases["class"] == "inner"), "dice"].item()
    assert summary["mean"]["1"]["Dice"] == alone
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "no slice of b is chosen by 'foreground'" in warning.getMessage()
    assert "scored 5 of 16 slices of 2 cases" in caplog.messages


def test_slices_that_no_case_has_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"evaluation\.slices: found '100 to 200 mm'.*cases a;"):
        run(tmp_path, {"a": grown()}, slices="100 to 200 mm")
    assert not (tmp_path / "out").exists()


def test_slices_that_are_ignored_hold_no_foreground(tmp_path):
    scan = grown()
    scan.truth[:, :, 2] = 2
    labels = {"background": 0, "inner": 1, "ignore": 2}
    slices, _, _ = run(tmp_path, {"a": scan}, labels=labels, slices="foreground")
    assert slices["slice"].tolist() == [3, 4, 5, 6]


# What stops an evaluation


def test_a_missing_prediction_is_named(tmp_path):
    scans = {"a": random_scan(0), "b": Scan(np.zeros((4, 4, 4)), None)}
    with pytest.raises(ValueError, match=r"case b: .*no prediction, expected .*b\.nii\.gz"):
        run(tmp_path, scans)
    assert not (tmp_path / "out").exists()


def test_a_prediction_of_another_shape_is_named(tmp_path):
    truth = np.zeros((4, 5, 6))
    with pytest.raises(ValueError, match=r"case a: .*predictions.a\.nii\.gz.*4, 5, 7.*4, 5, 6"):
        run(tmp_path, {"a": Scan(truth, np.zeros((4, 5, 7)))})


def test_a_prediction_on_another_affine_is_named(tmp_path):
    truth = np.zeros((4, 5, 6))
    scan = Scan(truth, truth, prediction_affine=np.diag([-1.0, 1.0, 3.0, 1.0]))
    with pytest.raises(ValueError, match=r"case a: .*predictions.a\.nii\.gz.*affine.*expected"):
        run(tmp_path, {"a": scan})


def test_a_prediction_of_an_unknown_label_is_named(tmp_path):
    truth = np.zeros((4, 5, 6))
    with pytest.raises(ValueError, match=r"case a: .*predictions.a\.nii\.gz.*9"):
        run(tmp_path, {"a": Scan(truth, np.full((4, 5, 6), 9))})


# Files


def test_two_evaluations_write_the_same_bytes(tmp_path):
    written = []
    for _ in range(2):
        run(tmp_path, {"a": random_scan(0), "b": random_scan(1)})
        written.append([path.read_bytes() for path in sorted((tmp_path / "out").iterdir())])
    assert written[0] == written[1]


def test_scores_read_back_exactly(tmp_path):
    _, cases, _ = run(tmp_path, {"a": random_scan(0)})
    tp, fp, fn = (cases[name] for name in COUNTS)
    assert (cases["dice"] == 2 * tp / (2 * tp + fp + fn)).all()
