"""nnU-Net's 2D training augmentation for a whole batch at once.

`draw` makes every random choice, as small arrays; `apply` turns a batch and those arrays into the
augmented batch and is deterministic. Transforms, order, probabilities and ranges are those of
nnUNetTrainer.get_training_transforms in nnU-Net 2.8.1 (batchgeneratorsv2 0.3.6).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch.nn import functional

from slicewise.augment_spatial import (
    mirror,
    resample_image,
    resample_label,
    sampling_grid,
)

SMALLEST_SPREAD = 1e-7  # keeps gamma from dividing by the range of a constant image


@dataclass(frozen=True)
class Parameters:
    """The random choices for one batch; the neutral value means that a transform is not applied."""

    angle: np.ndarray  # (batch,) radians, neutral 0
    scale: np.ndarray  # (batch,) step between sampled pixels, neutral 1
    noise_std: np.ndarray  # (batch,) neutral 0
    noise_seed: np.ndarray  # (batch,) of the noise field
    blur_sigma: np.ndarray  # (batch, channel, 2: row, column) pixels, neutral 0
    brightness: np.ndarray  # (batch, channel) factor, neutral 1
    contrast: np.ndarray  # (batch, channel) factor, neutral 1
    resolution: np.ndarray  # (batch, channel) share of the pixels per axis that is kept, neutral 1
    inverted_gamma: np.ndarray  # (batch, channel) exponent for the inverted image, neutral 1
    gamma: np.ndarray  # (batch, channel) exponent, neutral 1
    mirrored: np.ndarray  # (batch, 2: row, column) bool


def rotation_range(patch_size: Sequence[int]) -> float:
    """Return the largest rotation in radians, to either side: less for elongated patches.

    The rule is that of nnUNetTrainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size.
    """
    degrees = 15 if max(patch_size) / min(patch_size) > 1.5 else 180
    return degrees / 360 * 2 * np.pi


def initial_patch_size(patch_size: Sequence[int]) -> tuple[int, int]:
    """Return the size (row, column) of the patch to read where it is rotated or scaled.

    It holds the patch turned by up to 90 degrees, enlarged by 1 / 0.85: nnU-Net's get_patch_size,
    which does not know that scaling goes up to 1.4. What lies further out is padded.
    """
    row, column = patch_size
    angle = min(np.pi / 2, rotation_range(patch_size))
    cosine, sine = np.cos(angle), np.sin(angle)
    turned_row = max(row, abs(row * cosine + column * sine))
    turned_column = max(column, abs(column * cosine - row * sine))
    return int(turned_row / 0.85), int(turned_column / 0.85)


def draw(
    rng: np.random.Generator, batch_size: int, channels: int, patch_size: Sequence[int]
) -> Parameters:
    """Draw the augmentation of one batch; equal generators give equal parameters."""
    sample, channel = (batch_size, 1), (batch_size, channels)

    def happens(probability: float, shape: tuple[int, ...]) -> np.ndarray:
        return rng.random(shape) < probability

    def factor(low: float, high: float) -> np.ndarray:
        """As often below 1 as above it, uniform on either side."""
        below, above = rng.uniform(low, 1, channel), rng.uniform(1, high, channel)
        return np.where(happens(0.5, channel), below, above)

    largest = rotation_range(patch_size)
    angle = np.where(happens(0.2, sample), rng.uniform(-largest, largest, sample), 0)
    scale = np.where(happens(0.2, sample), rng.uniform(0.7, 1.4, sample), 1)
    noise_std = np.where(happens(0.1, sample), rng.uniform(0, 0.1, sample), 0)
    blurred = happens(0.2, sample) & happens(0.5, channel)
    coarsened = happens(0.25, sample) & happens(0.5, channel)
    return Parameters(
        angle=angle[:, 0],
        scale=scale[:, 0],
        noise_std=noise_std[:, 0],
        noise_seed=rng.integers(2**63, size=batch_size),
        blur_sigma=np.where(blurred[..., None], rng.uniform(0.5, 1, (*channel, 2)), 0),
        brightness=np.where(happens(0.15, sample), factor(0.75, 1.25), 1),
        contrast=np.where(happens(0.15, sample), factor(0.75, 1.25), 1),
        resolution=np.where(coarsened, rng.uniform(0.5, 1, channel), 1),
        inverted_gamma=np.where(happens(0.1, sample), factor(0.7, 1.5), 1),
        gamma=np.where(happens(0.3, sample), factor(0.7, 1.5), 1),
        mirrored=happens(0.5, (batch_size, 2)),
    )


def resampled(parameters: Parameters) -> np.ndarray:
    """Return the indices of the samples that are rotated or scaled, the only ones with margins."""
    return np.flatnonzero((parameters.angle != 0) | (parameters.scale != 1))


def apply(
    image: torch.Tensor,
    label: torch.Tensor,
    wide: tuple[torch.Tensor, torch.Tensor] | None,
    parameters: Parameters,
    masked_channels: Sequence[bool],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Augment a batch in place and return it.

    image (batch, channel, row, column) is float32 and label (batch, row, column) a signed integer,
    -1 outside the nonzero mask; both contiguous. `wide` holds image and label of the initial patch
    size around the same centres, as center_crop has it, for the samples of `resampled` only and in
    their order, and is left as it is; None where there are none. masked_channels says which
    channels were normalised inside the mask only: they are set to 0 outside it. In the label that
    is returned, -1 has become 0. Raises ValueError if the shapes do not belong together.
    """
    _check(image, label, wide, parameters, masked_channels)
    if wide is not None:
        _spatial(image, label, wide, parameters)
    add_noise(image, parameters.noise_std, parameters.noise_seed)
    planes = image.flatten(0, 1)
    _update(planes, parameters.blur_sigma, 0, blur)
    _update(planes, parameters.brightness, 1, change_brightness)
    _update(planes, parameters.contrast, 1, change_contrast)
    _update(planes, parameters.resolution, 1, lower_resolution)
    _update(planes, parameters.inverted_gamma, 1, partial(change_gamma, inverted=True))
    _update(planes, parameters.gamma, 1, change_gamma)
    mirror(image, parameters.mirrored)
    mirror(label, parameters.mirrored)
    if any(masked_channels):
        outside = label < 0
        for channel in np.flatnonzero(masked_channels):
            image[:, channel].masked_fill_(outside, 0)
    return image, label.clamp_(min=0)


def _check(
    image: torch.Tensor,
    label: torch.Tensor,
    wide: tuple[torch.Tensor, torch.Tensor] | None,
    parameters: Parameters,
    masked_channels: Sequence[bool],
) -> None:
    batch_size, channels = parameters.brightness.shape
    if tuple(image.shape[:2]) != (batch_size, channels):
        raise ValueError(
            f"the image has (batch, channel) {tuple(image.shape[:2])}, but its augmentation was "
            f"drawn for {(batch_size, channels)}: draw with the sizes of the image"
        )
    if label.shape != (batch_size, *image.shape[2:]):
        raise ValueError(
            f"the label has shape {tuple(label.shape)}, expected (batch, row, column) "
            f"{(batch_size, *image.shape[2:])} like the image"
        )
    expected = len(resampled(parameters))
    found = 0 if wide is None else len(wide[0])
    if found != expected:
        raise ValueError(
            f"there are {found} patches with a margin for {expected} samples that are rotated or "
            "scaled: give those of augment.resampled"
        )
    if len(masked_channels) != channels:
        raise ValueError(
            f"masked_channels has {len(masked_channels)} entries for {channels} channels: "
            "give one per channel, as use_mask_for_norm in plans.json"
        )


def _spatial(
    image: torch.Tensor,
    label: torch.Tensor,
    wide: tuple[torch.Tensor, torch.Tensor],
    parameters: Parameters,
) -> None:
    """Put in place the samples that are rotated or scaled, from their patches with a margin."""
    wide_image, wide_label = wide
    chosen = resampled(parameters)
    if chosen.size:
        angle, scale = (
            torch.from_numpy(values[chosen]).to(image.device)
            for values in (parameters.angle, parameters.scale)
        )
        grid = sampling_grid(angle, scale, tuple(image.shape[2:]), tuple(wide_image.shape[2:]))
        _replace(image, chosen, resample_image(wide_image, grid))
        _replace(label, chosen, resample_label(wide_label, grid))


def _update(
    planes: torch.Tensor,
    values: np.ndarray,
    neutral: float,
    transform: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> None:
    """Replace, in place, the planes (batch * channel, row, column) with a value to apply."""
    values = values.reshape(len(planes), -1)
    chosen = np.flatnonzero((values != neutral).any(1))
    if chosen.size:
        index = torch.from_numpy(chosen).to(planes.device)
        amount = torch.from_numpy(values[chosen]).to(planes.device, torch.float32)
        _replace(planes, chosen, transform(planes.index_select(0, index), amount))


def _replace(tensor: torch.Tensor, chosen: np.ndarray, new: torch.Tensor) -> None:
    """Copy samples into place one by one: on the CPU, indexing with all at once is slower."""
    for sample, values in zip(chosen, new, strict=True):
        tensor[sample] = values


def add_noise(image: torch.Tensor, std: np.ndarray, seed: np.ndarray) -> None:
    """Add Gaussian noise in place to the samples with std (batch,) > 0, from a seed of their own.

    Fields are drawn on the CPU, so that a GPU gets the same ones.
    """
    generator = torch.Generator()
    for sample in np.flatnonzero(std):
        generator.manual_seed(int(seed[sample]))
        noise = torch.randn(image.shape[1:], generator=generator)
        image[sample].add_(noise.to(image.device), alpha=float(std[sample]))


def blur(planes: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Blur planes (n, row, column) with Gaussians of sigma (n, 2: row, column) pixels.

    Kernels reach floor(3 sigma + 0.25) pixels to either side, which is blur_dimension's rule (the
    odd size nearest to 6 sigma + 0.5), over borders that are reflected.
    """
    for axis in (1, 2):
        width = sigma[:, axis - 1, None]
        reach = (3 * width + 0.25).floor()
        radius, size = int(reach.max()), planes.shape[axis]
        distance = torch.arange(radius + 1, device=planes.device)
        weight = torch.exp(-0.5 * (distance / width) ** 2) * (distance <= reach)
        weight = (weight / (2 * weight.sum(1, keepdim=True) - 1))[..., None, None]
        padding = (0, 0, radius, radius) if axis == 1 else (radius, radius, 0, 0)
        # Nothing is left to reflect where the kernel reaches past the whole plane.
        mode = "reflect" if radius < size else "replicate"
        padded = functional.pad(planes, padding, mode=mode)
        planes = planes * weight[:, 0]
        for step in range(1, radius + 1):
            both_sides = padded.narrow(axis, radius - step, size) + padded.narrow(
                axis, radius + step, size
            )
            planes.addcmul_(both_sides, weight[:, step])
    return planes


def change_brightness(planes: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Multiply planes (n, row, column) by a factor (n, 1) each."""
    return planes * factor[..., None]


def change_contrast(planes: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Stretch planes (n, row, column) about their mean by a factor (n, 1), within their range."""
    pixels = planes.flatten(1)
    mean = pixels.mean(1, keepdim=True)
    low, high = pixels.amin(1, keepdim=True), pixels.amax(1, keepdim=True)
    stretched = (pixels - mean).mul_(factor).add_(mean)  # clamp is slow with one bound per plane
    return torch.minimum(torch.maximum(stretched, low), high).view_as(planes)


def lower_resolution(planes: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Keep a share (n, 1) of the rows and columns of planes (n, row, column), then interpolate.

    One by one, since sizes differ, which is faster than gathering all at once with index maps.
    """
    result = torch.empty_like(planes)
    for plane, new, kept in zip(planes, result, share[:, 0].tolist(), strict=True):
        small = [max(1, round(size * kept)) for size in plane.shape]
        coarse = functional.interpolate(plane[None, None], small, mode="nearest-exact")
        new.copy_(functional.interpolate(coarse, plane.shape, mode="bilinear")[0, 0])
    return result


def change_gamma(
    planes: torch.Tensor, exponent: torch.Tensor, inverted: bool = False
) -> torch.Tensor:
    """Raise planes (n, row, column), scaled to 0..1, to an exponent (n, 1).

    Mean and standard deviation stay what they were. `inverted` works on the negative image.
    """
    pixels = planes.flatten(1)
    mean, std = _statistics(pixels)
    low, high = pixels.amin(1, keepdim=True), pixels.amax(1, keepdim=True)
    spread = high - low
    curve = (high - pixels if inverted else pixels - low).div_(spread.clamp(min=SMALLEST_SPREAD))
    curve.log2_().mul_(exponent).exp2_()  # a third of the time that pow takes
    curve_mean, curve_std = _statistics(curve)
    gain = spread * std / (spread * curve_std).clamp(min=SMALLEST_SPREAD)
    gain = -gain if inverted else gain
    return curve.mul_(gain).add_(mean - gain * curve_mean).view_as(planes)


def _statistics(pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and unbiased standard deviation of each row, several times faster than std."""
    mean = pixels.mean(1, keepdim=True)
    norm = torch.linalg.vector_norm(pixels - mean, dim=1, keepdim=True)
    return mean, norm / (pixels.shape[1] - 1) ** 0.5
