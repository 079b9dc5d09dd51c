"""nnU-Net's checkpoint files, read without running code from them.

A .pth is a pickle, which can call anything while it is read. torch reads one that holds nothing but
tensors and plain values; nnU-Net's hold numpy's scalars as well, in their log. `ALLOWED` is all
that is added for them, and it stands for numpy's own code, which is not run either.
"""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from slicewise.network import from_nnunet
from slicewise.problems import BadInput, error
from slicewise.records import ANEW

REQUIRED = {"network_weights": dict, "init_args": dict, "trainer_name": str, "logging": object}
"""What a checkpoint of nnU-Net's holds and is read here."""

CODES = {"f2": "e", "f4": "f", "f8": "d", "i4": "i", "i8": "q", "b1": "?"}
"""Types of numbers by numpy's code and by that of struct."""


class NumberType:
    """Stands for numpy.dtype in a checkpoint: the type of one number."""

    def __init__(self, code: str, *_: bool) -> None:
        if code not in CODES:
            raise UnpicklingError(f"a number of type {code!r}, expected one of {list(CODES)}")
        self.layout = f"<{CODES[code]}"

    def __setstate__(self, state: tuple) -> None:
        self.layout = f"{'>' if state[1] == '>' else '<'}{self.layout[1]}"


def number(kind: NumberType, content: bytes) -> float | int | bool:
    """Stand for numpy's scalar in a checkpoint: return the number that its bytes are."""
    return struct.unpack(kind.layout, content)[0]


ALLOWED = [
    (NumberType, "numpy.dtype"),
    (number, "numpy._core.multiarray.scalar"),  # numpy 2
    (number, "numpy.core.multiarray.scalar"),  # numpy 1
]
"""What is called for the names that nnU-Net's checkpoints hold beyond those that torch allows."""


EXPECTED = "a checkpoint of tensors, numbers, text, lists and dictionaries alone"
"""What torch reads without running code."""

DAMAGED = (
    *(UnpicklingError, RuntimeError, EOFError, struct.error, OSError, zipfile.BadZipFile),
    *(ValueError, TypeError, LookupError, AttributeError, AssertionError, OverflowError),
)
"""What torch raises for files that are cut off, damaged or made up."""

ZIP = b"PK\3\4"
"""How torch knows an archive."""

MOST_WEIGHTS = 2 * 10**9
"""Weights of a network at most, twice as many as a plan may ask for."""


def read_torch(path: str | Path) -> Any:
    """Read a file of torch's without running code from it.

    Raises BadInput naming the file, and what in it only code could read.
    """
    try:
        if Path(path).stat().st_size == 0:
            raise error("", path, "an empty file", EXPECTED)
        _check_archive(path)
        with torch.serialization.safe_globals(ALLOWED):
            return torch.load(_source(path), map_location="cpu", weights_only=True)
    except BadInput:
        raise
    except FileNotFoundError:
        raise error("", path, "no such file", EXPECTED) from None
    except DAMAGED as refused:
        reason = _forbidden(path) or f"what torch cannot read ({_first_line(refused)})"
        raise error("", path, reason, EXPECTED) from None


def _source(path: str | Path) -> str | Path | io.BytesIO:
    """Return what torch is to read: the file, or its bytes where it is no archive.

    Out of a file, torch would ask for as much memory as any text in it claims to be long.
    """
    with open(path, "rb") as file:
        return path if file.read(4) == ZIP else io.BytesIO(Path(path).read_bytes())


def _check_archive(path: str | Path) -> None:
    """Raise BadInput for an archive that is compressed or whose sums are wrong.

    torch writes none that would take more memory than disk, and takes changed bytes as they come.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
            if unpacked > Path(path).stat().st_size:
                raise error("", path, f"a compressed archive of {unpacked:,} bytes", EXPECTED)
            damaged = archive.testzip()
        if damaged:
            raise error("", path, f"{damaged} with other bytes than were written", EXPECTED)


def _first_line(refused: BaseException) -> str:
    return (str(refused) or type(refused).__name__).splitlines()[0]


def _forbidden(path: str | Path) -> str:
    """Return the names in a file that would run code, in words, or nothing."""
    try:
        with torch.serialization.safe_globals(ALLOWED):
            names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except DAMAGED:
        return ""
    return f"code to run, {', '.join(names)}" if names else ""


def checked_weights(path: str | Path, weights: Any) -> dict[str, Tensor]:
    """Return weights of a checkpoint, by any names, if they are finite numbers in tensors."""
    expected = "the weights of a network, finite numbers in tensors with names"
    if not isinstance(weights, dict) or not weights:
        raise error("", path, "no weights of a network", expected)
    for name, tensor in weights.items():
        plain = isinstance(tensor, Tensor) and tensor.layout == torch.strided
        if not isinstance(name, str) or not plain or not tensor.is_floating_point():
            found = f"{name!r:.80}: {type(tensor).__name__} of another kind"
            raise error("", path, found, expected)
    count = sum(tensor.numel() for tensor in weights.values())
    if count > MOST_WEIGHTS:
        raise error("", path, f"{count:,} weights", f"{MOST_WEIGHTS:,} at most")
    for name, tensor in weights.items():
        if not torch.isfinite(tensor).all():
            mend = "train it again: its training has diverged, or the file is damaged"
            raise error("", path, f"{name} with nan or infinite weights", expected, mend)
    return weights


def load_network(path: str | Path, network: nn.Module) -> dict:
    """Give a network the weights of a checkpoint_final.pt of ours, and return all that it holds.

    Raises BadInput naming the file for one that is damaged or of another network.
    """
    saved = read_torch(path)
    weights = checked_weights(path, saved.get("network") if isinstance(saved, dict) else None)
    try:
        network.load_state_dict(weights)
    except RuntimeError as refused:
        found = f"the weights of another network ({_first_line(refused)})"
        raise error("", path, found, "those of this plan's network", ANEW) from None
    return saved


def read_checkpoint(path: str | Path) -> dict:
    """Read a checkpoint of nnU-Net v2, its numpy scalars as Python's numbers.

    Raises BadInput naming the file for one that would run code and one that is not nnU-Net's.
    """
    content = read_torch(path)
    for key, kind in REQUIRED.items():
        known = isinstance(content, dict) and key in content
        if not known or not isinstance(content[key], kind):
            expected = f"a checkpoint of nnU-Net v2, with {', '.join(REQUIRED)}"
            raise error("", path, f"no {key}", expected)
    trainer = content["trainer_name"]
    if not (trainer.isascii() and trainer.isidentifier()):
        # It becomes a part of a folder's name where the model is written for nnU-Net again.
        raise error("", path, f"trainer_name: {trainer!r:.80}", "the name of a class")
    axes = content.get("inference_allowed_mirroring_axes")
    if axes is not None and not _are_axes(axes):
        key = "inference_allowed_mirroring_axes"
        raise error("", path, f"{key}: {axes!r:.80}", "some of the axes 0 and 1 of a slice")
    return content


def _are_axes(axes: Any) -> bool:
    """Say whether these are some of the two axes of a slice, each once at most."""
    listed = isinstance(axes, list | tuple) and len(axes) <= 2
    return listed and all(type(axis) is int and axis in (0, 1) for axis in axes)


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Return the weights of one of our checkpoints or of nnU-Net's, by our names.

    Raises BadInput naming the file if it is neither.
    """
    content = read_torch(path)
    found = content if isinstance(content, dict) else {}
    if "network" in found:
        return checked_weights(path, found["network"])
    if "network_weights" in found:
        try:
            return from_nnunet(checked_weights(path, found["network_weights"]))
        except ValueError as refused:
            raise error("", path, str(refused), "a network of nnU-Net's own") from None
    expected = "a checkpoint_final.pt of ours or a .pth of nnU-Net v2"
    raise error("", path, "no weights of a network", expected)
