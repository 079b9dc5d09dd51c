"""How a rule calls its script: arguments by name, a log file, bad data without a traceback."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

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

    A ValueError is about the user's data: its message is shown and the process ends with status 1.
    Any other error is ours and keeps its traceback, in the log file too.
    """
    path = Path(snakemake.log[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as log:
        handlers = [logging.StreamHandler(stream) for stream in (log, sys.stderr)]
        for handler in handlers:
            handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
            logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            main(**arguments(snakemake))
        except ValueError as error:
            log.write(traceback.format_exc())
            logger.error(error)
            sys.exit(1)
        except Exception:
            log.write(traceback.format_exc())
            raise
        finally:
            for handler in handlers:
                logger.removeHandler(handler)
