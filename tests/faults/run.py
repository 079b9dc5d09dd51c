"""Break slicewise in every way that is known, at full length, and count how often it holds.

`make test-faults` runs this: one line for each promise, a table in results/faults/, and an exit
code that is not 0 where a promise was broken. The ordinary tests run the same code in a short form.
"""

import argparse
import sys
import tempfile
import time
import traceback
from dataclasses import astuple, fields
from importlib import import_module
from pathlib import Path

from faults.figures import Figure
from slicewise.files import write_table

MODULES = (
    "bad_scans",
    "bad_documents",
    "threats",
    "training_kills",
    "repeat",
    "workflow_kills",
    "workflow_disks",
    "fuzz",
)
"""Modules of this package, each with a function `measure(folder)`, in the order they are run."""


def run_module(name: str) -> list[Figure]:
    """Return the figures of a module at full length; one that breaks down is a broken promise."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return import_module(f"faults.{name}").measure(Path(folder))
        except Exception:
            traceback.print_exc()
            return [Figure(f"{name} runs to its end", 0, 1, "runs", "failed, see above")]


def main(arguments: list[str]) -> int:
    """Run the modules that are named, or all; print, write the table, return the exit code."""
    parser = argparse.ArgumentParser(description="Break slicewise and count how often it holds.")
    parser.add_argument("--table", type=Path, default=Path("results/faults/faults.csv"))
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(MODULES)}")
    given = parser.parse_args(arguments)
    unknown = set(given.modules) - set(MODULES)
    if unknown:
        parser.error(f"found {', '.join(sorted(unknown))}, expected of {', '.join(MODULES)}")
    figures = []
    for name in given.modules or MODULES:
        print(f"breaking: {name}", file=sys.stderr, flush=True)
        start = time.monotonic()
        found = run_module(name)
        print(*(figure.line() for figure in found), sep="\n", flush=True)
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        figures += found
    columns = [field.name for field in fields(Figure)]
    write_table(given.table, columns, map(astuple, figures))
    broken = sum(not figure.holds for figure in figures)
    print(f"{len(figures) - broken} of {len(figures)} promises kept")
    return int(broken > 0 or not figures)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
