"""The 2D U-Net that a plan describes, its first weights, and their names in nnU-Net's checkpoints.

Layer by layer it is PlainConvUNet of dynamic_network_architectures, the network of nnU-Net v2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from slicewise.plans import Architecture, Plan

SUPPORTED = ("PlainConvUNet",)
NEGATIVE_SLOPE = 0.01  # of every leaky ReLU, and so of the He initialisation
NORM_EPSILON = 1e-5


class ConvBlock(nn.Module):
    """Convolution, instance normalisation, leaky ReLU."""

    def __init__(
        self,
        channels: tuple[int, int],
        kernel_size: tuple[int, int],
        stride: tuple[int, int],
        bias: bool,
    ) -> None:
        super().__init__()
        padding = tuple((edge - 1) // 2 for edge in kernel_size)
        self.conv = nn.Conv2d(*channels, kernel_size, stride, padding, bias=bias)
        self.norm = nn.InstanceNorm2d(channels[1], NORM_EPSILON, affine=True)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (slice, channel in, row, column) to channels out; a stride shortens the edges."""
        return functional.leaky_relu_(instance_norm(self.conv(maps), self.norm), NEGATIVE_SLOPE)


def instance_norm(maps: Tensor, norm: nn.InstanceNorm2d) -> Tensor:
    """Apply instance normalisation through the fastest kernel of torch that gives it.

    On a CPU that is group normalisation with groups of one channel, about twice as fast. On a GPU
    autocast would widen group normalisation, and the maps kept for its gradient, to float32.
    """
    if maps.device.type != "cpu":
        return norm(maps)
    return functional.group_norm(maps, norm.num_features, norm.weight, norm.bias, norm.eps)


class UNet(nn.Module):
    """U-Net that halves with strided convolutions and doubles with transposed ones.

    Takes images (slice, channel, row, column) and returns logits (slice, class, row, column). While
    deep_supervision is set it returns a list with the logits of every decoder stage, finest first.
    Raises ValueError if rows or columns cannot be halved as often as the strides ask for.
    """

    mirror_axes: tuple[int, ...] = (0, 1)
    """Axes of a slice, row 0 and column 1, along which it may see images mirrored."""

    def __init__(self, architecture: Architecture, input_channels: int, num_classes: int) -> None:
        super().__init__()
        if architecture.n_stages < 2:
            raise ValueError(
                f"architecture: n_stages is {architecture.n_stages}, expected at least 2; "
                "the patch is too small to halve once, so plan with a larger one"
            )
        self.deep_supervision = False
        self.divisor = tuple(math.prod(steps) for steps in zip(*architecture.strides, strict=True))
        features, strides = architecture.features_per_stage, architecture.strides
        kernels, bias = architecture.kernel_sizes, architecture.conv_bias

        # these four in this order, because optimisers number parameters as nnU-Net's do
        self.encoder = nn.ModuleList()
        self.decoder = nn.ModuleList()
        self.upsample = nn.ModuleList()
        self.heads = nn.ModuleList()
        inputs = (input_channels, *features)
        for stage, count in enumerate(architecture.n_conv_per_stage):
            channels = (inputs[stage], features[stage])
            self.encoder.append(_blocks(count, channels, kernels[stage], strides[stage], bias))
        for stage, count in zip(
            reversed(range(len(features) - 1)), architecture.n_conv_per_stage_decoder, strict=True
        ):
            channels, step = (2 * features[stage], features[stage]), strides[stage + 1]
            self.decoder.append(_blocks(count, channels, kernels[stage], (1, 1), bias))
            self.upsample.append(
                nn.ConvTranspose2d(features[stage + 1], features[stage], step, step, bias=bias)
            )
            self.heads.append(nn.Conv2d(features[stage], num_classes, 1))

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        """Return the logits of images, or with deep supervision the logits at every stage."""
        shape = tuple(image.shape[-2:])
        if any(edge % by for edge, by in zip(shape, self.divisor, strict=True)):
            raise ValueError(
                f"image: {shape} rows and columns, expected multiples of {self.divisor}; "
                "pad the image or take patches of the plan's patch_size"
            )
        maps, skips, logits = image, [], []
        for stage in self.encoder:
            maps = stage(maps)
            skips.append(maps)
        skips.pop()
        for upsample, stage, head in zip(self.upsample, self.decoder, self.heads, strict=True):
            maps = stage(torch.cat((upsample(maps), skips.pop()), dim=1))
            if self.deep_supervision or not skips:
                logits.append(head(maps))
        return logits[::-1] if self.deep_supervision else logits[0]


def _blocks(
    count: int,
    channels: tuple[int, int],
    kernel_size: tuple[int, int],
    stride: tuple[int, int],
    bias: bool,
) -> nn.Sequential:
    """Chain blocks of which the first changes the channels (in, out) and takes the stride."""
    first = ConvBlock(channels, kernel_size, stride, bias)
    same = (channels[1], channels[1])
    rest = (ConvBlock(same, kernel_size, (1, 1), bias) for _ in range(count - 1))
    return nn.Sequential(first, *rest)


def build_network(plan: Plan, input_channels: int, num_classes: int) -> UNet:
    """Build a plan's network, its weights not yet initialised; classes count the background.

    Raises ValueError if the plan asks for an architecture other than nnU-Net's plain U-Net.
    """
    found = plan.architecture.class_name
    if found not in SUPPORTED:
        known = " or ".join(SUPPORTED)
        raise ValueError(
            f"plan of {plan.dataset_name}: network class {found}, expected {known}; "
            "leave planning.plans empty, or give a plan of nnU-Net's default ExperimentPlanner"
        )
    return UNet(plan.architecture, input_channels, num_classes)


def initialise(network: nn.Module, seed: int) -> None:
    """Reset all weights in place: He normal convolutions, zero biases, neutral normalisation.

    The same seed gives the same weights. As in nnU-Net's InitWeights_He, the fan of a transposed
    convolution is that of its output channels.
    """
    generator = torch.Generator().manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(layer.weight, a=NEGATIVE_SLOPE, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.InstanceNorm2d):
            layer.reset_parameters()


def to_nnunet(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the state of a UNet to the state of PlainConvUNet, which repeats most weights.

    Convolutions and normalisations stand there by name and by position, and all of the encoder
    stands in the decoder once more. Raises ValueError for a name that a UNet has not.
    """
    renamed = {}
    for name, weights in state.items():
        match name.split("."):
            case ["encoder", stage, *rest]:
                path = ["encoder", "stages", stage, "0", "convs", *rest]
            case ["decoder", stage, *rest]:
                path = ["decoder", "stages", stage, "convs", *rest]
            case ["upsample", *rest]:
                path = ["decoder", "transpconvs", *rest]
            case ["heads", *rest]:
                path = ["decoder", "seg_layers", *rest]
            case _:
                raise ValueError(f"state: {name} is no parameter of a UNet")
        full = ".".join(path)
        copy = full.replace(".conv.", ".all_modules.0.").replace(".norm.", ".all_modules.1.")
        for key in (full, copy):
            renamed[key] = weights
            if key.startswith("encoder."):
                renamed[f"decoder.{key}"] = weights
    return renamed


def from_nnunet(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the state of PlainConvUNet to the state of a UNet, which holds each weight once.

    Raises ValueError for a name that PlainConvUNet has not, as in a residual network's state.
    """
    renamed = {}
    for name, weights in state.items():
        match name.split("."):
            case ["decoder", "encoder", *_] | [*_, "all_modules", _, _]:
                continue
            case ["encoder", "stages", stage, "0", "convs", *rest]:
                path = ["encoder", stage, *rest]
            case ["decoder", "stages", stage, "convs", *rest]:
                path = ["decoder", stage, *rest]
            case ["decoder", "transpconvs", *rest]:
                path = ["upsample", *rest]
            case ["decoder", "seg_layers", *rest]:
                path = ["heads", *rest]
            case _:
                raise ValueError(f"state: {name} is no parameter of nnU-Net's PlainConvUNet")
        renamed[".".join(path)] = weights
    return renamed
