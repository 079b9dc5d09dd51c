"""The 2D U-Net that a plan describes, its first weights, and their names in nnU-Net's checkpoints.

Layer by layer it is PlainConvUNet or ResidualEncoderUNet of dynamic_network_architectures, the two
networks that nnU-Net v2 plans.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from slicewise.plans import Architecture, Plan

NEGATIVE_SLOPE = 0.01  # of every leaky ReLU, and so of the He initialisation
NORM_EPSILON = 1e-5
PARTS = ("conv1", "conv2", "skip")  # of a residual block, in both programs


class ConvNorm(nn.Module):
    """Convolution and instance normalisation."""

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
        return instance_norm(self.conv(maps), self.norm)


class ConvBlock(ConvNorm):
    """Convolution, instance normalisation, leaky ReLU."""

    def forward(self, maps: Tensor) -> Tensor:
        """Map (slice, channel in, row, column) to channels out; a stride shortens the edges."""
        return functional.leaky_relu_(super().forward(maps), NEGATIVE_SLOPE)


class ResidualBlock(nn.Module):
    """Two convolutions and a skip beside them, added up before the last leaky ReLU.

    The skip averages over the stride, then projects where the number of channels changes: ResNet-D
    (He et al., CVPR 2019), in dynamic_network_architectures BasicBlockD.
    """

    def __init__(
        self,
        channels: tuple[int, int],
        kernel_size: tuple[int, int],
        stride: tuple[int, int],
        bias: bool,
    ) -> None:
        super().__init__()
        self.conv1 = ConvBlock(channels, kernel_size, stride, bias)
        self.conv2 = ConvNorm((channels[1], channels[1]), kernel_size, (1, 1), bias)
        self.skip = nn.Sequential()
        if stride != (1, 1):
            self.skip.append(nn.AvgPool2d(stride, stride))
        if channels[0] != channels[1]:
            self.skip.append(ConvNorm(channels, (1, 1), (1, 1), bias=False))

    def forward(self, maps: Tensor) -> Tensor:
        """Map (slice, channel in, row, column) to channels out; a stride shortens the edges."""
        changed = self.conv2(self.conv1(maps))
        changed += self.skip(maps)
        return functional.leaky_relu_(changed, NEGATIVE_SLOPE)


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

    Its encoder is plain, or residual after a stem that keeps the size; its decoder is plain.
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

        # these five in this order, because optimisers number parameters as nnU-Net's do
        self.stem = nn.Identity()
        block, inputs = ConvBlock, (input_channels, *features)
        if architecture.residual:
            self.stem = ConvBlock((input_channels, features[0]), kernels[0], (1, 1), bias)
            block, inputs = ResidualBlock, (features[0], *features)
        self.encoder = nn.ModuleList()
        self.decoder = nn.ModuleList()
        self.upsample = nn.ModuleList()
        self.heads = nn.ModuleList()
        for stage, count in enumerate(architecture.n_blocks_per_stage):
            channels = (inputs[stage], features[stage])
            self.encoder.append(
                _blocks(block, count, channels, kernels[stage], strides[stage], bias)
            )
        for stage, count in zip(
            reversed(range(len(features) - 1)), architecture.n_conv_per_stage_decoder, strict=True
        ):
            channels, step = (2 * features[stage], features[stage]), strides[stage + 1]
            self.decoder.append(_blocks(ConvBlock, count, channels, kernels[stage], (1, 1), bias))
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
        maps, skips, logits = self.stem(image), [], []
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
    block: type[ConvBlock] | type[ResidualBlock],
    count: int,
    channels: tuple[int, int],
    kernel_size: tuple[int, int],
    stride: tuple[int, int],
    bias: bool,
) -> nn.Sequential:
    """Chain blocks of which the first changes the channels (in, out) and takes the stride."""
    first = block(channels, kernel_size, stride, bias)
    same = (channels[1], channels[1])
    rest = (block(same, kernel_size, (1, 1), bias) for _ in range(count - 1))
    return nn.Sequential(first, *rest)


def build_network(plan: Plan, input_channels: int, num_classes: int) -> UNet:
    """Build a plan's network, its weights not yet initialised; classes count the background."""
    return UNet(plan.architecture, input_channels, num_classes)


def initialise(network: nn.Module, seed: int) -> None:
    """Reset all weights in place: He normal convolutions, zero biases, neutral normalisation.

    The same seed gives the same weights. As in nnU-Net's InitWeights_He, the fan of a transposed
    convolution is that of its output channels. The last normalisation of a residual block starts
    at zero, so that the block starts as its skip (nnU-Net: init_last_bn_before_add_to_0).
    """
    generator = torch.Generator().manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(layer.weight, a=NEGATIVE_SLOPE, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.InstanceNorm2d):
            layer.reset_parameters()
    for layer in network.modules():
        if isinstance(layer, ResidualBlock):
            nn.init.zeros_(layer.conv2.norm.weight)


def to_nnunet(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the state of a UNet to that of nnU-Net's network, which repeats most weights.

    Whether its encoder is plain or residual shows in the names. Convolutions and normalisations
    stand there by name and by position, and all of the encoder stands in the decoder once more.
    Raises ValueError for a name that a UNet has not.
    """
    renamed = {}
    for name, weights in state.items():
        match name.split("."):
            case ["stem", *rest]:
                path = ["encoder", "stem", "convs", "0", *rest]
            case ["encoder", stage, block, part, *rest] if part in PARTS:
                path = ["encoder", "stages", stage, "blocks", block, part, *rest]
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
    """Rename the state of nnU-Net's network to that of a UNet, which holds each weight once.

    It is the state of a PlainConvUNet or a ResidualEncoderUNet. Raises ValueError for a name that
    neither has, as in the state of a network with bottleneck blocks.
    """
    renamed = {}
    for name, weights in state.items():
        match name.split("."):
            case ["decoder", "encoder", *_] | [*_, "all_modules", _, _]:
                continue
            case ["encoder", "stem", "convs", "0", *rest]:
                path = ["stem", *rest]
            case ["encoder", "stages", stage, "blocks", block, part, *rest] if part in PARTS:
                path = ["encoder", stage, block, part, *rest]
            case ["encoder", "stages", stage, "0", "convs", *rest]:
                path = ["encoder", stage, *rest]
            case ["decoder", "stages", stage, "convs", *rest]:
                path = ["decoder", stage, *rest]
            case ["decoder", "transpconvs", *rest]:
                path = ["upsample", *rest]
            case ["decoder", "seg_layers", *rest]:
                path = ["heads", *rest]
            case _:
                raise ValueError(
                    f"state: {name} is no parameter of nnU-Net's PlainConvUNet or "
                    "ResidualEncoderUNet"
                )
        renamed[".".join(path)] = weights
    return renamed
