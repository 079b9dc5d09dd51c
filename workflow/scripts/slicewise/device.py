"""Where a network runs: CUDA, Apple's MPS or the CPU, in which precision and how much at once."""

from __future__ import annotations

import ctypes
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch

CPU_VOXELS = 2**17
"""Voxels of image that a training on the CPU takes through the network at once, if it can choose.

Measured on 56 x 40 and 256 x 320: from 36,000 to 160,000 voxels a forward and backward step costs
the same for each of them. Fewer make matrices too small, more only take memory.
"""

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""Parameters of glibc's mallopt (malloc.h)."""


def choose_device(name: str) -> torch.device:
    """Return the device of a config value; `auto` takes CUDA, else MPS, else the CPU.

    Raises ValueError for a device that this machine does not have.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(kind for kind, there in available.items() if there)
    if not available.get(name, False):
        there = [kind for kind, is_there in available.items() if is_there]
        raise ValueError(f"training.device: found {name}, expected auto or one of {there}")
    return torch.device(name)


def set_determinism(device: torch.device, deterministic: bool) -> None:
    """Have CUDA give the same bytes each time, or else let it try out and take what is fastest.

    A CPU gives them for the same number of threads, whatever is said here. On CUDA torch refuses,
    with a RuntimeError that names it, an operation that it cannot repeat; training and prediction
    use none that torch lists so. TF32 stays as torch has it: it rounds more, but always the same.
    """
    wanted = deterministic and device.type == "cuda"
    if wanted:
        # read when cuBLAS starts; torch refuses matrix products without it
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # asked first: to set it imports torch's compiler, which takes a second
    if torch.are_deterministic_algorithms_enabled() != wanted:
        torch.use_deterministic_algorithms(wanted)
    # It would fill all new memory, so that what is read before it is written repeats, too.
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.backends.cudnn.deterministic = wanted
    torch.backends.cudnn.benchmark = not deterministic and device.type == "cuda"


def surroundings(device: torch.device) -> dict[str, str]:
    """Return what decides how results are rounded beside all settings, in words."""
    on_gpu = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if on_gpu else torch.backends.cpu.get_cpu_capability()
    # torch's version is of a type of its own, which a checkpoint could not hold
    return {"torch": str(torch.__version__), "numpy": np.__version__, "processor": name}


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a tensor on a device; a copy from pinned memory goes on in the background."""
    return tensor.to(device, non_blocking=tensor.is_pinned())


def memory_format(device: torch.device) -> torch.memory_format:
    """Return the layout of feature maps that is fastest on a device."""
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format


def autocast(device: torch.device, mixed_precision: bool) -> AbstractContextManager:
    """Return a context that computes in 16 bits where that is safe; on CUDA only, as in nnU-Net."""
    if mixed_precision and device.type == "cuda":
        return torch.autocast("cuda")
    return nullcontext()


def micro_batch_size(device: torch.device, patch: Sequence[int]) -> int | None:
    """Return how many patches (row, column) to train on at once, None for any number of them."""
    return max(1, round(CPU_VOXELS / math.prod(patch))) if device.type == "cpu" else None


def keep_freed_memory() -> None:
    """Have this process keep memory that it freed for its next step, where its C library is glibc.

    It would give that of large feature maps back to the system, and each step would fetch it anew,
    page by page. The peak of a step stays the same; threads that prepare batches may hold more.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(TRIM_THRESHOLD, -1)
        mallopt(MMAP_MAX, 0)


@contextmanager
def side_by_side(device: torch.device, calls: int) -> Iterator[Callable]:
    """Yield a `map` for so many calls of a function, which makes several at once on a CPU.

    Each of torch's threads makes calls of its own, so that no thread waits for another at every
    small layer; several share a call only where there are fewer calls than threads. Results come
    in order, and do not depend on the number of threads unless they are shared.
    """
    threads = torch.get_num_threads()
    workers = min(threads, calls)
    if device.type != "cpu" or workers <= 1:
        yield map
        return
    torch.set_num_threads(threads // workers)
    try:
        # A new thread takes over how many threads it may use only when it is asked for them.
        with ThreadPoolExecutor(workers, initializer=torch.get_num_threads) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(threads)
