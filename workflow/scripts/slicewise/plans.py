"""plans.json: one frozen record of how a dataset is prepared, cut into patches and segmented."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from slicewise.problems import error
from slicewise.records import ANEW, read_record

Read = TypeVar("Read")

CONFIGURATION = "2d"

PLAIN, RESIDUAL = "PlainConvUNet", "ResidualEncoderUNet"

NETWORKS = "dynamic_network_architectures.architectures.unet"
"""The module that plans.json names for every network."""

BLOCKS = {PLAIN: "n_conv_per_stage", RESIDUAL: "n_blocks_per_stage"}
"""The networks that can be built, each with the key that counts the blocks of its encoder."""


@dataclass(frozen=True)
class Architecture:
    """The network of a plan; stages count from the full resolution down.

    n_blocks_per_stage: convolutions of each stage of a plain encoder, or residual blocks, of two
    convolutions each, of a residual one.
    """

    class_name: str
    n_stages: int
    features_per_stage: tuple[int, ...]
    kernel_sizes: tuple[tuple[int, int], ...]
    strides: tuple[tuple[int, int], ...]
    n_blocks_per_stage: tuple[int, ...]
    n_conv_per_stage_decoder: tuple[int, ...]
    conv_bias: bool = True

    @property
    def residual(self) -> bool:
        """Say whether the encoder is made of residual blocks, after a stem."""
        return self.class_name == RESIDUAL


@dataclass(frozen=True)
class Preparation:
    """What exported arrays depend on.

    transpose_forward and transpose_backward: axes in reading order; spacing: mm (row, column);
    resampling_*: order within slices and across them, and whether to treat them apart.
    """

    transpose_forward: tuple[int, int, int]
    transpose_backward: tuple[int, int, int]
    spacing: tuple[float, float]
    normalization_schemes: tuple[str, ...]
    use_mask_for_norm: tuple[bool, ...]
    intensity_properties: dict[str, dict[str, float]]
    resampling_data: dict[str, Any] = field(default_factory=dict)
    resampling_label: dict[str, Any] = field(default_factory=dict)
    resampling_probabilities: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """A plans.json with its configuration 2d; patch_size: (row, column) voxels."""

    dataset_name: str
    preparation: Preparation
    patch_size: tuple[int, int]
    batch_size: int
    median_image_size: tuple[float, float]
    batch_dice: bool
    architecture: Architecture
    image_reader_writer: str
    raw: dict = field(repr=False, compare=False)

    @property
    def spacing(self) -> tuple[float, float]:
        """Return the target spacing in mm (row, column)."""
        return self.preparation.spacing

    @property
    def strides(self) -> tuple[tuple[int, int], ...]:
        """Return the strides of the encoder's stages, full resolution first."""
        return self.architecture.strides


def _pairs(values: list) -> tuple[tuple[int, int], ...]:
    return tuple((int(row), int(column)) for row, column in values)


LAYERS = {"conv_op": "Conv2d", "norm_op": "InstanceNorm2d", "nonlin": "LeakyReLU"}
"""The layers that every network here is made of; a plan may name them with any module path."""

LAYER_SETTINGS = {
    "norm_op_kwargs": {"eps": (1e-5, 1e-5), "affine": (True, False)},
    "nonlin_kwargs": {"negative_slope": (0.01, 0.01)},
}
"""What these layers are built with here, as nnU-Net plans them, and what torch takes by default."""


def _architecture(content: dict) -> Architecture:
    """Return the network of a plan; a ValueError names what of it cannot be built."""
    class_name = content["network_class_name"].rsplit(".", 1)[-1]
    if class_name not in BLOCKS:
        expected = " or ".join(BLOCKS)
        raise ValueError(f"network_class_name: found {class_name}, expected {expected}")
    kwargs = content["arch_kwargs"]
    for key, expected in LAYERS.items():
        if str(kwargs[key]).rsplit(".", 1)[-1] != expected:
            raise ValueError(f"arch_kwargs.{key}: found {kwargs[key]}, expected {expected}")
    for key in ("dropout_op", "nonlin_first", "block", "bottleneck_channels", "stem_channels"):
        if kwargs.get(key):
            raise ValueError(f"arch_kwargs.{key}: found {kwargs[key]}, which is not supported")
    for key, settings in LAYER_SETTINGS.items():
        for setting, (expected, default) in settings.items():
            found = (kwargs.get(key) or {}).get(setting, default)
            if found != expected:
                raise ValueError(f"arch_kwargs.{key}.{setting}: found {found}, expected {expected}")
    return Architecture(
        class_name=class_name,
        n_stages=int(kwargs["n_stages"]),
        features_per_stage=tuple(kwargs["features_per_stage"]),
        kernel_sizes=_pairs(kwargs["kernel_sizes"]),
        strides=_pairs(kwargs["strides"]),
        n_blocks_per_stage=tuple(kwargs[BLOCKS[class_name]]),
        n_conv_per_stage_decoder=tuple(kwargs["n_conv_per_stage_decoder"]),
        conv_bias=bool(kwargs["conv_bias"]),
    )


def architecture_json(network: Architecture) -> dict:
    """Return a network in the words of nnU-Net's plans.json."""
    return {
        "network_class_name": f"{NETWORKS}.{network.class_name}",
        "arch_kwargs": {
            "n_stages": network.n_stages,
            "features_per_stage": list(network.features_per_stage),
            "conv_op": "torch.nn.modules.conv.Conv2d",
            "kernel_sizes": [list(kernel) for kernel in network.kernel_sizes],
            "strides": [list(stride) for stride in network.strides],
            BLOCKS[network.class_name]: list(network.n_blocks_per_stage),
            "n_conv_per_stage_decoder": list(network.n_conv_per_stage_decoder),
            "conv_bias": network.conv_bias,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


def parse_preparation(content: dict) -> Preparation:
    """Return the part of a plans.json (or of a preprocessing.json) that arrays depend on."""
    configuration = content["configurations"][CONFIGURATION]
    return Preparation(
        transpose_forward=tuple(content["transpose_forward"]),
        transpose_backward=tuple(content["transpose_backward"]),
        spacing=tuple(configuration["spacing"]),
        normalization_schemes=tuple(configuration["normalization_schemes"]),
        use_mask_for_norm=tuple(configuration["use_mask_for_norm"]),
        intensity_properties=content["foreground_intensity_properties_per_channel"],
        resampling_data=configuration["resampling_fn_data_kwargs"],
        resampling_label=configuration["resampling_fn_seg_kwargs"],
        resampling_probabilities=configuration["resampling_fn_probabilities_kwargs"],
    )


def parse_plan(content: dict) -> Plan:
    """Return the plan that the content of a plans.json describes."""
    configuration = content["configurations"][CONFIGURATION]
    return Plan(
        dataset_name=content["dataset_name"],
        preparation=parse_preparation(content),
        patch_size=tuple(int(edge) for edge in configuration["patch_size"]),
        batch_size=int(configuration["batch_size"]),
        median_image_size=tuple(configuration["median_image_size_in_voxels"]),
        batch_dice=bool(configuration["batch_dice"]),
        architecture=_architecture(configuration["architecture"]),
        image_reader_writer=content["image_reader_writer"],
        raw=content,
    )


def read_plan(path: str | Path) -> Plan:
    """Read the plans.json of a run; BadInput names the file and what is missing or malformed."""
    content = read_record(path, {"configurations": dict})
    return _understood(path, content, parse_plan)


def read_preprocessing(path: str | Path) -> dict:
    """Return the content of preprocessing.json, the part of a plan that arrays depend on."""
    content = read_record(path, {"configurations": dict, "slicewise": dict})
    _understood(path, content, parse_preparation)
    return content


def read_preparation(path: str | Path) -> Preparation:
    """Read preprocessing.json, the part of a plan that exported arrays depend on."""
    content = read_record(path, {"configurations": dict})
    return _understood(path, content, parse_preparation)


def _understood(path: str | Path, content: dict, parse: Callable[[dict], Read]) -> Read:
    """Return what `parse` makes of the content of a file; BadInput where it can make nothing."""
    try:
        return parse(content)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as refused:
        found = f"what is not a 2d plan in nnU-Net v2's schema ({refused!r})"
        raise error("", path, found, "a plan as it was written here", ANEW) from None
