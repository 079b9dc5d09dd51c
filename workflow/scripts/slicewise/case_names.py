"""What a case may be called: its name becomes part of paths, of commands and of tables.

Letters, digits and marks of every script are fine.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from slicewise.problems import Problem, wrong

LONGEST = 200
"""Bytes of a name: file systems take 255, which endings and temporary names add to."""

WITH_A_MEANING = frozenset("/\\{}[]()<>\"'`$;&|*?!~#^")
"""Characters that mean something in paths, patterns of Snakemake or commands of a shell."""

FIRST = ("-", ".", "=", "+", "@")
"""What a name may not start with: an option of a command, a hidden file, a formula of a table."""

INVISIBLE = ("C", "Z")
"""Unicode's general categories of spaces, control characters, marks of direction and so on."""

OWN_FILES = re.compile(r"preprocessing|group-\d+\.manifest", re.IGNORECASE)
"""Names, without their ending, of what lies beside the arrays of cases."""

COMMON = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,149}")
"""What nearly all names are like, without a fault but perhaps that of OWN_FILES: every job's
process looks at all of them, character by character at the others only."""

LABEL = "_seg"
"""What the name of an exported label adds to that of its case."""

EXPECTED = (
    "a name of letters, digits, _, - and . in between, without spaces, slashes, brackets, quotes "
    f"and other signs of a shell, of {LONGEST} bytes at most"
)

MEND = "rename its files, and its entry where dataset.json or splits_final.json has one"


def fault(name: str) -> str:
    """Return what is wrong with a name, in words, or nothing."""
    own = "is that of a file of ours beside the arrays" if OWN_FILES.fullmatch(name) else ""
    if own or COMMON.fullmatch(name):
        return own
    if not name:
        return "is empty"
    if name.startswith(FIRST):
        return f"starts with {name[0]}"
    odd = [c for c in name if c in WITH_A_MEANING or unicodedata.category(c)[0] in INVISIBLE]
    if odd:
        return "holds " + ", ".join(ascii(character) for character in dict.fromkeys(odd))
    size = len(name.encode())
    if size > LONGEST:
        return f"has {size} bytes"
    return ""


def name_problems(file: str | Path, names: Iterable[str]) -> list[Problem]:
    """Return what is wrong with the names of a dataset's cases and with pairs of them.

    file: where they come from. Names that differ in case or in the composition of letters alone
    would be one file on many file systems; `x` and `x_seg` would both write `x_seg.npy`.
    """
    names = list(names)
    found = [
        wrong(file, f"the case name {shown(name)}, which {odd}", EXPECTED, MEND)
        for name in names
        if (odd := fault(name))
    ]
    first: dict[str, str] = {}
    for name in names:
        if (other := first.setdefault(_folded(name), name)) != name:
            expected = (
                "names that differ in more than upper and lower case or how letters are "
                "composed, which many file systems take for one"
            )
            pair = f"the case names {shown(other)} and {shown(name)}"
            found.append(wrong(file, pair, expected, MEND))
    for name in names:
        if other := first.get(_folded(name + LABEL)):
            expected = (
                f"no two of which {name}{LABEL}.npy is the label of the one and the other's image"
            )
            pair = f"the case names {shown(name)} and {shown(other)}"
            found.append(wrong(file, pair, expected, MEND))
    return found


def shown(name: str) -> str:
    """Return a name in quotes, what cannot be seen written out, cut where it is long."""
    text = repr(name)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _folded(name: str) -> str:
    """Return what file systems that look at neither case nor composition make of a name."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
