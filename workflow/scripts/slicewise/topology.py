"""The shape of a 2D U-Net from numbers alone: its strides, kernels and memory.

Both functions give what nnU-Net gives, and neither imports torch, so that planning stays light.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from slicewise.plans import Architecture

MIN_EDGE = 4
"""Voxels that feature maps keep along every axis at least (nnU-Net:
UNet_featuremap_min_edge_length)."""


class Topology(NamedTuple):
    """Strides and kernels per stage, the patch that they divide, and the divisor of each axis."""

    strides: tuple[tuple[int, ...], ...]
    kernel_sizes: tuple[tuple[int, ...], ...]
    patch_size: tuple[int, ...]
    divisor: tuple[int, ...]


def pool_and_kernel_sizes(
    spacing: Sequence[float], patch_size: Sequence[float], min_edge: int = MIN_EDGE
) -> Topology:
    """Halve the patch until its edges are short, always pooling the best-resolved axes first.

    spacing (row, column) in mm and patch_size (row, column) in voxels; the patch may be fractional,
    as medians are. Feature maps keep at least min_edge voxels along every axis. The patch returned
    is padded to a multiple of the divisor. Equal to nnU-Net's get_pool_and_conv_props.
    """
    spacing = [float(value) for value in spacing]
    size = list(patch_size)
    axes = range(len(spacing))
    kernel = [1] * len(spacing)
    pools = [0] * len(spacing)
    strides, kernels = [(1,) * len(spacing)], []

    while pooled := _axes_to_pool(spacing, size, min_edge):
        # a kernel spans three voxels from the stage on where its axis is no longer a coarse one
        kernel = [3 if k == 3 or spacing[a] / min(spacing) < 2 else 1 for a, k in enumerate(kernel)]
        kernels.append(tuple(kernel))
        strides.append(tuple(2 if axis in pooled else 1 for axis in axes))
        for axis in pooled:
            pools[axis] += 1
            spacing[axis] *= 2
            size[axis] = math.ceil(size[axis] / 2)

    kernels.append((3,) * len(spacing))
    divisor = tuple(2**count for count in pools)
    padded = tuple(math.ceil(edge / by) * by for edge, by in zip(patch_size, divisor, strict=True))
    return Topology(tuple(strides), tuple(kernels), padded, divisor)


def _axes_to_pool(spacing: list[float], size: list[float], min_edge: int) -> list[int]:
    """Axes that are long enough to halve and within a factor of two of the finest such axis."""
    long_enough = [axis for axis, edge in enumerate(size) if edge >= 2 * min_edge]
    if not long_enough:
        return []
    finest = min(spacing[axis] for axis in long_enough)
    axes = [axis for axis in long_enough if spacing[axis] / finest < 2]
    # one axis alone must have room to spare, or the last stage would gain next to nothing
    return [] if len(axes) == 1 and size[axes[0]] < 3 * min_edge else axes


def conv_feature_map_size(
    architecture: Architecture, patch_size: Sequence[int], num_classes: int
) -> int:
    """Count the values that all convolutions put out for one patch: nnU-Net's memory estimate.

    patch_size (row, column) in voxels; num_classes counts the background. Equal to
    compute_conv_feature_map_size of PlainConvUNet and of ResidualEncoderUNet without deep
    supervision, as nnU-Net plans with.
    """
    sizes, edges = [], tuple(patch_size)
    for stride in architecture.strides:
        edges = tuple(edge // step for edge, step in zip(edges, stride, strict=True))
        sizes.append(math.prod(edges))
    features = architecture.features_per_stage
    encoder = sum(
        convs * maps * size
        for convs, maps, size in zip(_encoder_convs(architecture), features, sizes, strict=True)
    )
    stem = features[0] * math.prod(patch_size) if architecture.residual else 0
    # the decoder runs from the coarsest skip up, and adds one transposed convolution to each stage
    decoder = sum(
        (convs + 1) * maps * size
        for convs, maps, size in zip(
            architecture.n_conv_per_stage_decoder, features[-2::-1], sizes[-2::-1], strict=True
        )
    )
    return stem + encoder + decoder + num_classes * sizes[0]


def _encoder_convs(architecture: Architecture) -> list[int]:
    """Count the convolutions of each encoder stage.

    Residual blocks have two. The skip of a stage's first block counts as one more where it changes
    channels or size: nnU-Net counts it too where it only pools.
    """
    blocks, features = architecture.n_blocks_per_stage, architecture.features_per_stage
    if not architecture.residual:
        return list(blocks)
    inputs = (features[0], *features[:-1])
    return [
        2 * count + (before != after or any(step != 1 for step in stride))
        for count, before, after, stride in zip(
            blocks, inputs, features, architecture.strides, strict=True
        )
    ]
