"""A word to end that is heeded between two steps: Slurm's, Ctrl-C, a terminal that closes.

At a time limit Slurm sends SIGTERM and, half a minute later, SIGKILL. A long loop uses the time to
save its state.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
"""Windows has no SIGHUP."""


class Stopped(Exception):
    """A loop was told to end and did so before its next item.

    status: what the process is to end with, as if the signal had ended it.
    """

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


@contextmanager
def stop_between(
    agree: Callable[[int], int] = int,
) -> Iterator[Callable[[Iterable], Iterator]]:
    """Yield what goes over items until a signal comes, and then raises Stopped for the next one.

    Within it such signals do nothing else, however many come: srun and Snakemake may both pass one
    on. agree: asked before each item with the number of the signal that came, 0 for none, it
    returns that to end for; processes that work side by side end at the same item by it.
    """
    received: list[int] = []

    def items_until_told(items: Iterable) -> Iterator:
        for item in items:
            if told := agree(received[0] if received else 0):
                raise Stopped(told)
            yield item

    with heeding(lambda number, _: received.append(number)):
        yield items_until_told


@contextmanager
def heeding(handle: Callable[[int, object], object]) -> Iterator[None]:
    """Call `handle`, with a signal's number and a frame, in place of what signals to end do.

    A signal that the process was started to ignore, as by nohup, stays ignored.
    """
    heeded = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
