"""A plans.json that the user brings: read, checked, and used as it is.

One of its configurations is used, whatever its name and however it was written down; from here on
it is called 2d.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from slicewise import schemas
from slicewise.documents import read_document
from slicewise.plans import (
    BLOCKS,
    CONFIGURATION,
    Architecture,
    Plan,
    architecture_json,
    parse_plan,
)
from slicewise.problems import Problem, error, refuse_errors, wrong

WHERE = f"configurations.{CONFIGURATION}"
"""Where in a plans.json the configuration stands that is used."""

READERS = {
    "SimpleITKIO": False,
    "NibabelIO": False,
    "NibabelIOWithReorient": True,
    "SimpleITKIOWithReorient": True,
}
"""nnU-Net's readers of NIfTI files, and whether each turns images to RAS+ before it counts axes.

All give arrays in reading order, (z, y, x), as we do.
"""


MOST_ANCESTORS = 100
"""Configurations that one may inherit from in a row."""

EXPECTED = "a plans.json of nnU-Net v2 with a configuration of two spatial dimensions"

LARGEST_BATCH = 2**30
"""Voxels of all patches of a batch at most: 4 GiB for each channel."""

MOST_WEIGHTS = 10**9
"""Weights of a network at most: 4 GB. nnU-Net's largest preset plans about a tenth in 2D."""


def read_user_plan(
    path: str | Path,
    channels: int | None,
    reorient: bool | None,
    configuration: str = CONFIGURATION,
) -> dict:
    """Return the content of a plans.json for a dataset of `channels`, turned to RAS+ or not.

    Both are None where they are not known yet. Its configuration of the given name stands there as
    `2d`. Raises BadInput naming the file, the keys, what was found and what was expected for a plan
    that is not in nnU-Net v2's schema, contradicts itself, asks for absurd amounts of memory or
    does not suit the dataset.
    """
    content = read_document(path, EXPECTED, "set planning.plans to such a file, or to null")
    try:
        content = with_configuration(content, configuration)
    except ValueError as refused:
        raise error("", path, str(refused), EXPECTED) from None
    except (KeyError, TypeError, AttributeError) as refused:
        found = f"a configuration {configuration} that cannot be followed ({refused!r})"
        raise error("", path, found, EXPECTED) from None
    mistakes = schemas.mistakes(content, schemas.read_schema("plans"))
    problems = [mistake.problem(path) for mistake in mistakes]
    if not problems:
        try:
            problems = list(contradictions(path, parse_plan(content), channels, reorient))
        except KeyError as refused:
            problems = [wrong(path, f"no key {refused}", "every key that nnU-Net writes")]
        except ValueError as refused:
            problems = [wrong(path, str(refused), "a network and layers that can be built here")]
    refuse_errors(problems)
    return content


def with_configuration(content: dict, name: str) -> dict:
    """Return a plans.json whose configuration of that name is complete and called 2d.

    A configuration may inherit what it leaves out from another, and plans of nnU-Net before 2.4
    describe networks in keys of their own. A plan that has neither is returned as it is. Raises
    ValueError for a name that is not there and for configurations that inherit from each other.
    """
    known = content.get("configurations")
    if not isinstance(known, dict):
        raise ValueError("no configurations, so perhaps a plan of nnU-Net v1")
    for key, value in known.items():
        if not isinstance(value, dict):
            raise ValueError(f"configurations.{key}: {type(value).__name__}")
    lineage = [name]
    while lineage[-1] in known and "inherits_from" in known[lineage[-1]]:
        parent = known[lineage[-1]]["inherits_from"]
        if parent in lineage:
            raise ValueError(f"inherits_from: {' -> '.join([*lineage, parent])} is a circle")
        if len(lineage) == MOST_ANCESTORS:
            raise ValueError(f"inherits_from: more than {MOST_ANCESTORS} configurations in a row")
        lineage.append(parent)
    if lineage[-1] not in known:
        raise ValueError(f"the configurations {list(known)} without {lineage[-1]}")
    merged: dict = {}
    for ancestor in reversed(lineage):
        merged |= known[ancestor]
    merged.pop("inherits_from", None)
    if "architecture" not in merged and "UNet_class_name" in merged:
        merged = _with_architecture(merged)
    if lineage == [CONFIGURATION] and merged == known[CONFIGURATION]:
        return content
    own = {**content.get("slicewise", {}), "configuration": name}
    return {**content, "configurations": {**known, CONFIGURATION: merged}, "slicewise": own}


def _with_architecture(old: dict) -> dict:
    """Return a configuration with its network as nnU-Net describes it from 2.4 on.

    The layers, then not written down, are those of nnU-Net's ConfigurationManager.
    """
    if old["UNet_class_name"] not in BLOCKS:
        raise ValueError(
            f"UNet_class_name: found {old['UNet_class_name']}, expected {' or '.join(BLOCKS)}"
        )
    widest, stages = old["unet_max_num_features"], len(old["n_conv_per_stage_encoder"])
    network = Architecture(
        class_name=old["UNet_class_name"],
        n_stages=stages,
        features_per_stage=tuple(
            min(old["UNet_base_num_features"] * 2**stage, widest) for stage in range(stages)
        ),
        kernel_sizes=old["conv_kernel_sizes"],
        strides=old["pool_op_kernel_sizes"],
        n_blocks_per_stage=old["n_conv_per_stage_encoder"],
        n_conv_per_stage_decoder=old["n_conv_per_stage_decoder"],
    )
    return old | {"architecture": architecture_json(network)}


def contradictions(
    path: str | Path, plan: Plan, channels: int | None, reorient: bool | None
) -> Iterator[Problem]:
    """Yield what a plan says against itself or against the dataset."""
    forward, backward = plan.preparation.transpose_forward, plan.preparation.transpose_backward
    if [forward[axis] for axis in backward] != [0, 1, 2]:
        expected = f"what undoes transpose_forward, {list(forward)}"
        yield wrong(path, f"transpose_backward: {list(backward)}", expected)
    preparation = plan.preparation
    for key in ("normalization_schemes", "use_mask_for_norm"):
        count = len(getattr(preparation, key))
        if channels is not None and count != channels:
            yield wrong(path, f"{WHERE}.{key}: {count}", f"one for each of {channels} channels")
    known = preparation.intensity_properties
    channels = len(preparation.normalization_schemes) if channels is None else channels
    lacking = [channel for channel in range(channels) if str(channel) not in known]
    if lacking:
        key = "foreground_intensity_properties_per_channel"
        yield wrong(path, f"{key}: those of {', '.join(known)}", f"of channel {lacking[0]} too")
    yield from _reader_problems(path, plan.image_reader_writer, reorient)
    lengths = list(_length_problems(path, plan.architecture))
    # What follows counts stages, and has no say where they are not known.
    yield from lengths or _size_problems(path, plan, channels)


def _reader_problems(path: str | Path, reader: str, reorient: bool | None) -> Iterator[Problem]:
    """Yield that a plan is for files of another kind, or for images turned another way."""
    if reader not in READERS:
        expected = f"one that reads NIfTI files: {', '.join(READERS)}"
        yield wrong(path, f"image_reader_writer: {reader}", expected)
    elif reorient is not None and READERS[reader] != reorient:
        way, setting = ("turned to RAS+", "always") if not reorient else ("as stored", "never")
        yield wrong(
            path,
            f"image_reader_writer: {reader}, so the plan counts axes of images {way}",
            "a plan that counts axes as they are read here",
            f"set preprocessing.reorient: {setting}",
        )


def _length_problems(path: str | Path, network: Architecture) -> Iterator[Problem]:
    """Yield the lists of a network that do not have an entry for each of its stages."""
    blocks = BLOCKS[network.class_name]
    stages = network.n_stages
    for key, values, expected in (
        ("features_per_stage", network.features_per_stage, stages),
        ("kernel_sizes", network.kernel_sizes, stages),
        ("strides", network.strides, stages),
        (blocks, network.n_blocks_per_stage, stages),
        ("n_conv_per_stage_decoder", network.n_conv_per_stage_decoder, stages - 1),
    ):
        if len(values) != expected:
            found = f"{WHERE}.architecture.arch_kwargs.{key}: {len(values)} entries"
            yield wrong(path, found, f"{expected}, as n_stages is {stages}")


def _size_problems(path: str | Path, plan: Plan, channels: int) -> Iterator[Problem]:
    """Yield strides that do not fit the patch, and sizes that no memory holds."""
    network, patch = plan.architecture, list(plan.patch_size)
    if plan.strides[0] != (1, 1):
        found = f"{WHERE}.architecture.arch_kwargs.strides: {list(plan.strides[0])} first"
        yield wrong(path, found, "[1, 1], as the first stage keeps the resolution")
    divisors = [math.prod(stride[axis] for stride in plan.strides) for axis in range(2)]
    for axis, divisor in enumerate(divisors):
        if patch[axis] % divisor:
            expected = f"multiples of {divisor} along axis {axis}, as the strides divide it"
            yield wrong(path, f"{WHERE}.patch_size: {patch}", expected)
    if patch == divisors:
        expected = "a larger one, of which the strides leave more than one voxel to normalise over"
        yield wrong(path, f"{WHERE}.patch_size: {patch}", expected)
    voxels = plan.batch_size * math.prod(patch)
    if voxels > LARGEST_BATCH:
        found = f"{WHERE}: a batch of {plan.batch_size} patches of {patch[0]} x {patch[1]} voxels"
        yield wrong(path, found, f"{LARGEST_BATCH:,} voxels at most, not {voxels:,}")
    weights = weight_count(network, channels)
    if weights > MOST_WEIGHTS:
        found = f"{WHERE}.architecture: a network of {weights:,} weights"
        yield wrong(path, found, f"{MOST_WEIGHTS:,} at most")


def weight_count(network: Architecture, channels: int) -> int:
    """Return about how many weights a network has: those of its convolutions with kernels."""
    features, kernels = network.features_per_stage, [math.prod(k) for k in network.kernel_sizes]
    inputs = (channels, *features)
    total = 0
    for stage, blocks in enumerate(network.n_blocks_per_stage):
        layers = (2 if network.residual else 1) * blocks
        width = features[stage]
        total += kernels[stage] * width * (inputs[stage] + (layers - 1) * width)
    for stage, layers in enumerate(reversed(network.n_conv_per_stage_decoder)):
        width = features[stage]
        total += kernels[stage] * width * (2 * width + (layers - 1) * width)
        total += width * features[stage + 1] * math.prod(network.strides[stage + 1])
    return total
