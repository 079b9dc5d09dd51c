"""Checkpoints of imported models that are wrong, and the words that the message must hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from faults.spoilt_documents import Defect, modelled
from slicewise.nnunet_checkpoints import read_checkpoint


def checkpoint(change: Callable[[dict], object]) -> Callable[[Path], None]:
    """Change what the checkpoint of a model's fold 0 holds."""

    def spoil(folder: Path) -> None:
        path = folder / "fold_0/checkpoint_final.pth"
        content = read_checkpoint(path)
        change(content)
        torch.save(content, path)

    return spoil


def cut(folder: Path) -> None:
    path = folder / "fold_0/checkpoint_final.pth"
    path.write_bytes(path.read_bytes()[:3000])


def code_in(folder: Path) -> None:
    checkpoint(lambda content: content.update(logging=_Code()))(folder)


class _Code:
    """Would make a file where it is read by a reader that runs code."""

    def __reduce__(self) -> tuple:
        return Path.touch, (Path("ran"),)


def _spoil_one(content: dict, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    name = next(name for name in content["network_weights"] if name.endswith("conv.weight"))
    content["network_weights"][name] = change(content["network_weights"][name])


def bytes_of(content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / "fold_0/checkpoint_final.pth").write_bytes(content)


CHECKPOINTS = [
    Defect("a checkpoint cut off", modelled(cut), ("found what torch cannot read",)),
    Defect("an empty checkpoint", modelled(bytes_of(b"")), ("found an empty file",)),
    Defect("a text for a checkpoint", modelled(bytes_of(b"weights")), ("torch cannot read",)),
    Defect("code in a checkpoint", modelled(code_in), ("found code to run",)),
    Defect(
        "weights of nan",
        modelled(checkpoint(lambda c: _spoil_one(c, lambda w: w * float("nan")))),
        ("nan or infinite weights",),
    ),
    Defect(
        "weights of another shape",
        modelled(checkpoint(lambda c: _spoil_one(c, lambda w: w[:1]))),
        ("not the network of the plan",),
    ),
    Defect(
        "weights that take a terabyte",
        modelled(checkpoint(lambda c: _spoil_one(c, lambda w: torch.zeros(1).expand(2**38)))),
        ("weights", "2,000,000,000 at most"),
    ),
    Defect(
        "no weights",
        modelled(checkpoint(lambda content: content.pop("network_weights"))),
        ("found no network_weights",),
    ),
    Defect(
        "numbers for weights",
        modelled(checkpoint(lambda content: content.update(network_weights={"a": 1}))),
        ("'a': int of another kind",),
    ),
    Defect(
        "no log",
        modelled(checkpoint(lambda content: content.update(logging={"lrs": 3}))),
        ("a log that cannot be read",),
    ),
    Defect(
        "a trainer that is a path",
        modelled(checkpoint(lambda content: content.update(trainer_name="../../up"))),
        ("trainer_name: '../../up'",),
    ),
    Defect(
        "an axis that is none",
        modelled(checkpoint(lambda c: c.update(inference_allowed_mirroring_axes=[7]))),
        ("inference_allowed_mirroring_axes: [7]",),
    ),
]
"""Those of imported models; each needs five cases, as the model knows."""
