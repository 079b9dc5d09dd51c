"""Hold slicewise to nnU-Net itself, run live on the same files, weights and batches.

`make parity` runs this: one line for each comparison, a table in results/parity/, and an exit code
that is not 0 where a difference is out of its bound.
"""

import argparse
import logging
import os
import sys
import tempfile
import traceback
from importlib import import_module
from pathlib import Path

from parity.comparison import Comparison, exit_code, summary, write_table

MODULES = ("preprocessing", "planning", "augmentation", "training", "inference", "trade")
"""Modules of this package, each with a function `compare`, in the order they are run."""


def run_module(name: str, python: Path, data: Path | None) -> list[Comparison]:
    """Return the comparisons of a module; one that breaks down is a comparison out of bound."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return import_module(f"parity.{name}").compare(python, Path(folder), data)
        except Exception:
            traceback.print_exc()
            return [Comparison(f"{name}: failed, see above", float("nan"), 0)]


def real_data() -> Path | None:
    """Return the folder of the real scans in SLICEWISE_REAL_DATA, or None where it is not set."""
    root = os.environ.get("SLICEWISE_REAL_DATA")
    return Path(root).resolve() / "Dataset004_Hippocampus" if root else None


def main(arguments: list[str]) -> int:
    """Run the modules that are named, or all; print, write the table, return the exit code."""
    parser = argparse.ArgumentParser(description="Compare slicewise with nnU-Net.")
    parser.add_argument("--nnunet", type=Path, required=True, help="python of its environment")
    parser.add_argument("--table", type=Path, default=Path("results/parity/parity.csv"))
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(MODULES)}")
    given = parser.parse_args(arguments)
    unknown = set(given.modules) - set(MODULES)
    if unknown:
        parser.error(f"found {', '.join(sorted(unknown))}, expected of {', '.join(MODULES)}")
    comparisons = []
    for name in given.modules or MODULES:
        print(f"comparing {name}", file=sys.stderr, flush=True)
        found = run_module(name, given.nnunet.absolute(), real_data())
        print(*(comparison.line() for comparison in found), sep="\n", flush=True)
        comparisons += found
    write_table(given.table, comparisons)
    print(summary(comparisons))
    return exit_code(comparisons)


if __name__ == "__main__":
    # what plans of such small datasets warn of is no news here
    logging.getLogger("slicewise").setLevel(logging.ERROR)
    sys.exit(main(sys.argv[1:]))
