"""Intensity augmentation of planes: noise, blur, brightness, contrast, resolution, gamma.

Planes have shape (n, row, column), float32, each with its own strength. All but `add_noise`, which
works in place, return the new planes and may overwrite those given. Nothing here is random but the
noise, which has a seed.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

SMALLEST_SPREAD = 1e-7  # keeps gamma from dividing by the range of a constant image


def add_noise(image: torch.Tensor, std: np.ndarray, seed: np.ndarray) -> None:
    """Add Gaussian noise to the samples with std (batch,) > 0, each from a seed of its own.

    image has shape (batch, channel, row, column). Fields are drawn on the CPU, so that a GPU gets
    the same ones.
    """
    generator = torch.Generator()
    for sample in np.flatnonzero(std):
        generator.manual_seed(int(seed[sample]))
        noise = torch.randn(image.shape[1:], generator=generator)
        image[sample].add_(noise.to(image.device), alpha=float(std[sample]))


def blur(planes: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Blur with Gaussians of sigma (n, 2: row, column) pixels.

    Kernels reach floor(3 sigma + 0.25) pixels to either side, which is blur_dimension's rule (the
    odd size nearest to 6 sigma + 0.5), over borders that are reflected.
    """
    reach = (3 * sigma + 0.25).floor()
    radii = [int(radius) for radius in reach.amax(0).tolist()]
    distance = torch.arange(max(radii) + 1, device=planes.device)
    weight = torch.exp(-0.5 * (distance / sigma[..., None]) ** 2) * (distance <= reach[..., None])
    weight = (weight / (2 * weight.sum(2, keepdim=True) - 1))[..., None, None]
    for axis, radius in zip((1, 2), radii, strict=True):
        size = planes.shape[axis]
        padding = (0, 0, radius, radius) if axis == 1 else (radius, radius, 0, 0)
        # Nothing is left to reflect where the kernel reaches past the whole plane.
        mode = "reflect" if radius < size else "replicate"
        padded = functional.pad(planes, padding, mode=mode)
        planes.mul_(weight[:, axis - 1, 0])
        for step in range(1, radius + 1):
            both_sides = padded.narrow(axis, radius - step, size) + padded.narrow(
                axis, radius + step, size
            )
            planes.addcmul_(both_sides, weight[:, axis - 1, step])
    return planes


def change_brightness(planes: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Multiply each plane by a factor (n, 1)."""
    return planes.mul_(factor[..., None])


def change_contrast(planes: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Stretch each plane about its mean by a factor (n, 1), within its range."""
    pixels = planes.flatten(1)
    mean = pixels.mean(1, keepdim=True)
    low, high = pixels.amin(1, keepdim=True), pixels.amax(1, keepdim=True)
    pixels.sub_(mean).mul_(factor).add_(mean)
    torch.maximum(pixels, low, out=pixels)  # clamp takes eight times as long with a bound per plane
    torch.minimum(pixels, high, out=pixels)
    return planes


def lower_resolution(planes: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Keep a share (n, 1) of the rows and columns of each plane, then interpolate.

    One by one, since sizes differ, which is faster than gathering all at once with index maps.
    """
    for plane, kept in zip(planes, share[:, 0].tolist(), strict=True):
        small = [max(1, round(size * kept)) for size in plane.shape]
        coarse = functional.interpolate(plane[None, None], small, mode="nearest-exact")
        plane.copy_(functional.interpolate(coarse, plane.shape, mode="bilinear")[0, 0])
    return planes


def change_gamma(
    planes: torch.Tensor, exponent: torch.Tensor, inverted: bool = False
) -> torch.Tensor:
    """Raise each plane, scaled to 0..1, to an exponent (n, 1).

    Mean and standard deviation stay what they were. `inverted` works on the negative image.
    """
    pixels = planes.flatten(1)
    low, high = pixels.amin(1, keepdim=True), pixels.amax(1, keepdim=True)
    start, spread = (high, low - high) if inverted else (low, high - low)
    pixels.sub_(start).div_(spread.abs().clamp(min=SMALLEST_SPREAD).copysign(spread))
    mean, std = _statistics(pixels)
    _log2_(pixels).mul_(exponent).exp2_()  # a fifth of the time that pow takes
    new_mean, new_std = _statistics(pixels)
    gain = spread * std * (spread.abs() / (spread * new_std).abs().clamp(min=SMALLEST_SPREAD))
    pixels.mul_(gain).add_(start + spread * mean - gain * new_mean)
    return planes


def _log2_(values: torch.Tensor) -> torch.Tensor:
    """Take the logarithm to base 2 in place; NumPy's takes a quarter of the time of PyTorch's."""
    if values.device.type != "cpu":
        return values.log2_()
    with np.errstate(divide="ignore"):
        np.log2(values.numpy(), out=values.numpy())
    return values


def _statistics(pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and unbiased standard deviation of each row, several times faster than std."""
    mean = pixels.mean(1, keepdim=True)
    norm = torch.linalg.vector_norm(pixels - mean, dim=1, keepdim=True)
    return mean, norm / (pixels.shape[1] - 1) ** 0.5
