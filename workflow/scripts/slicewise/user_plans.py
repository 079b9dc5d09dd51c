"""A plans.json that the user brings: read, checked, and used as it is."""

from __future__ import annotations

import math
from pathlib import Path

from slicewise import schemas
from slicewise.files import read_json
from slicewise.plans import CONFIGURATION, Plan, parse_plan

TURNING_READER = "NibabelIOWithReorient"
"""nnU-Net's reader that turns images to RAS+ before it counts axes."""


def read_user_plan(path: str | Path, channels: int, reorient: bool) -> dict:
    """Return the content of a plans.json for a dataset of `channels`, turned to RAS+ or not.

    Raises ValueError naming the file, the key, what was found and what was expected for a plan
    that is not in nnU-Net v2's schema, contradicts itself or does not suit the dataset.
    """
    if not Path(path).exists():
        raise ValueError(f"planning.plans: {path} is missing")
    content = read_json(path)
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
    if (plan.image_reader_writer == TURNING_READER) != reorient:
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
