"""Modules that put promises to the test in real runs: a line for each, a table, an exit code."""

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import astuple, fields
from importlib import import_module
from pathlib import Path

from faults.figures import Figure
from slicewise.files import write_table


def run_module(name: str) -> list[Figure]:
    """Return the figures of a module at full length; one that breaks down is a broken promise.

    The module, by its full name, has a function `measure(folder)`.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            return import_module(name).measure(Path(folder))
        except Exception:
            traceback.print_exc()
            return [Figure(f"{name} runs to its end", 0, 1, "runs", "failed, see above")]


def main(package: str, modules: Sequence[str], what: str, arguments: list[str]) -> int:
    """Run the modules of a package that are named, or all; print, write the table.

    what: what they do, in a sentence. Returns the exit code, not 0 where a promise was broken.
    """
    parser = argparse.ArgumentParser(description=what)
    table = Path(f"results/{package}/{package}.csv")
    parser.add_argument("--table", type=Path, default=table)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(modules)}")
    given = parser.parse_args(arguments)
    unknown = set(given.modules) - set(modules)
    if unknown:
        parser.error(f"found {', '.join(sorted(unknown))}, expected of {', '.join(modules)}")
    figures = []
    for name in given.modules or modules:
        print(f"{package}: {name}", file=sys.stderr, flush=True)
        start = time.monotonic()
        found = run_module(f"{package}.{name}")
        print(*(figure.line() for figure in found), sep="\n", flush=True)
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        figures += found
    columns = [field.name for field in fields(Figure)]
    write_table(given.table, columns, map(astuple, figures))
    broken = sum(not figure.holds for figure in figures)
    print(f"{len(figures) - broken} of {len(figures)} promises kept")
    return int(broken > 0 or not figures)
