"""How a rule calls its script: arguments by name, a log file, no traceback for what is no bug."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from slicewise import locks
from slicewise.machine import about_the_machine

logger = logging.getLogger("slicewise")

FOR_RERUNS = ("code", "labels", "sizes")
"""Params that make a rule run again when they change: a digest of the modules that it uses, what
dataset.json says of labels, and the sizes of its files. Scripts have no use for them."""


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
        with _logging(Path(snakemake.log[0])):
            _work(main, snakemake)
    except OSError as error:  # of the log file
        with suppress(OSError):
            print(f"ERROR: {about_the_machine(error)}", file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(128 + 2)  # as a shell says it of SIGINT


def _work(main: Callable, snakemake: Any) -> None:
    """Call `main` as a job of its run; what a user can mend is said in a sentence."""
    try:
        with locks.job(snakemake.config["results"], snakemake.rule):
            main(**arguments(snakemake))
    except (ValueError, locks.Busy, OSError, MemoryError) as error:
        logger.debug(traceback.format_exc())
        logger.error(about_the_machine(error) if isinstance(error, OSError) else error)
        sys.exit(1)
    except BaseException:
        logger.debug(traceback.format_exc())
        raise


@contextmanager
def _logging(path: Path) -> Iterator[None]:
    """Send messages to a log file and to stderr, tracebacks to the file only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handlers = [logging.FileHandler(path, "w", encoding="utf-8"), logging.StreamHandler(sys.stderr)]
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
