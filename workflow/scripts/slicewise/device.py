"""Where a network runs: CUDA, Apple's MPS or the CPU, and in which precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch


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


def memory_format(device: torch.device) -> torch.memory_format:
    """Return the layout of feature maps that is fastest on a device."""
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format


def autocast(device: torch.device, mixed_precision: bool) -> AbstractContextManager:
    """Return a context that computes in 16 bits where that is safe; on CUDA only, as in nnU-Net."""
    if mixed_precision and device.type == "cuda":
        return torch.autocast("cuda")
    return nullcontext()


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
        with ThreadPoolExecutor(workers) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(threads)
