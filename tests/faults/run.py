"""Break slicewise in every way that is known, at full length, and count how often it holds.

`make test-faults` runs this: one line for each promise, a table in results/faults/, and an exit
code that is not 0 where a promise was broken. The ordinary tests run the same code in a short form.
"""

import sys

import promises

MODULES = (
    "bad_scans",
    "bad_documents",
    "threats",
    "training_kills",
    "rank_kills",
    "repeat",
    "workflow_kills",
    "workflow_disks",
    "fuzz",
)
"""Modules of this package, each with a function `measure(folder)`, in the order they are run."""

if __name__ == "__main__":
    what = "Break slicewise and count how often it holds."
    sys.exit(promises.main("faults", MODULES, what, sys.argv[1:]))
