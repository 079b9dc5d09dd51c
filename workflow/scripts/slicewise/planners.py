"""Patch, batch and network as nnU-Net's planners choose them in 2D.

The default ExperimentPlanner and the residual-encoder presets follow one procedure and differ in
the numbers of a row of PLANNERS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slicewise.plans import PLAIN, RESIDUAL, Architecture
from slicewise.topology import (
    MIN_EDGE,
    Topology,
    conv_feature_map_size,
    pool_and_kernel_sizes,
)

REFERENCE_BATCH = 12
"""The batch at which a planner's reference network fills its memory."""

BASE_FEATURES = 32
MAX_FEATURES = 512
MIN_BATCH = 2
INITIAL_AREA = 2048**2


@dataclass(frozen=True)
class Planner:
    """What one of nnU-Net's planners does in its own way.

    nnunet_name and plans_name: its class and the name of its plans; network: the class that it
    plans; encoder_blocks: of the first stages, deeper ones have as many as the last of them;
    decoder_blocks: of every stage; reference: the estimate, in feature-map values, of a network
    that fills gpu_memory_gb (GB) at a batch of 12; patch_samples: how many patches must fit in
    memory; max_share_of_dataset: of its voxels, at most so many are in a batch.
    """

    nnunet_name: str
    plans_name: str
    network: str
    encoder_blocks: tuple[int, ...]
    decoder_blocks: int
    reference: int
    gpu_memory_gb: float
    patch_samples: int
    max_share_of_dataset: float

    def capacity(self, gpu_memory_gb: float | None) -> float:
        """Return how large an estimate fits at a batch of 12; None is the planner's own target."""
        target = self.gpu_memory_gb if gpu_memory_gb is None else gpu_memory_gb
        return self.reference * (target / self.gpu_memory_gb)

    def architecture(self, topology: Topology) -> Architecture:
        """Return the network of a topology; features double from stage to stage up to 512."""
        stages = len(topology.strides)
        deeper = (self.encoder_blocks[-1],) * stages
        return Architecture(
            class_name=self.network,
            n_stages=stages,
            features_per_stage=tuple(
                min(MAX_FEATURES, BASE_FEATURES * 2**stage) for stage in range(stages)
            ),
            kernel_sizes=topology.kernel_sizes,
            strides=topology.strides,
            n_blocks_per_stage=(*self.encoder_blocks, *deeper)[:stages],
            n_conv_per_stage_decoder=(self.decoder_blocks,) * (stages - 1),
        )


def _residual(size: str, reference: int, gpu_memory_gb: float) -> Planner:
    return Planner(
        nnunet_name=f"nnUNetPlannerResEnc{size}",
        plans_name=f"nnUNetResEncUNet{size}Plans",
        network=RESIDUAL,
        encoder_blocks=(1, 3, 4, 6),
        decoder_blocks=1,
        reference=reference,
        gpu_memory_gb=gpu_memory_gb,
        patch_samples=12,
        max_share_of_dataset=1,
    )


PLANNERS = {
    "default": Planner(
        nnunet_name="ExperimentPlanner",
        plans_name="nnUNetPlans",
        network=PLAIN,
        encoder_blocks=(2,),
        decoder_blocks=2,
        reference=85_000_000,
        gpu_memory_gb=8,
        patch_samples=2,
        max_share_of_dataset=0.05,
    ),
    "resenc_m": _residual("M", reference=135_000_000, gpu_memory_gb=8),
    "resenc_l": _residual("L", reference=380_000_000, gpu_memory_gb=24),
    "resenc_xl": _residual("XL", reference=560_000_000, gpu_memory_gb=40),
}
"""The values of planning.planner; numbers from nnU-Net's classes of these names."""


def plan_patch(
    planner: Planner,
    spacing: np.ndarray,
    median_size: Sequence[float],
    classes: int,
    capacity: float,
) -> tuple[Architecture, tuple[int, int], int]:
    """Return the network, its patch, and the estimate of its memory in feature-map values.

    spacing: mm and median_size: voxels, both (row, column). The patch starts at the median size,
    or at an area of 2048 x 2048 in the aspect ratio of the voxels where that is smaller, and
    shrinks along the axis that is the largest against the median until as many samples as the
    planner asks for fit in `capacity`, which is for a batch of 12 (nnU-Net:
    get_plans_for_configuration). Raises ValueError where they never fit.
    """
    aspect = 1 / spacing
    initial = [round(edge) for edge in aspect * (INITIAL_AREA / np.prod(aspect)) ** 0.5]
    patch = [min(edge, size) for edge, size in zip(initial, median_size, strict=True)]
    while True:
        topology = pool_and_kernel_sizes(spacing, patch)
        network = planner.architecture(topology)
        estimate = conv_feature_map_size(network, topology.patch_size, classes)
        if estimate / REFERENCE_BATCH * planner.patch_samples <= capacity:
            return network, topology.patch_size, estimate
        relative = [
            edge / size for edge, size in zip(topology.patch_size, median_size, strict=True)
        ]
        axis = int(np.argsort(relative)[-1])
        if network.n_stages == 1 or topology.patch_size[axis] == 1:
            raise ValueError(
                f"planning.gpu_memory_gb: too small for {planner.patch_samples} patches of "
                f"{topology.patch_size} voxels, which cannot be made smaller; give more"
            )
        # The step follows from the divisor of the smaller patch: that of the larger one can be
        # twice as large and would skip valid sizes.
        smaller = list(topology.patch_size)
        smaller[axis] -= topology.divisor[axis]
        patch = list(topology.patch_size)
        patch[axis] -= pool_and_kernel_sizes(spacing, smaller).divisor[axis]


def scale_patch(
    planner: Planner, spacing: np.ndarray, patch: Sequence[int], scale: float, classes: int
) -> tuple[Architecture, tuple[int, int], int]:
    """Return what plan_patch does, for `scale` times the edges of the patch that it planned.

    spacing: mm and patch: voxels, both (row, column); scale: above 0, at most 1. Edges are rounded
    up to what the strides of the smaller patch's own network divide, and keep what can be halved
    once. Raises ValueError where even so nothing can be halved: a U-Net needs two resolutions.
    """
    # 0.56 x 100 is a little more than 56 in floating point, and must not become 64.
    scaled = [round(edge * scale, 6) for edge in patch]
    edges = [max(part, min(edge, 2 * MIN_EDGE)) for part, edge in zip(scaled, patch, strict=True)]
    topology = pool_and_kernel_sizes(spacing, edges)
    if len(topology.strides) == 1:
        raise ValueError(
            f"planning.patch_scale: found {scale:g}, which makes of a patch of {patch[0]} x "
            f"{patch[1]} voxels one of {topology.patch_size[0]} x {topology.patch_size[1]}, too "
            "small for a network of more than one resolution; give more"
        )
    network = planner.architecture(topology)
    estimate = conv_feature_map_size(network, topology.patch_size, classes)
    return network, topology.patch_size, estimate


def plan_batch(
    planner: Planner,
    estimate: int,
    capacity: float,
    dataset_voxels: float,
    patch: tuple[int, int],
) -> int:
    """Return the batch size: what memory holds, at most a share of the dataset, at least 2."""
    fits = round(capacity / estimate * REFERENCE_BATCH)
    share = round(dataset_voxels * planner.max_share_of_dataset / np.prod(patch, dtype=np.float64))
    return max(min(fits, share), MIN_BATCH)
