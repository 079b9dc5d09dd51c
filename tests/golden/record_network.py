"""Record what nnU-Net's network, loss and planner compute, for the tests of these three modules.

Run in an environment that has nnunetv2==2.8.1: `python tests/golden/record_network.py`.
"""

import json
from pathlib import Path

import numpy as np
import torch
from batchgeneratorsv2.transforms.utils.deep_supervision_downsampling import (
    DownsampleSegForDSTransform,
)
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from nnunetv2.experiment_planning.experiment_planners.network_topology import (
    get_pool_and_conv_props,
)
from nnunetv2.training.loss.compound_losses import DC_and_CE_loss
from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
from nnunetv2.training.loss.dice import MemoryEfficientSoftDiceLoss, get_tp_fp_fn_tn

FOLDER = Path(__file__).parent / "network"
# every kind of stride and kernel that nnU-Net plans in 2D, in few weights
PLAIN = {
    "n_stages": 4,
    "features_per_stage": [4, 6, 8, 10],
    "kernel_sizes": [[1, 3], [3, 3], [3, 3], [3, 3]],
    "strides": [[1, 1], [1, 2], [2, 2], [2, 1]],
    "n_conv_per_stage": [2, 2, 1, 2],
    "n_conv_per_stage_decoder": [2, 1, 2],
    "conv_bias": True,
}
# and every kind of skip: none, pooled and projected, only pooled, only projected
RESIDUAL = {
    "n_stages": 4,
    "features_per_stage": [4, 6, 6, 8],
    "kernel_sizes": [[1, 3], [3, 3], [3, 3], [3, 3]],
    "strides": [[1, 1], [1, 2], [2, 2], [1, 1]],
    "n_blocks_per_stage": [1, 2, 1, 1],
    "n_conv_per_stage_decoder": [1, 2, 1],
    "conv_bias": True,
}
INPUT_CHANNELS, NUM_CLASSES = 2, 4
PATCH_SIZE, BATCH_SIZE = (16, 20), 3


def build(architecture, input_channels, num_classes, deep_supervision):
    """Build nnU-Net's network as its plans describe it."""
    network = ResidualEncoderUNet if "n_blocks_per_stage" in architecture else PlainConvUNet
    return network(
        input_channels=input_channels,
        num_classes=num_classes,
        conv_op=torch.nn.Conv2d,
        norm_op=torch.nn.InstanceNorm2d,
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=torch.nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
        deep_supervision=deep_supervision,
        **architecture,
    )


def build_loss(batch_dice, heads):
    """Build the loss as nnUNetTrainer._build_loss does on one device."""
    weights = np.array([1 / 2**head for head in range(heads)])
    weights[-1] = 0
    loss = DC_and_CE_loss(
        {"batch_dice": batch_dice, "smooth": 1e-5, "do_bg": False, "ddp": False},
        {},
        weight_ce=1,
        weight_dice=1,
        ignore_label=None,
        dice_class=MemoryEfficientSoftDiceLoss,
    )
    return DeepSupervisionWrapper(loss, weights / weights.sum())


def record_step(architecture, file, enlarged):
    """Record one training step: heads, losses, gradients, and the weights before and after."""
    torch.manual_seed(0)
    network = build(architecture, INPUT_CHANNELS, NUM_CLASSES, deep_supervision=True)
    network.apply(network.initialize)
    for name, weights in network.named_parameters():
        if weights.ndim == 1:
            weights.data += 0.2 * torch.randn_like(weights)
        elif "seg_layers" in name:
            weights.data *= enlarged  # so that the gradient is long enough to be clipped
    image = torch.randn(BATCH_SIZE, INPUT_CHANNELS, *PATCH_SIZE)
    target = torch.randint(0, NUM_CLASSES, (BATCH_SIZE, 1, *PATCH_SIZE), dtype=torch.int16)
    scales = (1 / np.cumprod(architecture["strides"], axis=0))[:-1].tolist()
    downsample = DownsampleSegForDSTransform(scales)
    targets = [
        torch.stack(same_scale)
        for same_scale in zip(
            *(downsample._apply_to_segmentation(one) for one in target), strict=True
        )
    ]

    state = {name: weights.clone() for name, weights in network.state_dict().items()}
    once = dict(network.named_parameters())
    outputs = network(image)
    slice_loss = build_loss(False, len(outputs))(outputs, targets)
    optimizer = torch.optim.SGD(
        network.parameters(), 0.01, weight_decay=3e-5, momentum=0.99, nesterov=True
    )
    loss = build_loss(True, len(outputs))(outputs, targets)
    loss.backward()
    gradients = {name: w.grad.clone() for name, w in once.items() if w.grad is not None}
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), 12)
    if norm <= 12:
        raise ValueError(f"gradient norm {norm} is not clipped; enlarge the heads' weights")
    optimizer.step()

    hard = torch.zeros_like(outputs[0]).scatter_(1, outputs[0].argmax(1, keepdim=True), 1)
    counts = get_tp_fp_fn_tn(hard, targets[0], axes=[0, 2, 3])[:3]
    arrays = {
        "architecture": np.array(json.dumps(architecture)),
        "state_names": np.array(list(state)),
        "image": image,
        "loss": loss.detach(),
        "slice_loss": slice_loss.detach(),
        "gradient_norm": norm,
        "counts": torch.stack(counts)[:, 1:],
        **{f"target_{i}": scaled[:, 0] for i, scaled in enumerate(targets)},
        **{f"head_{i}": head.detach() for i, head in enumerate(outputs)},
        **{f"before/{name}": state[name] for name in once},
        **{f"gradient/{name}": gradient for name, gradient in gradients.items()},
        **{f"after/{name}": weights.detach() for name, weights in once.items()},
    }
    np.savez_compressed(FOLDER / file, **{k: np.asarray(v) for k, v in arrays.items()})


def record_initial():
    """Record the names of the weights that both networks start at zero and at one."""
    names = {}
    for architecture in (PLAIN, RESIDUAL):
        network = build(architecture, INPUT_CHANNELS, NUM_CLASSES, deep_supervision=True)
        network.apply(network.initialize)
        names[type(network).__name__] = {
            value: [key for key, weights in network.named_parameters() if (weights == value).all()]
            for value in (0, 1)
        }
    (FOLDER / "initial.json").write_text(json.dumps(names, indent=1) + "\n")


def record_topologies(count=400):
    """Record strides, kernels, padded patches and memory estimates for random inputs."""
    random, random_blocks = np.random.default_rng(0), np.random.default_rng(1)
    rows = []
    for index in range(count):
        spacing = np.exp(random.uniform(-1.5, 1.5, 2)).round(4).tolist()
        if index % 3 == 0:
            spacing = [spacing[0]] * 2
        elif index % 10 == 1:
            spacing[1] = 2 * spacing[0]  # the boundary of the rule
        patch = random.integers(1, 600, 2).tolist()
        if index % 4 == 0:
            patch = random.integers(4, 40, 2).tolist()
        elif index % 10 == 3:
            patch[0] += 0.5  # the median of an even number of cases
        _, strides, kernels, padded, divisor = get_pool_and_conv_props(spacing, patch, 4, 999999)
        row = {
            "spacing": spacing,
            "patch_size": patch,
            "strides": strides,
            "kernel_sizes": kernels,
            "padded": [int(edge) for edge in padded],
            "divisor": [int(edge) for edge in divisor],
        }
        if len(strides) > 1:
            row |= record_memory(row, random, random_blocks)
        rows.append(json.dumps(row, separators=(",", ":")))
    (FOLDER / "topology.json").write_text("[\n" + ",\n".join(rows) + "\n]\n")


def record_memory(row, random, random_blocks):
    """Return random depths for a topology, and nnU-Net's estimates for both networks."""
    stages = len(row["strides"])
    architecture = {
        "n_stages": stages,
        "features_per_stage": [min(512, 32 * 2**stage) for stage in range(stages)],
        "kernel_sizes": row["kernel_sizes"],
        "strides": row["strides"],
        "n_conv_per_stage": random.integers(1, 4, stages).tolist(),
        "n_conv_per_stage_decoder": random.integers(1, 4, stages - 1).tolist(),
        "conv_bias": True,
    }
    classes = int(random.integers(2, 20))
    residual = {key: value for key, value in architecture.items() if key != "n_conv_per_stage"}
    residual["n_blocks_per_stage"] = random_blocks.integers(1, 7, stages).tolist()
    with torch.device("meta"):
        sizes = [
            int(build(one, 1, classes, False).compute_conv_feature_map_size(row["padded"]))
            for one in (architecture, residual)
        ]
    kept = ("n_conv_per_stage", "n_conv_per_stage_decoder")
    return {
        **{key: architecture[key] for key in kept},
        "num_classes": classes,
        "feature_map_size": sizes[0],
        "n_blocks_per_stage": residual["n_blocks_per_stage"],
        "residual_feature_map_size": sizes[1],
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    record_step(PLAIN, "step.npz", enlarged=10)
    record_step(RESIDUAL, "residual_step.npz", enlarged=20)
    record_initial()
    record_topologies()
