"""The figure of the best, median and worst slices."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

import plot_gallery
from drawing import faults
from scans import affine_of, labels_of, volume, write_case, write_json_of
from scores import drawn_files, score_rows, write_scores
from slicewise import thickening
from slicewise.dataset import open_dataset
from slicewise.files import write_json, write_nifti
from slicewise.labels import parse_labels

CLASSES = ["class1", "class2"]


def write_dataset(folder, cases=2, orientation="RAS", spacing=(1, 1.5, 6), shape=(20, 24, 8)):
    """Write a raw dataset and predictions that miss one row of every structure."""
    for i in range(cases):
        image, label = volume(shape, seed=i)
        affine = affine_of(orientation, spacing)
        write_case(folder, f"case_{i:03d}", [image], label, affine)
        prediction = nib.Nifti1Image(np.roll(label, 1, axis=0), affine)
        write_nifti(folder / "predictions" / f"case_{i:03d}.nii.gz", prediction)
    return write_json_of(folder, cases)


def scored(experiment="coarsest", cases=2):
    """Return scores that fit the dataset: its structures lie in the slices 2 to 5."""
    table = score_rows(experiment, cases, CLASSES)
    outside = ~table["slice"].between(2, 5)
    table.loc[outside, ["dice", "relative_position"]] = np.nan
    table.loc[outside, "status"] = "both_empty"
    return table


def draw(folder, tables, experiments=("coarsest",)):
    write_json(folder / "orientation.json", {"reorient": False})
    plot_gallery.main(
        dataset_json=write_dataset(folder),
        orientation=folder / "orientation.json",
        per_slice=write_scores(folder, tables)["per_slice"],
        predictions=[folder / "predictions"] * len(tables),
        runs=[(name, 0, 0) for name in experiments],
        dataset="phantom",
        experiments=experiments,
        thickened=None,
        **drawn_files(folder),
    )
    return pd.read_csv(folder / "figure.csv")


def slices_of(dice, status="both", label=1, case="a"):
    return pd.DataFrame(
        {
            "experiment": "coarsest",
            "fold": 0,
            "seed": 0,
            "case": case,
            "label": label,
            "axis": 2,
            "slice": range(len(dice)),
            "dice": dice,
            "status": status,
        }
    )


def test_best_median_and_worst_are_chosen_by_dice():
    chosen = plot_gallery.choose(slices_of([0.5, 0.9, 0.1, 0.7, 0.6]), ["coarsest"])
    assert chosen["rank"].tolist() == ["best", "median", "worst"]
    assert chosen["slice"].tolist() == [1, 4, 2]
    assert chosen["slices"].tolist() == [5, 5, 5]


def test_the_dice_of_a_slice_is_the_mean_over_its_classes():
    both = pd.concat([slices_of([0.5, 0.9]), slices_of([0.9, np.nan], label=2)])
    ranked = plot_gallery.rank_slices(both)
    assert ranked["dice"].tolist() == pytest.approx([0.9, 0.7])


def test_slices_without_a_structure_are_not_shown():
    slices = slices_of([0.0, 0.4, np.nan], ["prediction_only", "truth_only", "both_empty"])
    assert plot_gallery.rank_slices(slices)["slice"].tolist() == [1]


def test_equal_slices_are_ordered_by_case_and_slice():
    slices = pd.concat([slices_of([0.5, 0.5], case="b"), slices_of([0.5, 0.5], case="a")])
    ranked = plot_gallery.rank_slices(slices)
    assert ranked[["case", "slice"]].to_numpy().tolist() == [["a", 0], ["a", 1], ["b", 0], ["b", 1]]


def test_without_slices_nothing_is_chosen():
    chosen = plot_gallery.choose(slices_of([np.nan], "both_empty"), ["coarsest"])
    assert chosen.empty
    assert faults(plot_gallery.draw(chosen, [], ["coarsest"])) == []


def voxel_towards(orientation, axis, side):
    """Return where the voxel furthest to `side` is shown: a slice with only it set."""
    letters = orientation[:axis] + orientation[axis + 1 :]
    plane = np.zeros((3, 3))
    opposite = dict(zip("RLAPSI", "LRPAIS", strict=True))
    along = next(i for i, letter in enumerate(letters) if side in (letter, opposite[letter]))
    index = [1, 1]
    index[along] = 2 if letters[along] == side else 0
    plane[tuple(index)] = 1
    return tuple(np.argwhere(plot_gallery.upright(plane, letters))[0])


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "ASR", "IRP", "PIL", "SAL"])
@pytest.mark.parametrize(
    ("plane", "top", "left"), [("SI", "A", "R"), ("AP", "S", "R"), ("LR", "S", "A")]
)
def test_slices_are_turned_as_radiologists_look_at_them(orientation, plane, top, left):
    axis = next(i for i, letter in enumerate(orientation) if letter in plane)
    assert voxel_towards(orientation, axis, top) == (0, 1)
    assert voxel_towards(orientation, axis, left) == (1, 0)


@pytest.mark.parametrize("orientation", ["RAS", "SPL"])
def test_the_spacing_goes_with_the_axes(tmp_path, orientation):
    json_path = write_dataset(tmp_path, 1, orientation, spacing=(1, 2, 4))
    case = open_dataset(json_path).case("case_000")
    shown = plot_gallery.read_slice(
        case, tmp_path / "predictions/case_000.nii.gz", labels_of(2), 1, 8
    )
    # Coronal or, stored SPL, along the second axis too: superior runs down the display.
    along = dict(zip(orientation, (1, 2, 4), strict=True))
    assert shown.spacing == (along["S"], along["R" if "R" in along else "L"])
    assert (shown.top, shown.left) == ("S", "R")


def test_truth_and_prediction_are_those_of_the_slice(tmp_path):
    json_path = write_dataset(tmp_path, 1)
    case = open_dataset(json_path).case("case_000")
    path = tmp_path / "predictions/case_000.nii.gz"
    shown = plot_gallery.read_slice(case, path, labels_of(2), axis=2, index=3)
    truth = np.asarray(nib.load(case.label).dataobj)[:, :, 3]
    predicted = np.asarray(nib.load(path).dataobj)[:, :, 3]
    assert np.array_equal(shown.truth, truth.T[::-1, ::-1])
    assert np.array_equal(shown.prediction, predicted.T[::-1, ::-1])


def test_ignored_voxels_are_background_in_both(tmp_path):
    case = open_dataset(write_dataset(tmp_path, 1)).case("case_000")
    path = tmp_path / "predictions/case_000.nii.gz"
    holding = int(np.argwhere(np.asarray(nib.load(case.label).dataobj) == 2)[0, 2])
    plain = plot_gallery.read_slice(case, path, labels_of(2), axis=2, index=holding)
    ignoring = parse_labels({"background": 0, "class1": 1, "ignore": 2})
    shown = plot_gallery.read_slice(case, path, ignoring, axis=2, index=holding)
    known = plain.truth != 2
    assert not known.all()
    np.testing.assert_array_equal(shown.truth, np.where(known, plain.truth, 0))
    np.testing.assert_array_equal(shown.prediction, np.where(known, plain.prediction, 0))


def test_a_prediction_on_another_grid_is_refused(tmp_path):
    case = open_dataset(write_dataset(tmp_path, 1)).case("case_000")
    path = tmp_path / "other.nii.gz"
    write_nifti(path, nib.Nifti1Image(np.zeros((2, 3, 4), np.uint8), np.eye(4)))
    with pytest.raises(ValueError, match=r"case_000: .*other\.nii\.gz has shape \(2, 3, 4\)"):
        plot_gallery.read_slice(case, path, labels_of(2), 2, 3)


def test_a_prediction_of_thick_slices_is_shown_on_the_thin_ones(tmp_path):
    case = open_dataset(write_dataset(tmp_path, 1)).case("case_000")
    thin = nib.load(case.label)
    affine, shape = thickening.thick_grid(thin.affine, thin.shape, 3, 2)
    path = tmp_path / "thick.nii.gz"
    thick = (np.arange(np.prod(shape)) % 3).reshape(shape).astype(np.uint8)
    write_nifti(path, nib.Nifti1Image(thick, affine))
    made = {"axis": 0, "factor": 3, "profile": "box"}
    shown = plot_gallery.read_slice(case, path, labels_of(2), 2, 4, thickened=made)
    expected = thickening.put_back(thick, labels_of(2), thin.shape[2], 3, 2)[:, :, 4]
    assert np.array_equal(shown.prediction, expected.T[::-1, ::-1])
    assert np.array_equal(shown.truth, np.asarray(thin.dataobj)[:, :, 4].T[::-1, ::-1])


def test_a_missing_prediction_is_refused(tmp_path):
    case = open_dataset(write_dataset(tmp_path, 1)).case("case_000")
    with pytest.raises(ValueError, match=r"case case_000: .*none\.nii\.gz is missing"):
        plot_gallery.read_slice(case, tmp_path / "none.nii.gz", labels_of(2), 2, 3)


def shown_slice(shape=(40, 60), spacing=(2.0, 1.0), box=(slice(10, 20), slice(30, 40))):
    truth = np.zeros(shape, int)
    truth[box] = 1
    return plot_gallery.Shown(np.zeros(shape), truth, truth * 0, spacing, "A", "R")


def test_the_window_is_square_in_mm_around_the_structures():
    rows, columns = plot_gallery.window(shown_slice(), side=30)
    assert np.diff(rows) * 2 == np.diff(columns) * 1 == 30
    assert rows.mean() == 14.5
    assert columns.mean() == 34.5


def test_the_window_stays_in_the_slice():
    shown = shown_slice(box=(slice(0, 2), slice(58, 60)))
    rows, columns = plot_gallery.window(shown, side=30)
    assert rows[0] == -0.5
    assert columns[1] == 59.5


def test_a_slice_narrower_than_the_window_is_centred():
    _, columns = plot_gallery.window(shown_slice(), side=70)
    assert columns.tolist() == [-5.5, 64.5]


def test_all_slices_of_an_experiment_share_the_largest_window():
    small, large = shown_slice(), shown_slice(box=(slice(10, 30), slice(0, 5)))
    assert plot_gallery.window_side([small, large]) == pytest.approx(1.4 * 40)


def test_the_window_is_no_larger_than_a_slice():
    whole = shown_slice(box=(slice(None), slice(None)))
    assert plot_gallery.window_side([whole]) == 80


def test_the_table_names_the_slices(tmp_path):
    table = draw(tmp_path, [scored()])
    assert table["rank"].tolist() == ["best", "median", "worst"]
    assert table["slices"].tolist() == [8, 8, 8]
    assert table["dice"].is_monotonic_decreasing


def test_slices_that_were_not_scored_are_not_shown(tmp_path):
    table = scored()
    draws = draw(tmp_path, [table[table["slice"] % 2 == 1]])
    assert set(draws["slice"]) <= {3, 5}
    assert draws["slices"].tolist() == [4, 4, 4]


def test_two_runs_give_the_same_bytes(tmp_path):
    draw(tmp_path / "1", [scored()])
    draw(tmp_path / "2", [scored()])
    for name in ("figure.svg", "figure.png", "figure.pdf", "figure.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


@pytest.mark.parametrize("experiments", [1, 3, 5])
def test_the_figure_can_be_read(experiments):
    names = [f"experiment_{i}" for i in range(experiments)]
    tables = pd.concat([slices_of([0.9, 0.5, 0.1]).assign(experiment=name) for name in names])
    chosen = plot_gallery.choose(tables.assign(case="patient_0123456789_visit_2"), names)
    assert faults(plot_gallery.draw(chosen, [shown_slice()] * len(chosen), names)) == []
