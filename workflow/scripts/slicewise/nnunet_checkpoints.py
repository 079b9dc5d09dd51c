"""nnU-Net's checkpoint files, read without running code from them.

A .pth is a pickle, which can call anything while it is read. torch reads one that holds nothing but
tensors and plain values; nnU-Net's hold numpy's scalars as well, in their log. `ALLOWED` is all
that is added for them, and it stands for numpy's own code, which is not run either.
"""

from __future__ import annotations

import struct
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from slicewise.network import from_nnunet

REQUIRED = ("network_weights", "init_args", "trainer_name", "logging")


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


def read_torch(path: str | Path) -> Any:
    """Read a file of torch's without running code from it.

    Raises ValueError naming the file, and what in it only code could read.
    """
    try:
        with torch.serialization.safe_globals(ALLOWED):
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(f"{path} is missing") from None
    except (UnpicklingError, RuntimeError, EOFError, struct.error) as error:
        reason = _forbidden(path) or str(error).splitlines()[0]
        raise ValueError(
            f"{path}: not a checkpoint that can be read without running code from it: {reason}"
        ) from None


def _forbidden(path: str | Path) -> str:
    """Return the names in a file that would run code, in words, or nothing."""
    try:
        with torch.serialization.safe_globals(ALLOWED):
            names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except (ValueError, RuntimeError, UnpicklingError, EOFError):
        return ""
    known = "tensors, numbers, text, lists and dictionaries"
    return f"found {', '.join(names)}, expected {known} only" if names else ""


def read_checkpoint(path: str | Path) -> dict:
    """Read a checkpoint of nnU-Net v2, its numpy scalars as Python's numbers.

    Raises ValueError naming the file for one that would run code and one that is not nnU-Net's.
    """
    content = read_torch(path)
    missing = [key for key in REQUIRED if not isinstance(content, dict) or key not in content]
    if missing:
        raise ValueError(
            f"{path}: not a checkpoint of nnU-Net v2, which would hold {', '.join(missing)}"
        )
    return content


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Return the weights of one of our checkpoints or of nnU-Net's, by our names.

    Raises ValueError naming the file if it is neither.
    """
    content = read_torch(path)
    found = content if isinstance(content, dict) else {}
    if "network" in found:
        return found["network"]
    if "network_weights" in found:
        try:
            return from_nnunet(found["network_weights"])
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    raise ValueError(
        f"{path}: found no weights of a network, expected a checkpoint_final.pt of ours or a .pth "
        "of nnU-Net v2"
    )
