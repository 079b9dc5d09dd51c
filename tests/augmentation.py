"""What the tests of the augmentation share: nnU-Net's recorded files and neutral draws."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch

from slicewise import augment

GOLDEN = Path(__file__).parent / "golden" / "augment"
RECORDED_DRAWS = np.load(GOLDEN.with_name("augment_draws.npz"), allow_pickle=False)
PATCH = (28, 20)
NEUTRAL = {
    "angle": 0,
    "scale": 1,
    "noise_std": 0,
    "blur_sigma": 0,
    "brightness": 1,
    "contrast": 1,
    "resolution": 1,
    "inverted_gamma": 1,
    "gamma": 1,
    "mirrored": False,
}


@cache
def recorded(name):
    """Return a golden file: JSON, or an array."""
    if name.endswith(".json"):
        return json.loads((GOLDEN / name).read_text(encoding="utf-8"))
    return np.load(GOLDEN / f"{name}.npy", allow_pickle=False)


def tensor(name):
    return torch.from_numpy(recorded(name).copy())


def golden_batch():
    return tensor("image"), tensor("label").to(torch.int16)


def golden_parameters():
    values = {name: np.array(values) for name, values in recorded("parameters.json").items()}
    return augment.Parameters(**values)


def nothing(batch_size, channels):
    """Return parameters that change nothing."""
    drawn = augment.draw(np.random.default_rng(0), batch_size, channels, PATCH)
    return replace(
        drawn,
        **{name: np.full_like(getattr(drawn, name), value) for name, value in NEUTRAL.items()},
    )


def center_crop(tensor, patch):
    """View the central patch of the last two axes."""
    row, column = augment.centre_start(tensor.shape[-2:], patch)
    return tensor[..., row : row + patch[0], column : column + patch[1]]


def augmented(image, label, parameters, patch, masked_channels):
    """Cut the centres of a batch of the initial patch size, and augment them.

    The batch itself stays as it is.
    """
    chosen = augment.resampled(parameters)
    wide = image[chosen], label[chosen]
    centre = [
        center_crop(each, patch).clone(memory_format=torch.contiguous_format)
        for each in (image, label)
    ]
    return augment.apply(*centre, wide, parameters, masked_channels)


def random_label(seed, batch_size, size, labels):
    """Return a label with -1 and values below `labels`, in blocks of about four pixels."""
    blocks = [-(-edge // 4) for edge in size]
    coarse = np.random.default_rng(seed).integers(-1, labels, (batch_size, *blocks))
    fine = coarse.repeat(4, 1).repeat(4, 2)[:, : size[0], : size[1]]
    return torch.from_numpy(np.ascontiguousarray(fine).astype(np.int16))
