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
def stop_between() -> Iterator[Callable[[Iterable], Iterator]]:
    """Yield what goes over items until a signal comes, and then raises Stopped for the next one.

    Within it such signals do nothing else, however many come: srun and Snakemake may both pass one
    on. A signal that the process was started to ignore, as by nohup, stays ignored.
    """
    received: list[int] = []

    def items_until_told(items: Iterable) -> Iterator:
        for item in items:
            if received:
                raise Stopped(received[0])
            yield item

    heeded = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {
        number: signal.signal(number, lambda number, _: received.append(number))
        for number in heeded
    }
    try:
        yield items_until_told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
