"""The phantoms: repeatable, shaped like hearts, and averaged as thick slices are."""

import dataclasses
from functools import cache

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

import describe_phantoms
import make_phantoms
from slicewise import anatomy
from slicewise.randomness import generator

RIGHT, MYOCARDIUM, LEFT = 1, 2, 3
INDICES = (0, 1, 2)

seeds = st.integers(0, 2**32)


def draw(seed):
    """Return a random heart, its surroundings and its grid, as `main` draws them."""
    rng = generator(seed, "phantom", 0)
    heart = anatomy.draw_heart(rng)
    return heart, anatomy.draw_body(rng, heart), make_phantoms.draw_grid(rng, heart)


@cache
def fine_volume(seed):
    """Return signal, label and depth on all fine points of a heart that held its breath well."""
    heart, body, grid = draw(seed)
    grid = dataclasses.replace(grid, offsets=np.zeros_like(grid.offsets))
    rng = generator(seed, "texture")
    coarse, fine = (make_phantoms.smooth_field(rng, grid, scale) for scale in (7.0, 1.3))
    parts = []
    for index in range(grid.shape[2]):
        points, within = grid.points(index), grid.within(index)
        depth = anatomy.heart_axes(heart, points)[2]
        textures = coarse[..., within], fine[..., within]
        parts.append((*anatomy.fine_slice(heart, body, points, *textures), depth))
    return [np.concatenate(part, axis=2) for part in zip(*parts, strict=True)]


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """Return a function that writes a case once and returns the paths of image and label."""

    @cache
    def write(index, thick_axis="last", seed=1, attempt=0, spacing=None):
        folder = tmp_path_factory.mktemp("phantoms")
        paths = folder / f"{attempt}_0000.nii.gz", folder / f"{attempt}.nii.gz"
        make_phantoms.write_phantom(
            case=f"phantom_{index:03d}",
            index=index,
            seed=seed,
            thick_axis=thick_axis,
            spacing=spacing,
            image=paths[0],
            label=paths[1],
        )
        return paths

    return write


@pytest.fixture(scope="module", params=INDICES)
def label(request, make):
    """Return the label array of one of a few cases."""
    return np.asarray(nib.load(make(request.param)[1]).dataobj)


def test_same_seed_and_index_write_the_same_bytes(make):
    first, second = make(0), make(0, attempt=1)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@pytest.mark.parametrize("other", [{"index": 1}, {"index": 0, "seed": 2}])
def test_another_index_or_seed_writes_another_image(make, other):
    assert make(0)[0].read_bytes() != make(**other)[0].read_bytes()


def test_cases_made_in_between_change_nothing(make):
    before = make(2)[0].read_bytes()
    make(3), make(5)
    np.random.default_rng(0).normal()
    assert make(2, attempt=2)[0].read_bytes() == before


def test_image_is_int16_and_label_uint8_on_one_grid(make):
    image, label = (nib.load(path) for path in make(1))
    assert (image.get_data_dtype(), label.get_data_dtype()) == (np.int16, np.uint8)
    assert image.shape == label.shape
    np.testing.assert_array_equal(image.affine, label.affine)


def test_qform_and_sform_agree(make):
    header = nib.load(make(1)[0]).header
    assert (int(header["qform_code"]), int(header["sform_code"])) == (1, 1)
    np.testing.assert_allclose(header.get_qform(), header.get_sform(), atol=1e-3)


def test_intensities_use_the_range_of_a_scanner(make):
    image = np.asarray(nib.load(make(1)[0]).dataobj)
    assert image.min() >= 0
    assert 200 < np.percentile(image, 99) < 6000


def test_every_label_is_present(label):
    assert np.unique(label).tolist() == [0, RIGHT, MYOCARDIUM, LEFT]


def test_label_values_are_those_of_dataset_json():
    assert describe_phantoms.LABELS == {"background": 0, **anatomy.LABELS}


def test_slices_beyond_base_and_apex_hold_no_heart(label):
    assert not label[..., 0].any()
    assert not label[..., -1].any()


def test_ventricles_taper_to_the_apex(label):
    for value in (RIGHT, MYOCARDIUM, LEFT):
        areas = (label == value).sum(axis=(0, 1))
        areas = areas[areas > 0]
        assert areas[0] < areas[len(areas) // 2]


def test_right_ventricle_ends_before_the_apex(label):
    lowest = [np.argwhere(label == value)[:, 2].min() for value in (RIGHT, MYOCARDIUM)]
    assert lowest[0] > lowest[1]


def test_myocardium_is_a_closed_ring_below_the_base(label):
    left = label == LEFT
    slices = np.flatnonzero(left.any(axis=(0, 1)))
    for index in slices[:-2]:
        ring = ndimage.binary_fill_holes(label[..., index] == MYOCARDIUM)
        assert ring[left[..., index]].all()


@pytest.mark.parametrize("seed", [0, 1])
def test_myocardium_closes_over_the_apex(seed):
    label = fine_volume(seed)[1]
    columns = (label == LEFT).any(axis=2)
    lowest = np.argmax(label == LEFT, axis=2)[columns]
    np.testing.assert_array_equal(label[columns][np.arange(len(lowest)), lowest - 1], MYOCARDIUM)


@pytest.mark.parametrize("seed", [0, 1])
def test_nothing_above_the_valves_is_labelled(seed):
    _, label, depth = fine_volume(seed)
    assert not label[depth < 0].any()


def test_papillary_muscles_are_dark_and_belong_to_the_left_ventricle():
    signal, label, _ = fine_volume(0)
    left = signal[label == LEFT]
    assert np.median(left) == pytest.approx(1, abs=0.05)
    assert 0.02 < np.mean(left < 0.65) < 0.3


def test_blood_outside_the_ventricles_is_as_bright_as_inside():
    signal, label, _ = fine_volume(0)
    inside = np.percentile(signal[label == RIGHT], [10, 90])
    outside = (label == 0) & (signal > inside[0]) & (signal < inside[1])
    assert outside.sum() > 0.2 * (label == RIGHT).sum()


@given(seeds)
def test_slices_and_voxels_stay_within_their_ranges(seed):
    _, _, grid = draw(seed)
    columns, rows, slices = grid.shape
    assert 64 <= min(columns, rows) <= max(columns, rows) <= 84
    assert 8 <= slices <= 12
    assert 1.2 <= grid.spacing[0] == grid.spacing[1] <= 1.8
    assert 5 <= grid.spacing[2] <= 10


def within_image(heart, grid):
    """Say whether no ventricle reaches the border of an image in plane."""
    x, y, z = (grid.axis(axis)[::2] for axis in range(3))
    for points in (np.ix_(x[[0, -1]], y, z), np.ix_(x, y[[0, -1]], z)):
        frame = anatomy.heart_axes(heart, points)
        surface = anatomy.surfaces(heart, frame)
        for name in ("epicardium", "right_cavity"):
            if (surface[name][frame[2] > 0] <= 0).any():
                return False
    return True


@given(seeds)
def test_ventricles_lie_within_the_image(seed):
    heart, _, grid = draw(seed)
    assert within_image(heart, grid)


spacings = st.tuples(*[st.sampled_from([1.25, 2.5, 3.0, 8.0])] * 3)


@given(seeds, spacings)
def test_voxels_of_a_size_that_is_asked_for_hold_the_heart_and_a_margin(seed, spacing):
    heart, _, _ = draw(seed)
    grid = make_phantoms.draw_grid_of(np.random.default_rng(seed), heart, spacing)
    assert grid.spacing == spacing
    assert within_image(heart, grid)
    low, high = grid.axis(2)[[0, -1]]
    reach = make_phantoms.height(heart) / 2
    assert -15 < low + reach < -4
    assert 4 < high - reach < 14 + spacing[2]


def test_thin_slices_are_taken_in_one_breath_hold_and_thick_ones_each_in_its_own():
    heart, _, _ = draw(0)
    thin, thick = (
        make_phantoms.draw_grid_of(np.random.default_rng(0), heart, (1.5, 1.5, mm))
        for mm in (2.5, 8.0)
    )
    assert len(thin.offsets) == 1
    assert len(thick.offsets) == thick.shape[2]
    for axis in (0, 1):
        np.testing.assert_array_equal(thin.points(0)[axis], thin.points(9)[axis])
        assert (thick.points(0)[axis] != thick.points(5)[axis]).all()


def test_a_phantom_of_cubes_has_them_and_the_whole_heart(make):
    image, label = (nib.load(path) for path in make(0, spacing=(2.5, 2.5, 2.5)))
    np.testing.assert_allclose(nib.affines.voxel_sizes(image.affine), 2.5, rtol=1e-5)
    voxels = np.asarray(label.dataobj)
    assert np.unique(voxels).tolist() == [0, RIGHT, MYOCARDIUM, LEFT]
    for axis in range(3):
        assert not np.take(voxels, [0, -1], axis).any()


@given(seeds)
def test_oblique_affines_stay_closest_to_ras(seed):
    rng = np.random.default_rng(seed)
    _, _, grid = draw(seed)
    affine = make_phantoms.draw_affine(rng, grid)
    assert nib.aff2axcodes(affine) == ("R", "A", "S")
    np.testing.assert_allclose(nib.affines.voxel_sizes(affine), grid.spacing)
    assert np.degrees(np.arccos(affine[2, 2] / grid.spacing[2])) <= 25 + 1e-6


@given(
    arrays.arrays(np.float32, (4, 6, 6), elements=st.floats(0, 1, width=32)),
    st.sampled_from([(2, 2, 3), (2, 3, 1), (4, 1, 6), (1, 1, 1)]),
)
def test_average_is_the_mean_of_each_block(fine, factors):
    coarse = make_phantoms.average(fine, factors)
    a, b, c = factors
    expected = [
        [
            [fine[i : i + a, j : j + b, k : k + c].mean() for k in range(0, 6, c)]
            for j in range(0, 6, b)
        ]
        for i in range(0, 4, a)
    ]
    np.testing.assert_allclose(coarse, expected, atol=1e-6)


def test_majority_takes_the_label_with_the_largest_share():
    fine = np.array([[[0, 0, 1, 2, 2, 2], [0, 1, 1, 3, 3, 2]]], np.uint8)
    assert make_phantoms.majority(fine, (1, 2, 3)).tolist() == [[[0, 2]]]


@pytest.mark.parametrize("seed", [4])
def test_a_thick_slice_is_the_mean_of_the_thin_slices_within_it(seed):
    heart, body, thick = draw(seed)
    count = thick.factors[2]
    thin = dataclasses.replace(
        thick,
        shape=(*thick.shape[:2], thick.shape[2] * count),
        spacing=(*thick.spacing[:2], thick.spacing[2] / count),
        offsets=np.repeat(thick.offsets, count, axis=0),
        factors=(2, 2, 1),
    )
    images = [
        make_phantoms.scan(np.random.default_rng(seed), heart, body, grid)[0]
        for grid in (thick, thin)
    ]
    mean = make_phantoms.average(images[1], (1, 1, count))
    # A point that falls within rounding of a surface may change its tissue.
    assert np.mean(np.abs(images[0] - mean) > 1e-4) < 1e-3


def test_texture_has_unit_variance_and_the_scale_asked_for():
    _, _, grid = draw(0)
    field = make_phantoms.smooth_field(np.random.default_rng(0), grid, 2.0)
    assert field.std() == pytest.approx(1, abs=0.05)
    step = round(2.0 / (grid.spacing[0] / grid.factors[0]))
    distance = step * grid.spacing[0] / grid.factors[0]
    correlation = np.corrcoef(field[step:].ravel(), field[:-step].ravel())[0, 1]
    assert correlation == pytest.approx(np.exp(-(distance**2) / (4 * 2.0**2)), abs=0.05)


def test_noise_in_air_has_the_mean_and_deviation_of_rician_noise():
    air = make_phantoms.receive(np.random.default_rng(0), np.zeros((60, 60, 10), np.float32), 10)
    assert air.mean() / air.std() == pytest.approx(np.sqrt(np.pi / (4 - np.pi)), rel=0.02)


@pytest.mark.parametrize(("thick_axis", "position"), [("last", 2), ("first", 0), ("middle", 1)])
def test_thick_axis_is_where_it_was_asked_for(make, thick_axis, position):
    assert np.argmax(nib.load(make(0, thick_axis)[0]).header.get_zooms()) == position


@pytest.mark.parametrize("kind", [0, 1], ids=["image", "label"])
@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("thick_axis", ["first", "middle", "mixed"])
def test_storage_leaves_every_voxel_in_its_place_in_the_world(make, thick_axis, index, kind):
    last = nib.load(make(index)[kind])
    turned = nib.as_closest_canonical(nib.load(make(index, thick_axis)[kind]))
    np.testing.assert_array_equal(turned.dataobj, last.dataobj)
    np.testing.assert_allclose(turned.affine, last.affine, atol=1e-3)


def test_mixed_cases_differ_in_orientation(make):
    codes = {nib.aff2axcodes(nib.load(make(index, "mixed")[0]).affine) for index in INDICES}
    assert len(codes) > 1


@pytest.mark.parametrize("thick_axis", ["last", "first", "middle"])
def test_unmixed_cases_share_one_orientation(make, thick_axis):
    codes = {nib.aff2axcodes(nib.load(make(index, thick_axis)[0]).affine) for index in INDICES}
    assert len(codes) == 1


def test_an_unknown_thick_axis_is_named_with_its_case(tmp_path):
    with pytest.raises(ValueError, match=r"phantom_007.*'second'.*last, first, middle, mixed"):
        make_phantoms.write_phantom(
            case="phantom_007",
            index=7,
            seed=1,
            thick_axis="second",
            spacing=None,
            image=tmp_path / "image.nii.gz",
            label=tmp_path / "label.nii.gz",
        )
