"""What a killed training goes on from: to which training it belongs, and whether it is whole."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from slicewise import problems
from slicewise.device import surroundings
from slicewise.files import write_torch
from slicewise.job import logger
from slicewise.labels import Labels
from slicewise.nnunet_checkpoints import read_torch
from slicewise.plans import Plan
from slicewise.sources import digest
from slicewise.training import Training

BY_WHAT_THEY_LEAD_TO = ("device", "pretrained")
"""Settings that change a training by a kind of device and a file, which count in their place."""

LONGEST_REASON = 200
"""Characters of what torch says of a damaged file."""


def identity(
    plan: Plan, labels: Labels, settings: dict, split: dict, key: tuple, files: list[str]
) -> dict[str, Any]:
    """Return all that a training depends on, by name; a checkpoint of another is not resumed.

    settings: those that its results depend on; key: device type, fold and seed; files: those that
    hold a digest of each exported case, in the order of the groups, and the pretrained weights, if
    any. The code counts too: its script and all modules behind it.
    """
    about = {
        f"training.{name}": value
        for name, value in settings.items()
        if name not in BY_WHAT_THEY_LEAD_TO
    }
    content = hashlib.sha256()
    for path in files:
        content.update(Path(path).read_bytes())
    return about | {
        "plans.json": _digest(plan.raw),
        "the labels": _digest(asdict(labels)),
        "the cases of the fold": _digest(split),
        "device type, fold or seed": list(key),
        "the arrays or the pretrained weights": content.hexdigest(),
        "slicewise itself": digest("train_fold"),
    }


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def save(training: Training, latest: Path, own: dict[str, Any]) -> None:
    """Write what `resume` goes on from; `own`: the identity of the training."""
    about = {"identity": own, "surroundings": surroundings(training.device)}
    write_torch(latest, about | training.state())


def resume(training: Training, latest: Path, own: dict[str, Any]) -> None:
    """Go on from `latest` where it is there and belongs to this very training.

    Raises BadInput for a file that is not whole: days of training may have been in it, so that they
    are not begun anew without a word.
    """
    if not latest.exists():
        return
    with latest.open("rb"):  # one that may not be read is not damaged
        pass
    try:
        state = read_torch(latest)
        if not isinstance(state, dict):
            raise ValueError(f"no state of a training, but a {type(state).__name__}")
        changed = _changed(state["identity"], own)
        if changed:
            logger.warning(
                "%s is of another training, with %d complete epochs: starting anew, and the next "
                "checkpoint will replace it. To go on from it, set back what has changed: %s",
                latest,
                len(state.get("history", ())),
                "; ".join(changed),
            )
            return
        training.restore(state)
        elsewhere = _changed(state["surroundings"], surroundings(training.device))
    except (OSError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # what a file of any content may lead to
        raise problems.error(
            "",
            latest,
            f"a checkpoint that is damaged ({_reason(error)})",
            "the state of this training as it was written",
            "what this fold has been trained so far cannot be read; restore the file from a "
            "backup, or delete it to train this fold anew",
        ) from error
    if elsewhere:
        logger.warning(
            "going on where other programs or another processor round otherwise (%s): the weights "
            "will not be to the byte those of a training that was not interrupted",
            "; ".join(elsewhere),
        )
    steps = len(training.losses)
    logger.info("going on from %s: epoch %d, step %d", latest, len(training.history), steps)


def _reason(error: Exception) -> str:
    """Return what is wrong in a few words."""
    found = error.problems[0].found if isinstance(error, problems.BadInput) else str(error)
    return (found or type(error).__name__).splitlines()[0][:LONGEST_REASON]


def _changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return what differs, in words; values are shown where they are settings."""
    if not isinstance(before, dict):
        return ["slicewise itself"]
    return [
        f"{name} (was {before.get(name)}, is {now.get(name)})" if _is_shown(name) else name
        for name in {**now, **before}
        if before.get(name) != now.get(name)
    ]


def _is_shown(name: str) -> bool:
    """Say whether the value behind a name tells a reader anything: all but digests."""
    return name.startswith("training.") or name in ("torch", "numpy", "processor")
