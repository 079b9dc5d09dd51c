"""JSON documents that a user brings or may have touched, read with care."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from slicewise.problems import error

LARGEST = 32 * 2**20
"""Bytes of a document at most: a listing of 100,000 cases has about 20 MB."""

_PICKLE = b"\x80"
"""First byte of a pickle of protocol 2 or later, as nnU-Net v1 writes its plans."""

IN_WORDS = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    float: "a number",
}
"""What JSON holds, by Python's types."""


class _NotPlain(ValueError):
    """JSON that Python would take and that says two things or none."""


def read_document(path: str | Path, expected: str, mend: str = "", kind: type = dict) -> Any:
    """Return the content of a JSON file, an object or, with `kind`, a list.

    expected: what the file should be, in words; mend: what to do if it is not. Raises BadInput
    naming the file for one that is missing, too large, not text, not JSON, cut off, nested too
    deep, of another kind, with a key twice or with a number that is none.
    """
    try:
        return _parse(_read(Path(path)), kind)
    except _NotPlain as refused:
        raise error("", path, str(refused), expected, mend) from None


def _read(path: Path) -> bytes:
    """Return the bytes of a file of acceptable size."""
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise _NotPlain("a folder")
        if not stat.S_ISREG(status.st_mode):
            raise _NotPlain("something that is not a file")
        if status.st_size > LARGEST:
            raise _NotPlain(f"a file of {status.st_size:,} bytes, more than {LARGEST:,}")
        return path.read_bytes()
    except FileNotFoundError:
        raise _NotPlain("no such file") from None
    except OSError as refused:
        raise _NotPlain(f"a file that cannot be read ({refused.strerror})") from None


def _parse(content: bytes, kind: type) -> Any:
    """Return what the bytes of a document say."""
    if content.startswith(_PICKLE):
        raise _NotPlain("a pickle, which is never opened: nnU-Net v1 writes its plans so")
    try:
        text = content.decode("utf-8-sig")  # some editors write a mark in front
        if not text.strip():
            raise _NotPlain("an empty file")
        parsed = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        if "\\ud" in text.lower():
            json.dumps(parsed, ensure_ascii=False).encode("utf-8")
    except UnicodeError as refused:
        raise _NotPlain(f"text that is not UTF-8 ({refused.reason})") from None
    except json.JSONDecodeError as refused:
        found = "JSON that is cut off" if _is_cut(text, refused.pos) else "text that is not JSON"
        raise _NotPlain(f"{found} ({refused})") from None
    except RecursionError:
        raise _NotPlain("JSON whose brackets are nested too deep") from None
    except _NotPlain:
        raise
    except ValueError:  # of int(), which reads no more than 4,300 digits
        raise _NotPlain("a number of thousands of digits") from None
    if not isinstance(parsed, kind):
        raise _NotPlain(f"{IN_WORDS.get(type(parsed), 'a number or null')} at its top level")
    return parsed


def _is_cut(text: str, position: int) -> bool:
    """Say whether a text that is no JSON from a position on is the beginning of some that is."""
    text = text.strip()
    ends = {"{": "}", "[": "]"}
    return text[0] in ends and (text[-1] != ends[text[0]] or position >= len(text))


def _unique(pairs: list[tuple[str, Any]]) -> dict:
    """Return the object of some pairs, none of whose keys may stand there twice."""
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in content if keys.count(key) > 1)
        raise _NotPlain(f"the key {twice!r:.80} twice in one object")
    return content


def _refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python writes and JSON does not know."""
    raise _NotPlain(f"{name}, which is not a number")
