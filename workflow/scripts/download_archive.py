"""Download the archive of a dataset: the file that its checksum names, or none."""

import hashlib
import logging
import shutil
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from ssl import SSLError
from typing import BinaryIO
from urllib import request
from urllib.error import URLError

from slicewise.archives import CHUNK, SPARE, wrong_checksum
from slicewise.files import flush_files
from slicewise.job import run
from slicewise.problems import BadInput, error

logger = logging.getLogger("slicewise")

SILENCE = 60.0
"""Seconds without a byte after which a server is given up."""

WEB_ONLY = (
    request.ProxyHandler,
    request.HTTPHandler,
    request.HTTPSHandler,
    request.HTTPRedirectHandler,
    request.HTTPDefaultErrorHandler,
    request.HTTPErrorProcessor,
    request.UnknownHandler,
)
"""What opens an address: without ftp:, file: and data:, which a server could lead on to."""

BROKEN = (URLError, HTTPException, ConnectionError, TimeoutError, SSLError)
"""What a server raises that cannot be reached, refuses or falls silent."""


def main(*, url: str, sha256: str, archive: str) -> None:
    """Write the archive at an address, under another name until it is whole and has its checksum.

    A file with another checksum is deleted, as is what a download leaves that broke off.
    """
    target = Path(archive)
    partial = target.with_name(f"{target.name}.part")
    partial.unlink(missing_ok=True)
    try:
        with partial.open("xb") as file:
            found = download(url, file)
        if found != sha256.lower():
            raise wrong_checksum(url, found, sha256)
        flush_files([partial])
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    logger.info("downloaded %s: %s bytes", url, f"{target.stat().st_size:,}")


def download(url: str, file: BinaryIO) -> str:
    """Write what an address gives into a file; return its checksum (sha256).

    Raises BadInput for a server that does not give the file, or not all of it.
    """
    opener = request.OpenerDirector()
    for handler in WEB_ONLY:
        opener.add_handler(handler())
    try:
        with opener.open(url, timeout=SILENCE) as response:
            return _copy(response, file, url)
    except BROKEN as broken:
        raise _failed(url, f"{type(broken).__name__} ({broken})") from None


def _copy(response: HTTPResponse, file: BinaryIO, url: str) -> str:
    """Write all that a server announced into a file; return its checksum (sha256)."""
    announced = response.length
    room = shutil.disk_usage(Path(file.name).parent).free - SPARE
    if announced and announced > room:
        raise error(
            "",
            url,
            f"a file of {announced:,} bytes",
            f"no more than the {max(0, room):,} that the disk has to give",
            "make room or choose another folder for `results`",
        )
    digest, received = hashlib.sha256(), 0
    while chunk := response.read(CHUNK):
        file.write(chunk)
        digest.update(chunk)
        received += len(chunk)
    if announced not in (None, received):
        raise _failed(url, f"{received:,} of {announced:,} bytes before the connection broke")
    return digest.hexdigest()


def _failed(url: str, found: str) -> BadInput:
    """Return the exception to raise for a download that did not come to its end."""
    return error(
        "", url, found, "the whole file", "check address and connection and run the command again"
    )


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
