"""From the volume of a case to the array a network sees, and from its logits back again."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from slicewise import geometry
from slicewise.crop import bounding_box, fill_holes, nonzero_mask
from slicewise.labels import Labels
from slicewise.plans import Preparation
from slicewise.resampling import resample, resampled_shape
from slicewise.volumes import Volume

OUTSIDE = -1
"""The label of voxels outside the nonzero mask, as in nnU-Net."""


@dataclass(frozen=True)
class CaseGeometry:
    """All that leads from an exported array back to its file.

    spacing, shape, bounding_box and the later shapes are in slice order (slice, row, column);
    file_shape and affine are those of the file.
    """

    orientation: str
    reorient: bool
    affine: list[list[float]]
    file_shape: tuple[int, ...]
    spacing: tuple[float, ...]
    shape: tuple[int, ...]
    bounding_box: tuple[tuple[int, int], ...]
    resampled_spacing: tuple[float, ...]
    resampled_shape: tuple[int, ...]

    @property
    def cropped_shape(self) -> tuple[int, ...]:
        """Return the shape between cropping and resampling."""
        return tuple(stop - start for start, stop in self.bounding_box)

    def to_json(self) -> dict:
        """Return the fields as plain lists and numbers."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict) -> CaseGeometry:
        """Return the geometry that `to_json` wrote."""
        freeze = {key: tuple(value) for key, value in content.items() if isinstance(value, list)}
        freeze["bounding_box"] = tuple(tuple(pair) for pair in content["bounding_box"])
        return cls(**{**content, **freeze, "affine": content["affine"]})


def normalise(
    channel: np.ndarray, scheme: str, intensities: dict[str, float], mask: np.ndarray | None
) -> np.ndarray:
    """Return one channel normalised, float32; `mask` limits z-scores to the nonzero region.

    The schemes and their smallest divisor, 1e-8, are nnU-Net's.
    """
    channel = channel.astype(np.float32)
    smallest = 1e-8
    if scheme == "ZScoreNormalization":
        inside = slice(None) if mask is None else mask
        values = channel[inside]
        channel[inside] = (values - values.mean()) / max(values.std(), smallest)
    elif scheme == "CTNormalization":
        np.clip(
            channel, intensities["percentile_00_5"], intensities["percentile_99_5"], out=channel
        )
        channel -= intensities["mean"]
        channel /= max(intensities["std"], smallest)
    elif scheme == "RescaleTo01Normalization":
        channel -= channel.min()
        channel /= max(channel.max(), smallest)
    elif scheme == "RGBTo01Normalization":
        if channel.min() < 0 or channel.max() > 255:
            raise ValueError(
                f"an rgb_to_0_1 channel holds {channel.min()} to {channel.max()}, expected 0 to 255"
            )
        channel /= 255
    elif scheme != "NoNormalization":
        raise ValueError(f"plan: unknown normalisation scheme {scheme!r}")
    return channel


def _resample(
    channel: np.ndarray, case: CaseGeometry, settings: dict, *, back: bool = False
) -> np.ndarray:
    """Resample (slice, row, column) to the plan's grid, or `back` to the cropped one.

    Returns the channel's own type; an equal shape returns the array itself.
    """
    source, target = case.spacing, case.resampled_spacing
    shape = case.resampled_shape
    if back:
        source, target, shape = target, source, case.cropped_shape
    if settings.get("force_separate_z") is not None:
        raise ValueError("plan: force_separate_z is not supported, expected null")
    return resample(
        channel,
        shape,
        source,
        target,
        order=settings["order"],
        is_label=settings["is_seg"],
        order_across=settings["order_z"],
    )


def case_geometry(
    volume: Volume, box: tuple[slice, ...], preparation: Preparation, reorient: bool
) -> CaseGeometry:
    """Return the geometry of a case; `box` and `volume.image` are in slice order already."""
    spacing = tuple(volume.spacing[axis] for axis in preparation.transpose_forward)
    target = (spacing[0], *preparation.spacing)
    cropped = [edge.stop - edge.start for edge in box]
    return CaseGeometry(
        orientation=volume.orientation,
        reorient=reorient,
        affine=volume.affine.tolist(),
        file_shape=tuple(volume.shape),
        spacing=spacing,
        shape=tuple(volume.image.shape[1:]),
        bounding_box=tuple((int(edge.start), int(edge.stop)) for edge in box),
        resampled_spacing=target,
        resampled_shape=resampled_shape(cropped, spacing, target),
    )


def preprocess(
    volume: Volume, label: np.ndarray | None, preparation: Preparation, reorient: bool
) -> tuple[np.ndarray, np.ndarray, CaseGeometry]:
    """Transpose, crop to nonzero, normalise and resample one case.

    volume.image: (channel, z, y, x), label: (z, y, x) or None. Returns the image, float32
    (slice, channel, row, column), the label (slice, row, column) in the smallest integer type
    that holds its values and -1 (outside the nonzero mask), and the way back. The distance between
    slices stays as it is (nnU-Net: DefaultPreprocessor.run_case_npy for configuration 2d).
    """
    forward = preparation.transpose_forward
    image = volume.image.transpose(0, *(axis + 1 for axis in forward))
    mask = nonzero_mask(image)
    box = bounding_box(mask)
    case = case_geometry(
        Volume(image, volume.spacing, volume.orientation, volume.affine, volume.shape),
        box,
        preparation,
        reorient,
    )
    mask = fill_holes(mask[box])
    if label is None:
        cropped = np.zeros(mask.shape, np.int16)
    else:
        cropped = label.transpose(forward)[box].copy()
    cropped[(cropped == 0) & ~mask] = OUTSIDE
    inside = cropped >= 0
    slices, *in_plane = case.resampled_shape
    prepared = np.empty((slices, len(image), *in_plane), np.float32)
    settings = zip(preparation.normalization_schemes, preparation.use_mask_for_norm, strict=True)
    for i, (channel, (scheme, uses_mask)) in enumerate(zip(image, settings, strict=True)):
        statistics = preparation.intensity_properties[str(i)]
        normalised = normalise(channel[box], scheme, statistics, inside if uses_mask else None)
        prepared[:, i] = _resample(normalised, case, preparation.resampling_data)
    cropped = _resample(cropped, case, preparation.resampling_label)
    small = np.int8 if cropped.max() <= np.iinfo(np.int8).max else np.int16
    return prepared, np.ascontiguousarray(cropped, small), case


def restore(
    logits: np.ndarray,
    case: CaseGeometry,
    preparation: Preparation,
    labels: Labels,
    *,
    with_probabilities: bool = False,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the segmentation of a case in its file's own grid, and the probabilities if asked for.

    logits: float32 (output, slice, row, column) on the exported grid. The segmentation is uint8 or
    uint16 (i, j, k), the order of the file's axes, and the same with and without probabilities;
    those are float32 (output, i, j, k). Voxels outside the nonzero box are background (nnU-Net:
    convert_predicted_logits_to_segmentation_with_correct_shape). Besides `logits` and what it
    returns, only what one output needs is held. Raises ValueError for logits that are to be
    resampled and are not finite.
    """
    settings = preparation.resampling_probabilities
    on_file = (_resample(output, case, settings, back=True) for output in logits)
    box = tuple(slice(start, stop) for start, stop in case.bounding_box)
    if not with_probabilities:
        decided = labels.decide(on_file)
        segmentation = np.zeros(case.file_shape, decided.dtype)
        in_slice_order(segmentation, case, preparation)[box] = decided
        return segmentation, None
    # One array is enough: it holds logits first, outside the box those of background alone.
    probabilities = labels.nothing(case.file_shape)
    with np.errstate(divide="ignore"):
        np.log(probabilities, out=probabilities)
    for whole, part in zip(probabilities, on_file, strict=True):
        in_slice_order(whole, case, preparation)[box] = part
    segmentation = labels.decide(probabilities)
    for plane in probabilities.swapaxes(0, 1):
        plane[:] = labels.probabilities(plane)
    return segmentation, probabilities


def in_slice_order(array: np.ndarray, case: CaseGeometry, preparation: Preparation) -> np.ndarray:
    """Return a view (slice, row, column), before the crop, of an array as the file stores it."""
    reading = geometry.to_reading_order(array, case.orientation, case.reorient)
    return reading.transpose(preparation.transpose_forward)
