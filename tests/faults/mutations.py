"""Files made a little wrong: seeded, so that an input is known by its number.

Bytes are changed where they stand, cut, doubled and mixed with those of other files; the fields of
a binary header take the values at the ends of their types; JSON is changed value by value first.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

LONGEST = 1 << 16
"""Bytes that a mutated file has at most, unless a file of its own is longer."""

INTEGERS = (0, 1, -1, 2, 3, 4, 7, 8, 127, 128, 255, 256, 257, 32767, -32768, 65535, 2**31 - 1)
FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-45, 1e-6, 1e-4, 0.5, 3.0, 352.0, 1e6, 1e30, 3.4e38)
SPECIAL_FLOATS = (float("nan"), float("inf"), float("-inf"))

FOREIGN = (b"\0" * 16, b"\xff" * 16, b"\x1f\x8b\x08\0", b"n+1\0", b"ni1\0", b"n+2\0\r\n\x1a\n")
FOREIGN += (b"<?xml version='1.0'?>", b"PK\x03\x04", b"\x93NUMPY", b'{"a": [', b"\xef\xbb\xbf")
"""Beginnings of other files, and bytes in a row."""


# Bytes


def mutated_bytes(rng: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Return content after one to four changes; `others` are files to take pieces from."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4))):
        rng.choice(BYTE_CHANGES)(rng, changed, others)
    return bytes(changed[: max(LONGEST, len(content))])


def _place(rng: Random, content: bytearray) -> int:
    """Return where to change a file; half of the time near its beginning, where headers are."""
    longest = len(content) if rng.random() < 0.5 else min(len(content), 400)
    return rng.randrange(longest + 1)


def _flip_bit(rng: Random, content: bytearray, _others: Sequence[bytes]) -> None:
    if content:
        content[min(_place(rng, content), len(content) - 1)] ^= 1 << rng.randrange(8)


def _overwrite(rng: Random, content: bytearray, _others: Sequence[bytes]) -> None:
    start, count = _place(rng, content), rng.choice((1, 2, 4, 8, 64))
    content[start : start + count] = rng.randbytes(count)


def _cut_off(rng: Random, content: bytearray, _others: Sequence[bytes]) -> None:
    del content[_place(rng, content) :]


def _cut_out(rng: Random, content: bytearray, _others: Sequence[bytes]) -> None:
    start = _place(rng, content)
    del content[start : start + rng.choice((1, 2, 4, 16, 100))]


def _double(rng: Random, content: bytearray, _others: Sequence[bytes]) -> None:
    start = _place(rng, content)
    piece = content[start : start + rng.choice((1, 4, 30, 400))]
    content[start:start] = piece * rng.choice((1, 2, 20))


def _insert_foreign(rng: Random, content: bytearray, _others: Sequence[bytes]) -> None:
    start, piece = _place(rng, content), rng.choice(FOREIGN)
    content[start : start + rng.choice((0, len(piece)))] = piece


def _splice(rng: Random, content: bytearray, others: Sequence[bytes]) -> None:
    """Go on with another file from some place on, at that place or at another one."""
    other, start = rng.choice(others), _place(rng, content)
    begin = start if rng.random() < 0.7 else rng.randrange(len(other) + 1)
    content[start:] = other[begin:]


BYTE_CHANGES = (_flip_bit, _overwrite, _cut_off, _cut_out, _double, _insert_foreign, _splice)


# Fields of binary headers

Field = tuple[int, str]
"""Where a field begins, and its type in the words of struct."""


def mutated_fields(rng: Random, content: bytes, fields: Sequence[Field], order: str) -> bytes:
    """Return a file with one to three fields of its header at values that are seldom met.

    order: < or >, the order of bytes.
    """
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        start, kind = rng.choice(fields)
        size = struct.calcsize(order + kind)
        if start + size <= len(changed):
            changed[start : start + size] = _field_value(rng, order + kind)
    return bytes(changed)


def _field_value(rng: Random, kind: str) -> bytes:
    if kind[-1] == "s":
        size = struct.calcsize(kind)
        return (rng.choice(FOREIGN) * size)[:size]
    if kind[-1] in "fd":
        random = rng.choice((rng.uniform(-4, 4), rng.lognormvariate(0, 8)))
        return struct.pack(kind, rng.choice((rng.choice(FLOATS + SPECIAL_FLOATS), random)))
    bits = 8 * struct.calcsize(kind)
    value = rng.choice((rng.choice(INTEGERS), rng.randrange(1100), rng.getrandbits(bits)))
    value %= 1 << bits
    return value.to_bytes(bits // 8, "little" if kind[0] == "<" else "big")


# JSON

RAW = "\ue000{}\ue000"
"""Stands for a piece of text that no value can be written as."""

VALUES = (None, True, False, 0, 1, -1, 2, 3, 10**6, 2**31, 2**63, 2**64, 10**30, 0.5, -0.5, 1e-30)
VALUES += (1e300, 1.0, 2.5, "", "0", "1", " ", "a", "..", "../../x", "/x", "-x", "x" * 300, "~")
VALUES += ("\0", "a\0b", "a\nb", "\u202e", "ä", "\U0001f9e0", "{x}", "$(x)", "2d", "background")
VALUES += ("ignore", "CT", ".nii.gz", ".nii", "__import__", [], {}, [[]], [{}], {"": 0})
VALUES += ([0], [0, 0], [1, 1], [1, 2, 3], ["a"], [None], {"a": {}}, {"0": "a"}, {"a": [1, [2]]})

RAW_TEXTS = ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "-0", "00", "1" * 5000, "0x10")
RAW_TEXTS += ('"\\ud800"', '"\\udfff\\ud800"', '"\\u0000"', "'a'", "nul", "", ",", ":", "]", "}")
RAW_TEXTS += ("[" * 500 + "]" * 500, "[" * 30_000, "[" * 30_000 + "]" * 30_000)
RAW_TEXTS += ('{"a":' * 10_000 + "1" + "}" * 10_000, "// a", '"a": 1, "a": 2', "\x00", "\ufeff")


def mutated_json(rng: Random, document: Any, others: Sequence[bytes]) -> bytes:
    """Return the bytes of a document after one to four changes of its values or its bytes."""
    changed, raw = json.loads(json.dumps(document)), []
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4))):
        places = list(_places(changed))
        if not places:
            break
        holder, key = rng.choice(places)
        rng.choice(JSON_CHANGES)(rng, holder, key, raw)
    text = json.dumps(changed, ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, 4)))
    text = text.replace("\\ue000", "\ue000")
    for number, piece in enumerate(raw):
        text = text.replace(f'"{RAW.format(number)}"', piece)
    coding = rng.choice(("utf-8",) * 30 + ("utf-8-sig", "utf-16", "latin-1"))
    content = text.encode(coding, "replace")
    return mutated_bytes(rng, content, others) if rng.random() < 0.15 else content


def _places(document: Any) -> list[tuple[Any, Any]]:
    """Return every place of a document: the list or mapping that holds it, and its key there."""
    found, waiting = [], [document]
    while waiting:
        holder = waiting.pop()
        items = holder.items() if isinstance(holder, dict) else enumerate(holder)
        for key, value in items:
            found.append((holder, key))
            if isinstance(value, dict | list):
                waiting.append(value)
    return found


def _replace(rng: Random, holder: Any, key: Any, _raw: list[str]) -> None:
    holder[key] = json.loads(json.dumps(rng.choice(VALUES)))


def _replace_by_text(rng: Random, holder: Any, key: Any, raw: list[str]) -> None:
    holder[key] = RAW.format(len(raw))
    raw.append(rng.choice(RAW_TEXTS))


def _nudge(rng: Random, holder: Any, key: Any, _raw: list[str]) -> None:
    """Change a value a little, within its type where it has one that is known."""
    value = holder[key]
    if isinstance(value, bool):
        holder[key] = not value
    elif isinstance(value, int | float):
        holder[key] = rng.choice((value + 1, value - 1, -value, value * 2, value / 3, str(value)))
    elif isinstance(value, str):
        place = rng.randrange(len(value) + 1)
        holder[key] = (
            value[:place] + rng.choice(("", "\0", " ", "X", "/", "é")) + value[place + 1 :]
        )
    elif isinstance(value, list):
        rng.shuffle(value)


def _drop(_rng: Random, holder: Any, key: Any, _raw: list[str]) -> None:
    del holder[key]


def _rename(rng: Random, holder: Any, key: Any, raw: list[str]) -> None:
    """Give a value another key, or one more; a list takes it a second time."""
    if isinstance(holder, list):
        holder.insert(rng.randrange(len(holder) + 1), holder[key])
        return
    value = holder[key] if rng.random() < 0.5 else holder.pop(key)
    names = ("", "0", "00", "1", "-1", "a", "²", "٣", " ", f"{key} ", "\0", "__class__", "x" * 300)
    name = rng.choice((*names, *holder, RAW.format(len(raw))))
    if name == RAW.format(len(raw)):
        raw.append(f'"{key}"' if rng.random() < 0.5 else rng.choice(RAW_TEXTS[:20]))
    holder[name] = value


def _swap(rng: Random, holder: Any, key: Any, _raw: list[str]) -> None:
    """Put into a place what stands in another place of the same list or mapping."""
    other = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    holder[key], holder[other] = holder[other], holder[key]


def _wrap(rng: Random, holder: Any, key: Any, _raw: list[str]) -> None:
    value = holder[key]
    holder[key] = rng.choice(([value], {"a": value}, [value, value], str(value)))


JSON_CHANGES: tuple[Callable[[Random, Any, Any, list[str]], None], ...] = (
    _replace,
    _replace,
    _replace,
    _replace_by_text,
    _nudge,
    _nudge,
    _drop,
    _rename,
    _swap,
    _wrap,
)
