"""The other end of measuring.Worker, in the process of either program: work when asked."""

import json
import os
import sys
from collections.abc import Callable


def claim_output() -> Callable[[dict], None]:
    """Return what writes a line of JSON to the standard output, which nothing else gets any more.

    Programs print what they like; from here on that goes to the standard error output.
    """
    sys.stdout.flush()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def tell(content: dict) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    return tell


def serve(tell: Callable[[dict], None], ready: dict, work: Callable[[], dict]) -> None:
    """Say `ready`, then do the work once for each line of the standard input."""
    tell(ready)
    for _ in sys.stdin:
        tell(work())
