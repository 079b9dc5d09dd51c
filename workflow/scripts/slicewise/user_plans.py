"""A plans.json that the user brings: read, checked, and used as it is.

One of its configurations is used, whatever its name and however it was written down; from here on
it is called 2d.
"""

from __future__ import annotations

import math
from pathlib import Path

from slicewise import schemas
from slicewise.files import read_json
from slicewise.plans import (
    BLOCKS,
    CONFIGURATION,
    Architecture,
    Plan,
    architecture_json,
    parse_plan,
)

READERS = {
    "SimpleITKIO": False,
    "NibabelIO": False,
    "NibabelIOWithReorient": True,
    "SimpleITKIOWithReorient": True,
}
"""nnU-Net's readers of NIfTI files, and whether each turns images to RAS+ before it counts axes.

All give arrays in reading order, (z, y, x), as we do.
"""


def read_user_plan(
    path: str | Path, channels: int, reorient: bool, configuration: str = CONFIGURATION
) -> dict:
    """Return the content of a plans.json for a dataset of `channels`, turned to RAS+ or not.

    Its configuration of the given name stands there as `2d`. Raises ValueError naming the file, the
    key, what was found and what was expected for a plan that is not in nnU-Net v2's schema,
    contradicts itself or does not suit the dataset.
    """
    if not Path(path).exists():
        raise ValueError(f"planning.plans: {path} is missing")
    try:
        content = with_configuration(read_json(path), configuration)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path}: not a plan in nnU-Net v2's schema ({error})") from None
    problems = schemas.problems(content, schemas.read_schema("plans"))
    if not problems:
        try:
            plan = parse_plan(content)
            problems = contradictions(plan, channels, reorient)
        except KeyError as error:
            problems = [f"key {error} is missing"]
        except ValueError as error:
            problems = [str(error)]
    if problems:
        listed = "".join(f"\n  {problem}" for problem in problems)
        raise ValueError(f"{path}: not a 2d plan that can be used here{listed}")
    return content


def with_configuration(content: dict, name: str) -> dict:
    """Return a plans.json whose configuration of that name is complete and called 2d.

    A configuration may inherit what it leaves out from another, and plans of nnU-Net before 2.4
    describe networks in keys of their own. A plan that has neither is returned as it is. Raises
    ValueError for a name that is not there and for configurations that inherit from each other.
    """
    known = content["configurations"]
    lineage = [name]
    while lineage[-1] in known and "inherits_from" in known[lineage[-1]]:
        parent = known[lineage[-1]]["inherits_from"]
        if parent in lineage:
            raise ValueError(f"inherits_from: {' -> '.join([*lineage, parent])} is a circle")
        lineage.append(parent)
    if lineage[-1] not in known:
        raise ValueError(f"found the configurations {list(known)}, expected {lineage[-1]}")
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


def contradictions(plan: Plan, channels: int, reorient: bool) -> list[str]:
    """Return what a plan says against itself or against the dataset, a line each."""
    found = []
    forward, backward = plan.preparation.transpose_forward, plan.preparation.transpose_backward
    if [forward[axis] for axis in backward] != [0, 1, 2]:
        found.append(f"transpose_backward: found {list(backward)}, which does not undo {forward}")
    schemes = plan.preparation.normalization_schemes
    if len(schemes) != channels or len(plan.preparation.use_mask_for_norm) != channels:
        found.append(
            f"configurations.{CONFIGURATION}.normalization_schemes: found {len(schemes)}, expected "
            f"one for each of {channels} channels"
        )
    if plan.image_reader_writer not in READERS:
        found.append(
            f"image_reader_writer: found {plan.image_reader_writer}, expected one that reads NIfTI "
            f"files: {', '.join(READERS)}"
        )
    elif READERS[plan.image_reader_writer] != reorient:
        way, setting = ("turned to RAS+", "always") if not reorient else ("as stored", "never")
        found.append(
            f"image_reader_writer: found {plan.image_reader_writer}, so the plan counts axes of "
            f"images {way}; set preprocessing.reorient: {setting}"
        )
    for axis, edge in enumerate(plan.patch_size):
        divisor = math.prod(stride[axis] for stride in plan.strides)
        if edge % divisor:
            found.append(
                f"configurations.{CONFIGURATION}.patch_size: found {list(plan.patch_size)}, "
                f"expected multiples of {divisor} along axis {axis}, as the strides divide it"
            )
    return found
