"""What augmentation draws and does, as samples from nnU-Net and from ours, by two-sample tests.

nnU-Net's were recorded by golden/record_augment_draws.py: 40,000 draws, and 2,000 effects of each
transform on one patch. Ours have fixed seeds, so that no result changes between runs. The tests
share a false alarm rate of 1 % (Bonferroni). That each of them would notice is shown on draws and
effects changed as if a probability, a range, a dependence or a formula were a little off.
"""

from functools import cache

import numpy as np
import pytest
import torch
from torch.nn import functional

from augmentation import RECORDED_DRAWS as RECORDED
from golden.effects import BATCH
from parity import augmentation as parity
from slicewise import augment
from two_samples import threshold

SEED = 0
CLEARLY = 1e-9  # 6.1 standard errors; the threshold is at 4.2, so that other seeds would notice too
SAMPLES = (*parity.FIELDS, "chain", "pairs of transforms")
OF_CHANNELS = ("blur", "brightness", "contrast", "resolution", "inverted_gamma", "gamma")
OF_AXES = ("blur", "resolution")
MORE_OFTEN = 0.03
UPPER_ENDS = {  # where a range begins and ends, and where it ends when changed
    "rotation": (-np.pi, np.pi, 8 / 9 * np.pi),
    parity.ELONGATED: (-np.pi / 12, np.pi / 12, np.pi / 9),
    "scaling": (0.7, 1.4, 1.5),
    "noise": (0, 0.1, 0.115),
    "blur": (0.5, 1, 1.1),
    "brightness": (1, 1.25, 1.3),  # the half above 1
    "contrast": (1, 1.25, 1.3),
    "resolution": (0.5, 1, 0.95),
    "inverted_gamma": (1, 1.5, 1.6),
    "gamma": (1, 1.5, 1.6),
}


@cache
def ours():
    return parity.our_sample(SEED)


@cache
def all_checks():
    return parity.checks(ours(), RECORDED)


def drawn(name):
    """Return a copy of what ours drew for a transform, (draw, column), and where it applies."""
    table = ours()[f"drawn/{name}"].astype(float)
    return table, table != parity.NEUTRAL[name]


def is_noticed(checks):
    return min(check.p for check in checks) < CLEARLY


def is_noticed_in_draws(name, changed):
    return is_noticed(parity.draw_checks(name, changed, RECORDED[f"drawn/{name}"]))


# Ours and nnU-Net's


@pytest.mark.parametrize("name", SAMPLES)
def test_ours_and_those_of_nnunet_are_of_one_distribution(name):
    checks = [check for check in all_checks() if check.transform == name]
    assert checks
    assert [check for check in checks if check.p < threshold(len(all_checks()))] == []


# What would be noticed in draws


@pytest.mark.parametrize("name", UPPER_ENDS)
def test_a_probability_greater_by_003_is_noticed(name):
    table, applied = drawn(name)
    applied = applied.any(1)
    rng = np.random.default_rng(1)
    chosen = ~applied & (rng.random(len(table)) < MORE_OFTEN / (1 - applied.mean()))
    table[chosen] = table[rng.choice(np.flatnonzero(applied), chosen.sum())]
    assert is_noticed_in_draws(name, table)


@pytest.mark.parametrize("axis", [0, 1])
def test_mirroring_an_axis_more_often_by_003_is_noticed(axis):
    table, _ = drawn("mirroring")
    table[np.random.default_rng(1).random(len(table)) < 2 * MORE_OFTEN, axis] = 1
    assert is_noticed_in_draws("mirroring", table)


@pytest.mark.parametrize("name", UPPER_ENDS)
def test_another_upper_end_of_a_range_is_noticed(name):
    start, end, other_end = UPPER_ENDS[name]
    table, applied = drawn(name)
    stretched = start + (table - start) * (other_end - start) / (end - start)
    assert is_noticed_in_draws(name, np.where(applied & (table > start), stretched, table))


@pytest.mark.parametrize("name", OF_CHANNELS)
def test_equal_values_in_all_channels_are_noticed(name):
    table, applied = drawn(name)
    half = table.shape[1] // 2
    both = applied[:, :half] & applied[:, half:]
    table[:, half:] = np.where(both, table[:, :half], table[:, half:])
    assert is_noticed_in_draws(name, table)


@pytest.mark.parametrize("name", OF_AXES)
def test_choosing_all_channels_or_none_is_noticed(name):
    table, applied = drawn(name)
    rows = np.flatnonzero(applied[:, 0])
    table[:, 2:] = parity.NEUTRAL[name]
    table[rows, 2:] = table[np.random.default_rng(1).permutation(rows), :2]
    assert is_noticed_in_draws(name, table)


@pytest.mark.parametrize("name", OF_AXES)
def test_choosing_a_channel_more_often_by_005_is_noticed(name):
    table, applied = drawn(name)
    # Of the samples that a transform is drawn for, a quarter have it in the second channel only.
    rows = applied[:, 2] & ~applied[:, 0]
    rows &= np.random.default_rng(1).random(len(table)) < 4 * 0.05
    table[rows, :2] = table[rows, 2:]
    assert is_noticed_in_draws(name, table)


def test_equal_blur_along_both_axes_is_noticed():
    table, _ = drawn("blur")
    table[:, 1::2] = table[:, ::2]
    assert is_noticed_in_draws("blur", table)


def test_another_resolution_along_each_axis_is_noticed():
    table, applied = drawn("resolution")
    rows = np.flatnonzero(applied[:, 0])
    table[rows, 1] = table[np.random.default_rng(1).permutation(rows), 1]
    assert is_noticed_in_draws("resolution", table)


@pytest.mark.parametrize("name", parity.FIELDS)
def test_one_draw_for_a_whole_batch_is_noticed(name):
    table, _ = drawn(name)
    assert is_noticed_in_draws(name, table[::BATCH].repeat(BATCH, axis=0))


def test_transforms_that_exclude_one_another_are_noticed():
    _, inverted = drawn("inverted_gamma")
    table, _ = drawn("gamma")
    table[inverted.any(1)] = 1
    assert is_noticed(parity.pair_checks(ours() | {"drawn/gamma": table}, RECORDED))


def test_transforms_with_one_value_in_common_are_noticed():
    brightness, brightened = drawn("brightness")
    table, applied = drawn("contrast")
    table = np.where(brightened & applied, brightness, table)
    assert is_noticed(parity.pair_checks(ours() | {"drawn/contrast": table}, RECORDED))


# What would be noticed in effects


def without_statistics(planes, exponent, inverted=False):
    """Raise planes to an exponent and leave mean and standard deviation what they become."""
    sign = -1 if inverted else 1
    planes = sign * planes
    low = planes.amin((1, 2), keepdim=True)
    spread = planes.amax((1, 2), keepdim=True) - low
    return sign * (((planes - low) / spread) ** exponent[..., None] * spread + low)


def unclamped(planes, factor):
    mean = planes.mean((1, 2), keepdim=True)
    return (planes - mean) * factor[..., None] + mean


def added(planes, factor):
    return planes + factor[..., None] - 1


def averaged(planes, share):
    """Lower the resolution by averaging pixels instead of picking them."""
    new = [
        functional.interpolate(
            functional.interpolate(
                plane[None, None], [round(size * kept) for size in plane.shape], mode="area"
            ),
            plane.shape,
            mode="bilinear",
        )
        for plane, kept in zip(planes, share[:, 0].tolist(), strict=True)
    ]
    return torch.cat(new)[:, 0]


def repeated_border(image, grid):
    pairs = grid.permute(0, 2, 3, 1)
    return functional.grid_sample(image, pairs, padding_mode="border", align_corners=False)


MUTANTS = {
    "the border repeated": ("rotation", "resample_image", repeated_border),
    "scaled by the inverse": (
        "scaling",
        "sampling_grid",
        lambda angle, scale, *sizes, real=augment.sampling_grid: real(angle, 1 / scale, *sizes),
    ),
    "labels off by a fiftieth": (
        "rotation",
        "resample_label",
        lambda label, grid, real=augment.resample_label: real(label, 1.02 * grid),
    ),
    "rows taken for columns": (
        parity.ELONGATED,
        "sampling_grid",
        lambda *given, real=augment.sampling_grid: real(*given[:3], given[3][::-1]),
    ),
    "variance taken for deviation": (
        "noise",
        "add_noise",
        lambda image, std, seed, real=augment.add_noise: real(image, std**0.5, seed),
    ),
    "wider by a tenth": (
        "blur",
        "blur",
        lambda planes, sigma, real=augment.blur: real(planes, 1.1 * sigma),
    ),
    "added": ("brightness", "change_brightness", added),
    "beyond the range": ("contrast", "change_contrast", unclamped),
    "averaged": ("resolution", "lower_resolution", averaged),
    "not inverted": (
        "inverted_gamma",
        "change_gamma",
        lambda planes, exponent, inverted, real=augment.change_gamma: real(planes, exponent),
    ),
    "statistics not kept": ("gamma", "change_gamma", without_statistics),
    "both axes or none": (
        "mirroring",
        "mirror",
        lambda tensor, mirrored, real=augment.mirror: real(tensor, mirrored[:, [0, 0]]),
    ),
    "statistics not kept in the chain": ("chain", "change_gamma", without_statistics),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_another_formula_is_noticed(mutant, monkeypatch):
    name, function, other = MUTANTS[mutant]
    monkeypatch.setattr(augment, function, other)
    changed = parity.our_effect(SEED, name)
    assert is_noticed(parity.effect_checks(name, changed, RECORDED[f"effect/{name}"]))


# The live comparison, with a program in nnU-Net's place that hands out the recorded draws


def rows_of(folder, changes, monkeypatch):
    """Return the rows that are out of bound, and all, where nnU-Net's draws have some changes."""
    monkeypatch.setattr(parity, "our_sample", lambda seed: ours())
    np.savez(folder / "answer.npz", **(dict(RECORDED) | changes))
    program = folder / "python"
    program.write_text(f'#!/bin/sh\ncp "{folder}/answer.npz" "$2"\n', encoding="utf-8")
    program.chmod(0o755)
    rows = parity.compare(program, folder, None)
    return [row for row in rows if not row.largest <= row.bound], rows


def test_the_live_comparison_has_a_row_for_each_transform(tmp_path, monkeypatch):
    out_of_bound, rows = rows_of(tmp_path, {}, monkeypatch)
    assert len(rows) == len(SAMPLES)
    assert out_of_bound == []


def test_the_live_comparison_names_what_is_out_of_bound(tmp_path, monkeypatch):
    changes = {"drawn/mirroring": np.zeros_like(RECORDED["drawn/mirroring"])}
    (mirroring, pairs), _ = rows_of(tmp_path, changes, monkeypatch)
    assert mirroring.name.startswith("augmentation: mirroring")
    assert pairs.name.startswith("augmentation: pairs of transforms")
