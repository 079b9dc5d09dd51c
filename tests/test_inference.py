import copy
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from golden.record_inference import FOLDER, PATCH_SIZE, PLANES, tiny_network
from slicewise import inference

# Logits of the recorded networks span about 30. In single precision nnU-Net's differ from ours by
# 6e-6 at most; its own half precision moves the median logit by 7e-4 and the worst by 0.026.
SINGLE_PRECISION = 1e-5
HALF_PRECISION_MEDIAN, HALF_PRECISION_WORST = 1e-3, 0.03


@pytest.fixture(scope="module")
def golden():
    with np.load(FOLDER / "logits.npz", allow_pickle=False) as recorded:
        return dict(recorded)


@pytest.fixture(scope="module")
def networks(golden):
    prefixes = [f"network_{i}/" for i in range(2)]
    return [
        tiny_network({k.removeprefix(p): v for k, v in golden.items() if k.startswith(p)})
        for p in prefixes
    ]


class Shift(nn.Module):
    """Returns a tile's own values moved one row down and one column right."""

    def forward(self, tile):
        return tile.roll((1, 1), dims=(2, 3))


def predict(volume, networks, **changes):
    arguments = {
        "patch_size": PATCH_SIZE,
        "mirroring": True,
        "tile_step": 0.5,
        "gaussian": True,
        "batch_size": 4,
        "device": torch.device("cpu"),
    }
    return inference.predict_logits(volume, networks, **(arguments | changes))


def random_volume(*shape):
    return np.random.default_rng(5).standard_normal(shape, dtype=np.float32)


def test_tile_starts_are_those_of_nnunet():
    rows = json.loads((FOLDER / "tile_starts.json").read_text())
    assert [inference.tile_starts(*row) for *row, _ in rows] == [starts for *_, starts in rows]


@given(
    tile=st.integers(1, 300),
    extra=st.integers(0, 1000),
    step=st.floats(0.05, 1, exclude_min=True),
)
def test_tiles_cover_an_axis_from_end_to_end(tile, extra, step):
    starts = inference.tile_starts(tile + extra, tile, step)
    assert starts[0] == 0
    assert starts[-1] == extra
    assert all(0 <= gap <= tile for gap in np.diff(starts))


@pytest.mark.parametrize("size", [0, 7])
def test_an_axis_shorter_than_the_tile_has_no_tiles(size):
    with pytest.raises(ValueError, match=f"axis of {size} voxels and a tile of 8"):
        inference.tile_starts(size, 8, 0.5)


@pytest.mark.parametrize("step", [0, -0.5, 1.01, float("nan")])
def test_tiles_step_by_more_than_nothing_and_at_most_themselves(step):
    with pytest.raises(ValueError, match="tile_step"):
        inference.tile_starts(20, 8, step)


def test_weights_are_those_of_nnunet_in_single_precision():
    with np.load(FOLDER / "gaussian.npz", allow_pickle=False) as recorded:
        for name in recorded:
            shape, precision = name.split("/")
            weights = inference.gaussian_weights([int(size) for size in shape.split("x")])
            # Half precision is coarsest for the faint corners: steps of 6e-8 at 1e-6.
            tolerance = {"rtol": 1e-6} if precision == "single" else {"rtol": 5e-4, "atol": 6e-8}
            np.testing.assert_allclose(weights, recorded[name], **tolerance)


@pytest.mark.parametrize("size", [1, 2, 3, 31, 320, 2048])
def test_no_weight_is_zero(size):
    weights = inference.gaussian_weights((size, size))
    assert weights.dtype == np.float32
    assert weights.min() > 1e-6
    assert weights.max() == weights[size // 2, size // 2] == 10


@pytest.mark.parametrize("mirroring", [False, True])
@pytest.mark.parametrize("plane", PLANES)
def test_logits_are_those_of_nnunet_in_single_precision(golden, networks, plane, mirroring):
    logits = predict(golden[f"volume/{plane}"], networks[:1], mirroring=mirroring)
    expected = golden[f"logits/{plane}/{'mirrored' if mirroring else 'plain'}/single"]
    np.testing.assert_allclose(logits, expected, rtol=0, atol=SINGLE_PRECISION)


@pytest.mark.parametrize("mirroring", [False, True])
@pytest.mark.parametrize("plane", PLANES)
def test_logits_are_those_of_nnunet_up_to_its_half_precision(golden, networks, plane, mirroring):
    logits = predict(golden[f"volume/{plane}"], networks[:1], mirroring=mirroring)
    expected = golden[f"logits/{plane}/{'mirrored' if mirroring else 'plain'}/half"]
    difference = np.abs(logits - expected.astype(np.float32))
    assert np.median(difference) < HALF_PRECISION_MEDIAN
    assert difference.max() < HALF_PRECISION_WORST


def test_tiles_without_gaussian_count_alike(golden, networks):
    logits = predict(golden["volume/larger"], networks[:1], gaussian=False)
    expected = golden["logits/larger/uniform/single"]
    np.testing.assert_allclose(logits, expected, rtol=0, atol=SINGLE_PRECISION)


def test_an_ensemble_is_that_of_nnunet(golden, networks):
    logits = predict(golden["volume/larger"], networks)
    expected = golden["logits/larger/ensemble/single"]
    np.testing.assert_allclose(logits, expected, rtol=0, atol=SINGLE_PRECISION)


def test_an_ensemble_is_the_mean_of_its_networks(networks):
    volume = random_volume(3, 2, 20, 15)
    mean = (predict(volume, networks[:1]) + predict(volume, networks[1:])) / 2
    np.testing.assert_allclose(predict(volume, networks), mean, rtol=0, atol=SINGLE_PRECISION)


@settings(max_examples=40)
@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    patch_size=st.tuples(st.integers(4, 24), st.integers(4, 24)),
    tile_step=st.floats(0.3, 1),
    batch_size=st.integers(1, 4),
)
def test_a_network_that_returns_its_input_gives_the_volume(
    rows, columns, patch_size, tile_step, batch_size
):
    volume = random_volume(3, 2, rows, columns)
    logits = predict(
        volume,
        [nn.Identity()],
        patch_size=patch_size,
        tile_step=tile_step,
        batch_size=batch_size,
    )
    expected = volume.transpose(1, 0, 2, 3)
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6)


def test_mirroring_averages_the_four_flips():
    volume = random_volume(1, 1, *PATCH_SIZE)
    shifts = [(rows, columns) for rows in (-1, 1) for columns in (-1, 1)]
    mean = np.mean([np.roll(volume, shift, axis=(2, 3)) for shift in shifts], axis=0)
    np.testing.assert_allclose(predict(volume, [Shift()]), mean, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("axes", "expected"), [((), 1), ((0,), 2), ((1,), 2), ((0, 1), 4), ((1, 0), 4)]
)
def test_a_network_is_mirrored_along_its_own_axes_only(axes, expected):
    seen = []

    class Watch(nn.Module):
        mirror_axes = axes

        def forward(self, tile):
            seen.extend(tile[:, 0].clone())
            return tile

    volume = random_volume(1, 1, *PATCH_SIZE)
    predict(volume, [Watch()])
    image = torch.from_numpy(volume[0, 0])
    allowed = [image, image.flip(0), image.flip(1), image.flip(0, 1)]
    kept = [
        flip
        for flip, used in zip(allowed, ((), (0,), (1,), (0, 1)), strict=True)
        if set(used) <= set(axes)
    ]
    assert len(seen) == len(kept) == expected
    assert all(map(torch.equal, seen, kept))


def test_networks_with_other_axes_count_alike(networks):
    """Each is averaged over its own mirrored forms first."""
    volume = random_volume(2, 2, *PATCH_SIZE)
    plain, mirrored = (predict(volume, networks[:1], mirroring=way) for way in (False, True))
    one = copy.deepcopy(networks[0])
    one.mirror_axes = ()
    both = predict(volume, [one, networks[0]])
    np.testing.assert_allclose(both, (plain + mirrored) / 2, atol=SINGLE_PRECISION)


def test_an_odd_voxel_of_padding_goes_after_the_slice():
    cut = inference.tiling((11, 13), PATCH_SIZE, 0.5, gaussian=True)
    assert cut.padding == ((2, 3), (0, 0))


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 100])
def test_logits_do_not_depend_on_the_batch_size(networks, batch_size):
    volume = random_volume(7, 2, 27, 31)
    logits = predict(volume, networks[:1], batch_size=batch_size)
    expected = predict(volume, networks[:1], batch_size=4)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=SINGLE_PRECISION)


def test_two_predictions_are_the_same_bytes(networks):
    volume = random_volume(5, 2, 27, 31)
    assert predict(volume, networks).tobytes() == predict(volume, networks).tobytes()


def test_slices_do_not_touch_each_other(networks):
    volume = random_volume(4, 2, 20, 20)
    alone = predict(volume[2:3], networks[:1])
    np.testing.assert_allclose(
        predict(volume, networks[:1])[:, 2:3], alone, rtol=0, atol=SINGLE_PRECISION
    )


def test_a_read_only_memory_map_is_read_and_left_as_it_was(tmp_path, networks):
    volume = random_volume(5, 2, 27, 31)
    np.save(tmp_path / "case.npy", volume)
    before = (tmp_path / "case.npy").read_bytes()
    mapped = np.load(tmp_path / "case.npy", mmap_mode="r", allow_pickle=False)
    np.testing.assert_array_equal(predict(mapped, networks[:1]), predict(volume, networks[:1]))
    assert (tmp_path / "case.npy").read_bytes() == before


def test_a_volume_in_memory_is_left_as_it_was(networks):
    volume = random_volume(5, 2, *PATCH_SIZE)
    before = volume.copy()
    predict(volume, [nn.Identity(), nn.LeakyReLU(0.5, inplace=True)])
    np.testing.assert_array_equal(volume, before)


@pytest.mark.parametrize(
    "view",
    [
        lambda volume: volume[::2, :, ::-1],
        lambda volume: volume.transpose(0, 1, 3, 2),
        lambda volume: np.asfortranarray(volume),
        lambda volume: volume.astype(np.float64),
        lambda volume: volume.astype(">f4"),
    ],
    ids=["strides", "transposed", "fortran", "double", "big_endian"],
)
def test_any_layout_of_a_volume_is_read(networks, view):
    volume = view(random_volume(5, 2, 27, 31))
    plain = np.ascontiguousarray(volume, np.float32)
    np.testing.assert_array_equal(predict(volume, networks[:1]), predict(plain, networks[:1]))


def test_networks_predict_in_evaluation_mode():
    volume = random_volume(2, 1, *PATCH_SIZE)
    logits = predict(volume, [nn.Dropout(0.9).train()])
    np.testing.assert_allclose(logits, volume.transpose(1, 0, 2, 3), rtol=1e-6)


def test_logits_are_single_precision_arrays_of_class_slice_row_column(networks):
    logits = predict(random_volume(5, 2, 27, 31), networks)
    assert logits.dtype == np.float32
    assert logits.shape == (3, 5, 27, 31)
    assert logits.flags.c_contiguous


@pytest.mark.parametrize(("batch_size", "expected"), [(1, 1), (3, 3), (6, 4), (8, 8), (100, 20)])
def test_a_network_sees_at_most_the_batch_size_at_once(batch_size, expected):
    """Five slices in four mirrored forms: forms of one slice, or all four of whole slices."""
    seen = []

    class Watch(nn.Module):
        def forward(self, tiles):
            seen.append(len(tiles))
            return tiles

    predict(random_volume(5, 1, *PATCH_SIZE), [Watch()], batch_size=batch_size)
    assert max(seen) == expected
    assert sum(seen) == 20


def test_without_a_batch_size_there_is_room_for_a_tile_of_any_size():
    volume = random_volume(3, 1, 110, 120)
    logits = predict(volume, [nn.Identity()], patch_size=(110, 120), batch_size=None)
    np.testing.assert_allclose(logits, volume.transpose(1, 0, 2, 3), rtol=1e-6)


def test_logits_do_not_depend_on_the_number_of_threads(networks):
    volume, before = random_volume(7, 2, 27, 31), torch.get_num_threads()
    found = set()
    try:
        for threads in (1, 2, 3, 7):
            torch.set_num_threads(threads)
            found.add(predict(volume, networks).tobytes())
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert len(found) == 1


def test_a_network_with_deep_supervision_is_refused():
    class Deep(nn.Module):
        def forward(self, tile):
            return [tile, tile[..., ::2, ::2]]

    with pytest.raises(ValueError, match="turn deep supervision off"):
        predict(random_volume(1, 1, *PATCH_SIZE), [Deep()])


def test_a_network_that_changes_the_size_is_refused():
    with pytest.raises(ValueError, match=r"\(1, 1, 8, 6\) for tiles of shape \(1, 1, 16, 12\)"):
        predict(random_volume(1, 1, *PATCH_SIZE), [nn.MaxPool2d(2)], mirroring=False)


def test_logits_that_are_not_finite_name_their_slices():
    volume = random_volume(8, 1, *PATCH_SIZE)
    volume[6, 0, 3, 3] = np.nan
    with pytest.raises(ValueError, match="slices 6 to 7"):
        predict(volume, [nn.Identity()], batch_size=8)


@pytest.mark.parametrize(
    ("shape", "changes", "message"),
    [
        ((2, 16, 12), {}, r"shape \(2, 16, 12\), expected \(slice, channel, row, column\)"),
        ((0, 1, 16, 12), {}, r"shape \(0, 1, 16, 12\)"),
        ((2, 1, 16, 12), {"patch_size": (4, 16, 12)}, "rows and columns"),
        ((2, 1, 16, 12), {"batch_size": 0}, "batch size of 0"),
        ((2, 1, 16, 12), {"networks": []}, "no network"),
    ],
)
def test_arguments_of_the_wrong_form_are_refused(shape, changes, message):
    networks = changes.pop("networks", [nn.Identity()])
    with pytest.raises(ValueError, match=message):
        predict(np.zeros(shape, np.float32), networks, **changes)
