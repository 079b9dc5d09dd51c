"""Training steps that nnU-Net recorded (golden/record_network.py), and our network of each."""

import json
from pathlib import Path

import numpy as np
import torch

from slicewise import network
from slicewise.plans import BLOCKS, PLAIN, RESIDUAL, Architecture

FOLDER = Path(__file__).parent / "golden" / "network"
STEPS = {PLAIN: "step.npz", RESIDUAL: "residual_step.npz"}
SQUARE = Architecture(
    class_name=PLAIN,
    n_stages=3,
    features_per_stage=(4, 8, 16),
    kernel_sizes=((3, 3),) * 3,
    strides=((1, 1), (2, 2), (2, 2)),
    n_blocks_per_stage=(2, 2, 2),
    n_conv_per_stage_decoder=(2, 2),
    conv_bias=True,
)


def read_step(class_name: str) -> dict[str, np.ndarray]:
    """Return what was recorded of a step of nnU-Net's network of that class."""
    with np.load(FOLDER / STEPS[class_name], allow_pickle=False) as arrays:
        return {"class_name": class_name, **arrays}


def architecture_of(class_name: str, arch_kwargs: dict) -> Architecture:
    """Return the network that a recorder describes in nnU-Net's words."""
    pairs = {key: tuple(map(tuple, arch_kwargs[key])) for key in ("kernel_sizes", "strides")}
    return Architecture(
        class_name=class_name,
        n_stages=len(arch_kwargs["strides"]),
        features_per_stage=tuple(arch_kwargs["features_per_stage"]),
        n_blocks_per_stage=tuple(arch_kwargs[BLOCKS[class_name]]),
        n_conv_per_stage_decoder=tuple(arch_kwargs["n_conv_per_stage_decoder"]),
        **pairs,
    )


def build(step: dict[str, np.ndarray]) -> network.UNet:
    """Return our network with nnU-Net's weights from before the step."""
    unet = network.UNet(
        architecture_of(step["class_name"], json.loads(str(step["architecture"]))),
        input_channels=step["image"].shape[1],
        num_classes=step["head_0"].shape[1],
    )
    unet.load_state_dict(network.from_nnunet(tensors(step, "before/")))
    return unet


def tensors(step: dict[str, np.ndarray], prefix: str) -> dict[str, torch.Tensor]:
    """Return the recorded weights under a prefix, by nnU-Net's names."""
    return {
        name.removeprefix(prefix): torch.tensor(array)
        for name, array in step.items()
        if name.startswith(prefix)
    }
