"""Scans packed for the slice explorer: what they hold, and how near it is to the files."""

import nibabel as nib
import numpy as np
import pytest

from explorer_pages import unpacked
from scans import ORIENTATIONS, affine_of, labels_of, write_case, write_json_of
from slicewise import packed_scans
from slicewise.dataset import open_dataset
from slicewise.files import write_nifti
from slicewise.labels import parse_labels
from slicewise.packed_scans import Stack, coarser, grey_levels, nearest_level, pack, structure_box
from slicewise.problems import BadInput


def stack_of(image, truth, *predictions):
    return Stack(image, truth, dict(enumerate(predictions)), 3, (4.0, 1.5, 1.0), "SPL")


@pytest.mark.parametrize("highest", [3, 300])
def test_a_block_holds_image_truth_and_predictions(highest):
    rng = np.random.default_rng(0)
    image = rng.integers(-50, 150, (4, 6, 7)).astype(np.float32)
    maps = [rng.integers(0, highest + 1, image.shape).astype(np.int16) for _ in range(3)]
    packed = pack(stack_of(image, *maps), 256)
    index, truth, found = unpacked(packed)
    np.testing.assert_array_equal(np.array(packed["levels"])[index], image)
    for read, given in zip((truth, *found), maps, strict=True):
        np.testing.assert_array_equal(read, given)


def test_an_image_of_few_values_keeps_them_all():
    image = np.float32([[[3, -7, 0.5], [3, 3, 1000]]])
    levels = grey_levels(image)
    assert levels.tolist() == [-7, 0.5, 3, 1000]
    np.testing.assert_array_equal(levels[nearest_level(image, levels)], image)


def ct(seed=0):
    """Return values like a CT's: air, soft tissue, some bone and metal."""
    rng = np.random.default_rng(seed)
    parts = [(-1000, 15, 60_000), (50, 40, 40_000), (700, 250, 3000), (20_000, 10, 5)]
    values = [rng.normal(mean, sd, n) for mean, sd, n in parts]
    return np.concatenate(values).astype(np.float32)


def test_grey_levels_are_close_where_voxels_are_many():
    """Equal steps over the same range would be 2500 / 255, 10 HU: a window of 400 would show 40."""
    image = ct()
    levels = grey_levels(image)
    assert len(levels) == 256
    assert (np.diff(levels) >= 0).all()
    tissue = (levels > -50) & (levels < 150)
    assert np.diff(levels[tissue]).max() < 5
    inside = image[(image > -50) & (image < 150)]
    assert np.abs(levels[nearest_level(inside, levels)] - inside).max() < 2.5


def test_a_block_says_where_values_lie_beyond_the_grey_levels():
    few = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    assert pack(stack_of(few, few.astype(np.int16)), 256)["clipped"] == [False, False]
    many = np.random.default_rng(0).normal(size=(2, 100, 100)).astype(np.float32)
    low, high = many.copy(), many.copy()
    low[low > 1], high[high < -1] = 1, -1  # so many voxels that one of the ends is theirs
    empty = np.zeros(many.shape, np.int16)
    said = [pack(stack_of(image, empty), 256)["clipped"] for image in (many, low, high)]
    assert said == [[True, True], [True, False], [False, True]]


def test_a_constant_image_with_a_speck_keeps_the_two_apart():
    image = np.zeros((3, 50, 50), np.float32)
    image[0, 0, :300] = np.linspace(5, 9, 50)
    levels = grey_levels(image + np.random.default_rng(0).normal(0, 1e-6, image.shape))
    assert levels[-1] > levels[0]


def test_the_box_is_that_of_all_maps_and_a_margin():
    truth, found = np.zeros((9, 30, 30), np.uint8), np.zeros((9, 30, 30), np.uint8)
    truth[3, 10:12, 5:7] = 1
    found[4, 15, 6] = 2
    box = structure_box((truth, found), (5.0, 1.0, 2.0), margin_mm=4)
    assert box == (slice(2, 6), slice(6, 20), slice(3, 9))


def test_without_structures_or_without_a_margin_nothing_is_cut():
    empty = np.zeros((2, 3, 4), np.uint8)
    whole = tuple(slice(0, size) for size in empty.shape)
    assert structure_box((empty,), (1, 1, 1), 0) == whole
    filled = empty.copy()
    filled[1, 1, 1] = 1
    assert structure_box((filled,), (1, 1, 1), None) == whole


def test_a_coarser_image_has_the_means_of_blocks():
    image = np.arange(2 * 5 * 4, dtype=np.float32).reshape(2, 5, 4)
    small, factors = coarser(image, 3)
    assert factors == (2, 2)
    assert small.shape == (2, 3, 2)
    assert small[0, 0, 0] == image[0, :2, :2].mean()
    assert small[1, 2, 1] == image[1, 4, 2:].mean()
    same, factors = coarser(image, 5)
    assert factors == (1, 1)
    assert same is image


def write_marked(folder, orientation):
    """Write a case in which the voxel furthest to R, A and S has a label and an intensity."""
    image = np.random.default_rng(0).normal(100, 5, (7, 8, 9))
    label = np.zeros(image.shape, np.uint8)
    corner = tuple(-1 if letter in "RAS" else 0 for letter in orientation)
    label[corner], image[corner] = 2, 900
    affine = affine_of(orientation, (1.0, 2.0, 3.0))
    write_case(folder, "case_000", [image], label, affine)
    write_nifti(folder / "found.nii.gz", nib.Nifti1Image(label, affine))
    return open_dataset(write_json_of(folder, 1)).case("case_000")


@pytest.mark.parametrize("orientation", ORIENTATIONS[::5])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_are_turned_whichever_way_they_are_stored(tmp_path, orientation, axis):
    case = write_marked(tmp_path, orientation)
    found = {1: tmp_path / "found.nii.gz"}
    stack = packed_scans.read_stack(case, labels_of(2), axis, found, None)
    slices, down, right = stack.towards
    # Down runs to P or I and right to L or P, so the corner at R, A and S is the first of them, ...
    assert down in "PI"
    assert right in "LP"
    # ... and along the slices it is where their index points.
    place = (-1 if slices in "RAS" else 0, 0, 0)
    for volume in (stack.truth, stack.predictions[1]):
        assert volume[place] == 2
        assert np.count_nonzero(volume) == 1
    assert stack.image[place] == 900
    along = dict(zip(orientation, (1.0, 2.0, 3.0), strict=True))
    opposite = dict(zip("RLAPSI", "LRPAIS", strict=True))
    expected = [along.get(letter, along.get(opposite[letter])) for letter in stack.towards]
    assert stack.spacing == pytest.approx(expected)


def test_the_first_slice_is_named_by_its_index_in_the_file(tmp_path):
    case = write_marked(tmp_path, "RAS")
    stack = packed_scans.read_stack(case, labels_of(2), 2, {}, 3.0)
    assert (stack.first, stack.truth.shape[0]) == (7, 2)


def test_voxels_that_nobody_annotated_are_background_in_both(tmp_path):
    case = write_marked(tmp_path, "RAS")
    labels = parse_labels({"background": 0, "class1": 1, "ignore": 2})
    found = nib.Nifti1Image(np.ones((7, 8, 9), np.uint8), nib.load(case.label).affine)
    write_nifti(tmp_path / "found.nii.gz", found)
    stack = packed_scans.read_stack(case, labels, 2, {0: tmp_path / "found.nii.gz"}, None)
    assert not stack.truth.any()
    assert np.count_nonzero(stack.predictions[0] == 0) == 1


def test_a_missing_prediction_is_named(tmp_path):
    case = write_marked(tmp_path, "RAS")
    with pytest.raises(BadInput, match=r"case case_000: .*none\.nii\.gz: found no prediction"):
        packed_scans.read_stack(case, labels_of(2), 2, {0: tmp_path / "none.nii.gz"}, None)
