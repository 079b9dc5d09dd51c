"""Run slicewise through a real Slurm on this machine, and count which promises hold.

`make test-slurm` runs this: it installs Debian's packages of Slurm where they are missing, starts
a cluster of one node, prints a line for each promise, writes a table to results/slurm/ and ends
with an exit code that is not 0 where a promise was broken or there can be no cluster.
"""

import signal
import sys
import tempfile
from pathlib import Path

import promises
from slurm.cluster import NoCluster, cluster, install

MODULES = ("whole_run", "disturbed")
"""Modules of this package, each with a function `measure(folder)`, in the order they are run."""


def main(arguments: list[str]) -> int:
    """Run the modules that are named, or all, on a cluster of their own."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        install()
        with (
            tempfile.TemporaryDirectory(prefix="slicewise-slurm-") as folder,
            cluster(Path(folder)),
        ):
            return promises.main("slurm", MODULES, "Run slicewise through Slurm.", arguments)
    except NoCluster as error:
        print(f"FAILED no Slurm here, so nothing was tried: {error}", flush=True)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
