"""How a rule calls its script: arguments by name, a log file, no traceback for what is no bug."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from slicewise import hardware, locks
from slicewise.machine import about_the_machine

logger = logging.getLogger("slicewise")

FOR_RERUNS = ("code", "labels", "sizes")
"""Params that make a rule run again when they change: a digest of the modules that it uses, what
dataset.json says of labels, and the sizes of its files. Scripts have no use for them."""

MACHINE = "machine: "
"""Stands in the first line of every log file before the machine that the job runs on, as JSON."""


def arguments(snakemake: Any) -> dict[str, Any]:
    """Return a job's named inputs, params and outputs; unnamed ones only order the jobs."""
    named = {}
    for part in (snakemake.input, snakemake.params, snakemake.output):
        named.update(part.items())
    return {name: value for name, value in named.items() if name not in FOR_RERUNS}


def run(main: Callable, snakemake: Any) -> None:
    """Call `main` with the arguments of a job, logging to the job's log file and to stderr.

    A ValueError is about the user's data, an OSError or a MemoryError about the machine: only what
    it says is shown, and the process ends with status 1. Any other error is ours and keeps its
    traceback. The log file has that of all.
    """
    try:
        log = Path(snakemake.log[0])
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
        with logging_to(log):
            _work(main, snakemake)
    except OSError as error:  # of the log file
        with suppress(OSError):
            print(f"ERROR: {about_the_machine(error)}", file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(128 + 2)  # as a shell says it of SIGINT


def _work(main: Callable, snakemake: Any) -> None:
    """Call `main` as a job of its run; what a user can mend is said in a sentence."""
    logger.debug("%s%s", MACHINE, json.dumps(hardware.machine()))
    try:
        with locks.job(snakemake.config["results"], snakemake.rule):
            main(**arguments(snakemake))
    except BaseException as error:
        logger.debug(traceback.format_exc())
        explained = explain(error)
        if explained is None:
            raise
        logger.error(explained)
        sys.exit(1)


def explain(error: BaseException) -> str | None:
    """Return what a user can mend, in words; None for an error that is ours."""
    if isinstance(error, OSError):
        return about_the_machine(error)
    return str(error) if isinstance(error, ValueError | locks.Busy | MemoryError) else None


@contextmanager
def logging_to(path: str | Path) -> Iterator[None]:
    """Add messages to a log file and send them to stderr, tracebacks to the file only.

    Several processes may add to it.
    """
    handlers = [logging.FileHandler(path, encoding="utf-8"), logging.StreamHandler(sys.stderr)]
    handlers[1].setLevel(logging.INFO)
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logging.raiseExceptions = False  # a log on a full disk is no reason to say more of it
    try:
        yield
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
        with suppress(OSError):
            handlers[0].close()
