"""Download the archive of a dataset: the file that its checksum names, or none.

What a connection that broke has brought stays beside the archive that it will become, no output of
the rule: the next try, of this job or of another run, goes on from there.
"""

import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse, InvalidURL
from itertools import count
from pathlib import Path
from ssl import SSLCertVerificationError
from urllib import request
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from tqdm import tqdm

from slicewise.archives import CHUNK, SPARE, digest_of, wrong_checksum
from slicewise.files import atomic, write_json
from slicewise.job import run
from slicewise.problems import BadInput, error

logger = logging.getLogger("slicewise")

SILENCE = 60.0
"""Seconds without a byte after which a server is given up."""

WAITS = (1, 3, 9, 27)
"""Seconds before each further try, until one brings more than there was."""

PASSING = {408, 425, 429, 500, 502, 503, 504}
"""What servers answer that are busy or being mended: another try may bring the file."""

PART, NOTHING_MORE = 206, 416
"""The answers to a request for the rest of a file, and for what follows its last byte."""


class Broken(Exception):
    """A try that did not bring the whole file and is worth another."""


class WebOnly(request.HTTPRedirectHandler):
    """Follows an address that leads on, but from https only to https, and never off the web."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        """Return the request that an answer leads on to; raise HTTPError where it must not."""
        onward = urlsplit(newurl).scheme
        if onward != "https" and (req.type == "https" or onward != "http"):
            said = f"it leads on to {newurl}, which is not allowed"
            raise HTTPError(req.full_url, code, said, headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


HANDLERS = (
    request.ProxyHandler,
    request.HTTPHandler,
    request.HTTPSHandler,
    WebOnly,
    request.HTTPDefaultErrorHandler,
    request.HTTPErrorProcessor,
    request.UnknownHandler,
)
"""What opens an address: without ftp:, file: and data:."""


class Partial:
    """The bytes of a download so far, and a record of which file they are of.

    validator: what the server calls the state of the file that they are from: a strong ETag, or
    else when it was last changed; None if it says neither.
    """

    def __init__(self, archive: str | Path, url: str, checksum: str):
        self.path = Path(f"{archive}.partial")
        self.record = Path(f"{archive}.partial.json")
        self._meant = {"url": url, "checksum": checksum.lower()}
        known = self._read()
        self.validator = known.get("validator")
        if self._meant.items() - known.items():
            self.remove()

    def _read(self) -> dict:
        try:
            known = json.loads(self.record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        texts = isinstance(known, dict) and all(isinstance(v, str | None) for v in known.values())
        return known if texts else {}

    @property
    def size(self) -> int:
        """Return how many bytes there are."""
        return self.path.stat().st_size if self.path.exists() else 0

    def begin(self, validator: str | None) -> None:
        """Begin anew, with the file in the state that the server tells."""
        self.remove()
        self.validator = validator
        write_json(self.record, {**self._meant, "validator": validator})

    def remove(self) -> None:
        """Remove what there is."""
        self.path.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)


def main(*, url: str, checksum: str, archive: str) -> None:
    """Write the archive at an address, whole and with its checksum or not at all."""
    Path(archive).parent.mkdir(parents=True, exist_ok=True)
    partial = Partial(archive, url, checksum)
    pieced = download(url, partial)
    found = digest_of(partial.path, checksum)
    if pieced and found != checksum.lower():
        # Perhaps of two files: not every server says that its file has changed.
        logger.warning("%s: its pieces do not fit together, so it is downloaded anew", url)
        partial.remove()
        download(url, partial)
        found = digest_of(partial.path, checksum)
    if found != checksum.lower():
        partial.remove()
        raise wrong_checksum(url, found, checksum)
    with atomic(archive) as whole:
        os.replace(partial.path, whole)
    partial.remove()
    logger.info("downloaded %s: %s bytes", url, f"{Path(archive).stat().st_size:,}")


def download(url: str, partial: Partial) -> bool:
    """Write what an address gives into a partial file; say whether that may be in several pieces.

    A try that breaks is followed by others, after waits that grow. Raises BadInput for a server
    that does not give the file, or no more of it than there was.
    """
    begun = most = partial.size
    if begun:
        logger.info("%s: going on after the first %s bytes, in %s", url, f"{begun:,}", partial.path)
    waits = iter(WAITS)
    for tries in count():
        try:
            _try(url, partial)
            return begun > 0 or tries > 0
        except Broken as broken:
            if partial.size >= most + CHUNK:
                waits = iter(WAITS)
            most = max(most, partial.size)
            wait = next(waits, None)
            if wait is None:
                raise _failed(url, str(broken), partial) from None
            logger.warning("%s: %s; trying again in %d s", url, broken, wait)
            time.sleep(wait)


def _try(url: str, partial: Partial) -> None:
    """Write the rest of a file, or all of it where a server gives no parts; else raise Broken."""
    asked = request.Request(url)
    if begun := partial.size:
        asked.add_header("Range", f"bytes={begun}-")
        if partial.validator:
            asked.add_header("If-Range", partial.validator)
    opener = request.OpenerDirector()
    for handler in HANDLERS:
        opener.add_handler(handler())
    try:
        with opener.open(asked, timeout=SILENCE) as response:
            _take(response, partial, begun, url)
    except HTTPError as refused:
        if refused.code == NOTHING_MORE and begun:
            return  # whether it is whole, its checksum says
        if refused.code in PASSING:
            raise Broken(f"HTTP Error {refused.code}: {refused.reason}") from None
        raise _failed(url, f"HTTP Error {refused.code}: {refused.reason}", partial) from None
    except URLError as unreachable:
        if isinstance(unreachable.reason, SSLCertVerificationError):
            raise _failed(url, str(unreachable.reason), partial) from None
        raise Broken(str(unreachable.reason)) from None
    except (InvalidURL, UnicodeError) as odd:
        raise _failed(url, f"{type(odd).__name__} ({odd})", partial) from None
    except (HTTPException, ConnectionError, TimeoutError) as fault:
        raise Broken(f"{type(fault).__name__} ({fault})") from None


def _take(response: HTTPResponse, partial: Partial, begun: int, url: str) -> None:
    """Write what a server sends to the end of a partial file, or anew if it is not the rest."""
    if not begun or response.status != PART:
        begun = 0
        partial.begin(_validator(response))
    size, announced = begun, response.length
    total = None if announced is None else begun + announced
    room = begun + shutil.disk_usage(partial.path.parent).free - SPARE
    try:
        _check_room(url, total or 0, room)
        with partial.path.open("ab") as file, _bar(begun, total) as bar:
            for chunk in _chunks(response):
                size += len(chunk)
                _check_room(url, size, room)
                file.write(chunk)
                bar.update(len(chunk))
    except BadInput:
        if not partial.size or total is None:  # of a file without end, nothing is worth keeping
            partial.remove()
        raise
    except OSError as full:
        raise OSError(full.errno, full.strerror, str(partial.path)) from full
    if total not in (None, size):
        raise Broken(f"{size:,} of {total:,} bytes before the connection broke")


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    """Yield what a server sends; raise Broken if it stops before the end."""
    try:
        while chunk := response.read(CHUNK):
            yield chunk
    except (HTTPException, OSError) as fault:
        raise Broken(f"{type(fault).__name__} ({fault})") from None


def _validator(response: HTTPResponse) -> str | None:
    """Return by what a server would know the file in its present state again, if it says so."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


def _bar(begun: int, total: int | None) -> tqdm:
    """Return the progress bar of a file of so many bytes."""
    often = 0.5 if sys.stderr.isatty() else 30
    return tqdm(total=total, initial=begun, unit="B", unit_scale=True, mininterval=often)


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


def _failed(url: str, found: str, partial: Partial) -> BadInput:
    """Return the exception to raise for a download that did not come to its end."""
    mend = "check address and connection and run the command again"
    if partial.size:
        mend += f", which goes on from the {partial.size:,} bytes in {partial.path}"
    return error("", url, found, "the whole file", mend)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
