"""Unpack the archive of a dataset, once its checksum says that it is the one that was meant."""

import logging
from pathlib import Path

from slicewise.archives import check_digest, unpack
from slicewise.job import run

logger = logging.getLogger("slicewise")


def main(*, archive, checksum: str, raw: str) -> None:
    """Write the folder `raw` with all that the archive holds."""
    check_digest(Path(archive), checksum)
    unpack(Path(archive), Path(raw))
    logger.info("unpacked %s", archive)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
