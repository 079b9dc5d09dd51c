"""Augmentation against nnU-Net's by distribution: what is drawn, and what it does to a patch.

`compare` lets nnU-Net draw anew, for `make parity`; tests/test_augment_draws.py compares with the
draws that golden/record_augment_draws.py recorded. Every check is a two-sample test; one fails
below two_samples.threshold, a false alarm of 1 % over all of them together.
"""

import math
import os
import subprocess
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from augmentation import augmented
from golden.effects import (
    BATCH,
    LONG_PATCH,
    MASKED,
    MEASURES,
    PATCH,
    fixed_patch,
    measure,
    middle,
)
from parity.comparison import Comparison
from slicewise import augment
from slicewise.randomness import generator
from two_samples import Check, distributions, frequencies, threshold

RECORDER = Path(__file__).parents[1] / "golden" / "record_augment_draws.py"
LIVE_SEED = 1  # the recorded draws are those of seed 0
DRAWS, EFFECTS, CHANNELS = 50_000, 4_000, 2
ELONGATED = "rotation of an elongated patch"
FIELDS = {  # the field of augment.Parameters that holds a transform's values
    "rotation": "angle",
    "scaling": "scale",
    ELONGATED: "angle",
    "noise": "noise_std",
    "blur": "blur_sigma",
    "brightness": "brightness",
    "contrast": "contrast",
    "resolution": "resolution",
    "inverted_gamma": "inverted_gamma",
    "gamma": "gamma",
    "mirroring": "mirrored",
}
NEUTRAL = dict.fromkeys(FIELDS, 1.0) | dict.fromkeys(
    ("rotation", ELONGATED, "noise", "blur", "mirroring"), 0.0
)
Sample = Mapping[str, np.ndarray]


def patch_of(name: str) -> tuple[int, int]:
    """Return the size (row, column) of the patch that a transform is drawn for."""
    return LONG_PATCH if name == ELONGATED else PATCH


@cache
def our_parameters(seed: int, patch: tuple[int, int]) -> augment.Parameters:
    """Draw the augmentation of many batches of BATCH samples, as training does."""
    batches = [
        augment.draw(generator(seed, "augmentation", *patch, index), BATCH, CHANNELS, patch)
        for index in range(DRAWS // BATCH)
    ]
    return augment.Parameters(
        **{
            field.name: np.concatenate([getattr(batch, field.name) for batch in batches])
            for field in fields(augment.Parameters)
        }
    )


def table(parameters: augment.Parameters, name: str) -> np.ndarray:
    """Return the values of a transform as nnU-Net's are recorded: (draw, column) float16.

    One share of the resolution is for both axes, and one strength of noise for all channels.
    """
    values = getattr(parameters, FIELDS[name]).astype(np.float16)
    repeated = {"noise": CHANNELS, "resolution": 2}.get(name, 1)
    return values.reshape(len(values), -1).repeat(repeated, axis=1)


def only(parameters: augment.Parameters, name: str) -> augment.Parameters:
    """Return parameters in which no other transform applies."""
    still = {
        FIELDS[other]: np.full_like(getattr(parameters, FIELDS[other]), NEUTRAL[other])
        for other in FIELDS
        if FIELDS[other] != FIELDS[name]
    }
    return replace(parameters, **still)


def first(parameters: augment.Parameters, chosen: np.ndarray) -> augment.Parameters:
    """Return the first EFFECTS of the samples that are chosen (draw,)."""
    index = np.flatnonzero(chosen)[:EFFECTS]
    return augment.Parameters(
        **{field.name: getattr(parameters, field.name)[index] for field in fields(parameters)}
    )


def our_effect(seed: int, name: str) -> np.ndarray:
    """Measure what a transform, or the "chain" of all, does to the fixed patch, (measure, draw)."""
    patch = patch_of(name)
    parameters = our_parameters(seed, patch)
    if name == "chain":
        parameters = first(parameters, np.ones(len(parameters.angle), bool))
    else:
        applied = (table(parameters, name) != NEUTRAL[name]).any(1)
        # A patch may also be mirrored along no axis: nnU-Net's mirroring always applies.
        parameters = only(first(parameters, applied | (name == "mirroring")), name)
    spatial = name in ("rotation", ELONGATED, "scaling", "chain")
    image, label = fixed_patch(augment.initial_patch_size(patch) if spatial else patch)
    draws = len(parameters.angle)
    found, found_label = augmented(
        torch.from_numpy(image).expand(draws, -1, -1, -1),
        torch.from_numpy(label).expand(draws, -1, -1),
        parameters,
        patch,
        MASKED if name == "chain" else (False,) * CHANNELS,
    )
    return measure(found.numpy(), found_label.numpy(), middle(image, patch), middle(label, patch))


def our_sample(seed: int) -> dict[str, np.ndarray]:
    """Return our draws and their effects under the names of nnU-Net's recorded ones."""
    drawn = {f"drawn/{name}": table(our_parameters(seed, patch_of(name)), name) for name in FIELDS}
    return drawn | {f"effect/{name}": our_effect(seed, name) for name in (*FIELDS, "chain")}


def draw_checks(name: str, ours: np.ndarray, theirs: np.ndarray) -> list[Check]:
    """Compare the values of a transform, tables (draw, column) of ours and of nnU-Net's.

    Where it applies, over columns and over the samples of a batch; its values there; and how the
    values of two columns, or of two samples of a batch, depend on one another.
    """
    both = ours.astype(float), theirs.astype(float)
    applied = [values != NEUTRAL[name] for values in both]
    columns = ours.shape[1]
    codes = [where @ (1 << np.arange(columns)) for where in applied]
    in_batches = [where.any(1).reshape(-1, BATCH).sum(1) for where in applied]
    found = {
        "columns that it applies to": frequencies(*codes),
        "samples of a batch that it applies to": frequencies(*in_batches),
    }

    def differences(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return (first - second)[(first != NEUTRAL[name]) & (second != NEUTRAL[name])]

    for column in range(columns):
        each = [
            values[where[:, column], column] for values, where in zip(both, applied, strict=True)
        ]
        found[f"values in column {column}"] = distributions(*each)
        neighbours = [differences(values[::2, column], values[1::2, column]) for values in both]
        found[f"neighbours in column {column}"] = distributions(*neighbours)
        if column:
            apart = [differences(values[:, 0], values[:, column]) for values in both]
            found[f"differences of columns 0 and {column}"] = distributions(*apart)
    return [Check(name, what, *result) for what, result in found.items()]


def pair_checks(ours: Sample, theirs: Sample) -> list[Check]:
    """Compare how any two transforms occur together, and how their values differ where they do."""
    checks = []
    for one, other in combinations([name for name in FIELDS if name != ELONGATED], 2):
        codes, apart = [], []
        for sample in (ours, theirs):
            a, b = (sample[f"drawn/{name}"].astype(float) for name in (one, other))
            applied = (a != NEUTRAL[one]).any(1), (b != NEUTRAL[other]).any(1)
            codes.append(applied[0] + 2 * applied[1])
            apart.append((a[:, 0] - b[:, 0])[applied[0] & applied[1]])
        checks += [
            Check("pairs of transforms", f"{one} with {other}", *frequencies(*codes)),
            Check("pairs of transforms", f"{one} minus {other}", *distributions(*apart)),
        ]
    return checks


def effect_checks(name: str, ours: np.ndarray, theirs: np.ndarray) -> list[Check]:
    """Compare each measure of the patches that a transform makes, (measure, draw) of both."""
    both = zip(MEASURES, ours.astype(float), theirs.astype(float), strict=True)
    return [Check(name, f"effect: {what}", *distributions(*rows)) for what, *rows in both]


def checks(ours: Sample, theirs: Sample) -> list[Check]:
    """Compare two samples, as our_sample and golden/record_augment_draws.py make them."""
    found = []
    for name in FIELDS:
        found += draw_checks(name, ours[f"drawn/{name}"], theirs[f"drawn/{name}"])
        found += effect_checks(name, ours[f"effect/{name}"], theirs[f"effect/{name}"])
    found += effect_checks("chain", ours["effect/chain"], theirs["effect/chain"])
    return found + pair_checks(ours, theirs)


def worst_of_each(found: list[Check]) -> list[Check]:
    """Return the check with the smallest p value of every transform."""
    worst = {}
    for check in found:
        if check.transform not in worst or check.p < worst[check.transform].p:
            worst[check.transform] = check
    return list(worst.values())


def compare(oracle_python: Path, folder: Path, data: Path | None) -> list[Comparison]:
    """Return a row for each transform: the smallest of its p values, as -log10, and its bound.

    nnU-Net draws in its own environment, into `folder`. `data` is not needed: the patch is in
    golden/augment.
    """
    file = folder / "draws.npz"
    paths = dict.fromkeys(("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"), str(folder))
    command = [oracle_python, RECORDER, file, str(LIVE_SEED)]
    subprocess.run(command, check=True, env=os.environ | paths)
    with np.load(file, allow_pickle=False) as theirs:
        found = checks(our_sample(LIVE_SEED), theirs)
    return [
        Comparison(
            f"augmentation: {check.transform.replace('_', ' ')} ({check.statistic:.3g})",
            -math.log10(max(check.p, 1e-300)),
            -math.log10(threshold(len(found))),
            f"-log10 p, {check.what}",
        )
        for check in worst_of_each(found)
    ]
