"""Predictions of thick slices scored on the thin ones, and what they can reach there."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

import evaluate_fold
import score_ceiling
from scans import affine_of, labels_of, write_case, write_json_of
from slicewise import thickening
from slicewise.dataset import open_dataset
from slicewise.files import read_json, write_json, write_nifti

THICKENED = {"of": "thin", "axis": 0, "factor": 4, "profile": "box"}
SHAPE = (7, 8, 14)
SPACING = (1.0, 1.5, 2.0)


def ball(centre=(3, 4, 5.2), radius=4.0):
    """Return a label map (i, j, k): a ball with a core."""
    points = np.indices(SHAPE) - np.reshape(centre, (3, 1, 1, 1))
    distance = np.sqrt((points**2).sum(axis=0))
    return (distance < radius).astype(np.uint8) + (distance < radius / 2)


@pytest.fixture
def thin(tmp_path):
    """Write a dataset of two scans with thin slices, stored in different orientations."""
    for name, orientation in (("a", "RAS"), ("b", "LSP")):
        image = np.ones(SHAPE, np.float32)
        write_case(tmp_path, name, [image], ball(), affine_of(orientation, SPACING))
    path = write_json_of(tmp_path, 2)
    write_json(tmp_path / "splits_final.json", [{"train": [], "val": ["a", "b"]}])
    write_json(tmp_path / "orientation.json", {"reorient": False})
    prints = {"spacings": [[2.0, 1.5, 1.0]], "shapes_after_crop": [[14, 8, 7]]}
    write_json(tmp_path / "fingerprint.json", prints)
    return path


def predict(folder, thick, name="a", orientation="RAS"):
    """Write a prediction on the thick grid of a case."""
    affine, shape = thickening.thick_grid(affine_of(orientation, SPACING), SHAPE, 4, 2)
    assert thick.shape == shape
    write_nifti(folder / f"predictions/{name}.nii.gz", nib.Nifti1Image(thick, affine))


def evaluate(folder, **settings):
    outputs = {name: folder / f"{name}.csv" for name in ("per_slice", "per_case")}
    evaluate_fold.main(
        **{
            "dataset_json": folder / "dataset.json",
            "splits": folder / "splits_final.json",
            "predictions": folder / "predictions",
            "fingerprint": folder / "fingerprint.json",
            "orientation": folder / "orientation.json",
            "slice_axis": 0,
            "slices": "all",
            "surface_tolerance_mm": 1.0,
            "dataset": "thick",
            "experiment": "coarsest",
            "fold": 0,
            "seed": 0,
            "thickened": THICKENED,
            **settings,
        },
        **outputs,
        per_slice_parquet=folder / "per_slice.parquet",
        summary=folder / "summary.json",
    )
    return [pd.read_csv(path) for path in outputs.values()]


def thick_truth():
    weights = thickening.profile_weights(SHAPE[2], 4, "box")
    return thickening.thicken_label(ball(), labels_of(2), weights, 2)


def write_both(folder, thick):
    predict(folder, thick)
    predict(folder, thick, "b", "LSP")


def test_a_thick_prediction_is_scored_slice_by_slice_of_the_thin_ones(thin):
    write_both(thin.parent, thick_truth())
    slices, cases = evaluate(thin.parent)
    of_a = slices[(slices["case"] == "a") & (slices["class"] == "class1")]
    assert of_a["slice"].tolist() == list(range(14))
    assert of_a["position_mm"].tolist() == [11.0 + 2.0 * k for k in range(14)]
    truth = ball()
    found = np.repeat(thick_truth(), 4, axis=2)[:, :, 1:15]
    for value, name in ((1, "class1"), (2, "class2")):
        both = ((truth == value) & (found == value)).sum()
        total = (truth == value).sum() + (found == value).sum()
        row = cases[(cases["case"] == "a") & (cases["class"] == name)].iloc[0]
        assert row["dice"] == pytest.approx(2 * both / total)
        assert row["volume_true_ml"] == pytest.approx((truth == value).sum() * 3 / 1000)


def test_summary_names_the_labels_of_the_thin_slices(thin):
    write_both(thin.parent, thick_truth())
    evaluate(thin.parent)
    first = read_json(thin.parent / "summary.json")["metric_per_case"][0]
    assert first["reference_file"] == str(thin.parent / "labelsTr/a.nii.gz")
    assert sum(first["metrics"]["1"][n] for n in ("TP", "FP", "FN", "TN")) == np.prod(SHAPE)


def test_a_prediction_on_another_grid_is_named(thin):
    write_both(thin.parent, thick_truth())
    image = nib.Nifti1Image(ball(), affine_of("RAS", SPACING))
    write_nifti(thin.parent / "predictions/a.nii.gz", image)
    with pytest.raises(ValueError, match=r"case a: .*found shape \(7, 8, 14\), expected \(7, 8, 4"):
        evaluate(thin.parent)


def ceiling(folder, **settings):
    score_ceiling.main(
        **{
            "dataset_json": folder / "dataset.json",
            "fingerprint": folder / "fingerprint.json",
            "orientation": folder / "orientation.json",
            "cases": ["a", "b"],
            "thickened": THICKENED,
            "slice_axis": 0,
            "slices": "all",
            "surface_tolerance_mm": 1.0,
            "dataset": "thick",
            **settings,
        },
        ceiling=folder / "ceiling.csv",
    )
    return pd.read_csv(folder / "ceiling.csv")


@pytest.mark.parametrize("slices", ["all", "foreground"])
def test_the_ceiling_is_what_a_prediction_without_a_mistake_scores(thin, slices):
    write_both(thin.parent, thick_truth())
    _, scored = evaluate(thin.parent, slices=slices)
    found = ceiling(thin.parent, slices=slices)
    pd.testing.assert_frame_equal(found, scored.drop(columns=["experiment", "fold", "seed"]))
    assert (found["dice"] < 1).all()


def test_of_structures_without_a_change_along_the_axis_all_is_left(thin):
    found = ceiling(thin.parent, thickened={**THICKENED, "axis": 2, "factor": 2})
    label = np.zeros(SHAPE, np.uint8)
    label[:, 2:5, 3:9] = 1
    for name, orientation in (("a", "RAS"), ("b", "LSP")):
        affine = affine_of(orientation, SPACING)
        write_nifti(thin.parent / f"labelsTr/{name}.nii.gz", nib.Nifti1Image(label, affine))
    whole = ceiling(thin.parent, thickened={**THICKENED, "axis": 2, "factor": 2})
    assert whole[whole["class"] == "class1"]["dice"].tolist() == [1.0, 1.0]
    assert (found["dice"] < 1).all()


def test_the_thicker_the_slices_the_lower_the_ceiling(thin):
    means = [
        ceiling(thin.parent, thickened={**THICKENED, "factor": factor})["dice"].mean()
        for factor in (2, 4, 7, 14)
    ]
    assert means == sorted(means, reverse=True)
    assert means[0] > 0.8 > means[-1]


def test_what_nobody_annotated_lowers_no_ceiling(thin):
    """Where most of a slab is ignored a network may still be right about the rest."""
    content = read_json(thin)
    write_json(thin, content | {"labels": content["labels"] | {"ignore": 3}})
    label = np.zeros(SHAPE, np.uint8)
    label[2:5, 2:5, 3:9] = 1
    label[..., [0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13]] = 3
    for name, orientation in (("a", "RAS"), ("b", "LSP")):
        affine = affine_of(orientation, SPACING)
        write_nifti(thin.parent / f"labelsTr/{name}.nii.gz", nib.Nifti1Image(label, affine))
    assert open_dataset(thin).labels.ignore == 3
    of_class = ceiling(thin.parent)
    assert of_class[of_class["class"] == "class1"]["dice"].tolist() == [1.0, 1.0]
