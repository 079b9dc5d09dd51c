"""Volumes and preparations in memory, made in a few lines, for tests."""

import numpy as np

from scans import affine_of
from slicewise import geometry
from slicewise.plans import Preparation
from slicewise.volumes import Volume

RESAMPLING = {"order_z": 0, "force_separate_z": None}


def preparation(
    axis=0, spacing=(1.0, 1.0), scheme="NoNormalization", masked=False, channels=1, forward=None
):
    """Return a preparation that slices across `axis`, or with any transposition `forward`."""
    forward = forward or geometry.transposition(axis)[0]
    backward = [forward.index(i) for i in range(3)]
    return Preparation(
        tuple(forward),
        tuple(backward),
        spacing,
        (scheme,) * channels,
        (masked,) * channels,
        {str(i): {} for i in range(channels)},
        {"is_seg": False, "order": 3, **RESAMPLING},
        {"is_seg": True, "order": 1, **RESAMPLING},
        {"is_seg": False, "order": 1, **RESAMPLING},
    )


def as_volume(image, orientation="RAS", spacing=(1.0, 1.0, 1.0), reorient=False):
    """Return an image (i, j, k) as it is read from a file of `orientation`."""
    read = geometry.to_reading_order(image, orientation, reorient)
    return Volume(
        read[None].astype(np.float32),
        tuple(
            geometry.reading_spacing(
                spacing, affine_of(orientation, spacing), orientation, reorient
            )
        ),
        orientation,
        affine_of(orientation, spacing),
        image.shape,
    )
