"""nnU-Net's 2D training augmentation for a whole batch at once.

`draw` makes every random choice, as small arrays; `apply` turns a batch and those arrays into the
augmented batch and is deterministic. Transforms, order, probabilities and ranges are those of
nnUNetTrainer.get_training_transforms in nnU-Net 2.8.1 (batchgeneratorsv2 0.3.6).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
import torch

from slicewise.augment_intensity import (
    add_noise,
    blur,
    change_brightness,
    change_contrast,
    change_gamma,
    lower_resolution,
)
from slicewise.augment_spatial import resample_image, resample_label, sampling_grid


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

    def of(self, part: slice) -> Parameters:
        """Return the choices for some samples of the batch."""
        return Parameters(**{each.name: getattr(self, each.name)[part] for each in fields(self)})


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


def centre_start(size: Sequence[int], patch_size: Sequence[int]) -> tuple[int, int]:
    """Return where (row, column) the central patch of a larger one starts.

    size // 2 - patch // 2 along each axis, as in batchgeneratorsv2's crop_tensor.
    """
    row, column = (whole // 2 - part // 2 for whole, part in zip(size, patch_size, strict=True))
    return row, column


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
    size around the same centres, which `centre_start` says, for the samples of `resampled` only and
    in their order, and is left as it is; None where there are none. masked_channels says which
    channels were normalised inside the mask only: they are set to 0 outside it. In the label that
    is returned, -1 has become 0. Raises ValueError if the shapes do not belong together.
    """
    chosen = resampled(parameters)
    _check(image, label, wide, parameters, len(chosen), masked_channels)
    planes = image.view(-1, *image.shape[2:])  # where flatten may copy, and changes would be lost
    if len(chosen):
        _spatial(image, label, wide, parameters, chosen, masked=any(masked_channels))
    add_noise(image, parameters.noise_std, parameters.noise_seed)
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
    expected: int,
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
    chosen: np.ndarray,
    masked: bool,
) -> None:
    """Put in place the samples `chosen` to be rotated or scaled, from their patches with a margin.

    Where no image is `masked` by it, a label without anything above 0 need not be resampled: it has
    no such thing afterwards either, and the rest becomes 0.
    """
    wide_image, wide_label = wide
    angle, scale = parameters.angle[chosen], parameters.scale[chosen]
    sizes = tuple(image.shape[2:]), tuple(wide_image.shape[2:])
    grid = sampling_grid(angle, scale, *sizes, image.device)
    _put(image, chosen, resample_image(wide_image, grid))
    if not masked:
        some = np.flatnonzero(wide_label.amax((1, 2)).cpu().numpy() > 0)
        chosen, index = chosen[some], torch.from_numpy(some).to(label.device)
        wide_label, grid = wide_label.index_select(0, index), grid.index_select(0, index)
    if chosen.size:
        _put(label, chosen, resample_label(wide_label, grid))


def _update(
    planes: torch.Tensor,
    values: np.ndarray,
    neutral: float,
    transform: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> None:
    """Change, in place, the planes (batch * channel, row, column) with a value to apply."""
    values = values.reshape(len(planes), -1)
    chosen = np.flatnonzero((values != neutral).any(1))
    amount = torch.from_numpy(values[chosen]).to(planes.device, torch.float32)
    _change(planes, chosen, lambda some: transform(some, amount))


def mirror(tensor: torch.Tensor, mirrored: np.ndarray) -> None:
    """Flip samples in place along the last two axes where mirrored (batch, 2: row, column)."""
    code = mirrored @ (1, 2)
    for number, axes in ((1, (-2,)), (2, (-1,)), (3, (-2, -1))):
        _change(tensor, np.flatnonzero(code == number), partial(torch.flip, dims=axes))


def _change(
    tensor: torch.Tensor, chosen: np.ndarray, transform: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    """Change the entries `chosen` (n) of the first axis in place, all at once.

    `transform` returns their new values and may overwrite those that it is given.
    """
    if len(chosen):
        index = torch.from_numpy(chosen).to(tensor.device)
        _put(tensor, chosen, transform(tensor.index_select(0, index)))


def _put(tensor: torch.Tensor, chosen: np.ndarray, new: torch.Tensor) -> None:
    """Write new entries (n, ...) to the places `chosen` (n) of the first axis."""
    if tensor.device.type == "cpu":  # where index_copy_ takes three times as long
        tensor.numpy()[chosen] = new.numpy()
    else:
        tensor.index_copy_(0, torch.from_numpy(chosen).to(tensor.device), new)
