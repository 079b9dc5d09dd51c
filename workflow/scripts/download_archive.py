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
from slicewise.files import atomic
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
    """Write the archive at an address, whole and with its checksum or not at all."""
    with atomic(archive) as partial:
        with partial.open("xb") as file:
            found = download(url, file)
        if found != sha256.lower():
            raise wrong_checksum(url, found, sha256)
    logger.info("downloaded %s: %s bytes", url, f"{Path(archive).stat().st_size:,}")


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
    """Write all that a server sends into a file; return its checksum (sha256)."""
    announced = response.length
    room = shutil.disk_usage(Path(file.name).parent).free - SPARE
    _check_room(url, announced or 0, room)
    digest, received = hashlib.sha256(), 0
    while chunk := response.read(CHUNK):
        received += len(chunk)
        _check_room(url, received, room)
        file.write(chunk)
        digest.update(chunk)
    if announced not in (None, received):
        raise _failed(url, f"{received:,} of {announced:,} bytes before the connection broke")
    return digest.hexdigest()


def _check_room(url: str, size: int, room: int) -> None:
    """Raise BadInput for a file of more bytes than the disk has to give."""
    if size > room:
        raise error(
            "",
            url,
            f"a file of {size:,} bytes or more",
            f"no more than the {max(0, room):,} that the disk has to give",
            "make room or choose another folder for `results`",
        )


def _failed(url: str, found: str) -> BadInput:
    """Return the exception to raise for a download that did not come to its end."""
    return error(
        "", url, found, "the whole file", "check address and connection and run the command again"
    )


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
