"""Files that an earlier job wrote, read back: damage is named before it is worked with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slicewise.documents import IN_WORDS, read_document
from slicewise.problems import error

ANEW = "delete it, and the next run makes it anew"

FOLDS = "folds as nnU-Net writes them"
FORM = '{"train": [case, ...], "val": [case, ...]}'
"""What each fold of a splits_final.json looks like."""


def read_record(path: str | Path, keys: Mapping[str, type]) -> dict[str, Any]:
    """Return the JSON object of a file that has at least some keys, each of a type.

    float stands for any finite number. Raises BadInput naming the file and the key that is missing
    or holds something else.
    """
    content = read_document(path, f"a file with {', '.join(keys)}", ANEW)
    for key, kind in keys.items():
        if key not in content:
            raise error("", path, f"no {key}", IN_WORDS[kind], ANEW)
        if not _is_a(content[key], kind):
            raise error("", path, f"{key}: {content[key]!r:.80}", IN_WORDS[kind], ANEW)
    return content


def _is_a(value: Any, kind: type) -> bool:
    """Say whether a value is of a type, or a finite number where that is float."""
    if kind is not float:
        return isinstance(value, kind)
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def read_orientation(path: str | Path, *needed: str) -> dict[str, Any]:
    """Return orientation.json: whether scans are turned to RAS+, and other keys that are needed."""
    known = {"reorient": bool, "orientation": str, "orientations": dict}
    return read_record(path, {key: known[key] for key in ("reorient", *needed)})


def read_fingerprint(path: str | Path) -> dict[str, Any]:
    """Return dataset_fingerprint.json, spacings and shapes of three positive numbers each."""
    content = read_record(path, {"spacings": list, "shapes_after_crop": list})
    for key in ("spacings", "shapes_after_crop"):
        for value in content[key] or [None]:
            sound = isinstance(value, list) and len(value) == 3
            if not sound or not all(_is_a(edge, float) and edge > 0 for edge in value):
                expected = "three positive numbers for each case"
                raise error("", path, f"{key}: {value!r:.80}", expected, ANEW)
    return content


def read_fold(path: str | Path, fold: int, *parts: str) -> dict[str, list[str]]:
    """Return the cases of some parts, train and val, of one fold of a splits_final.json of ours."""
    splits = read_document(path, FOLDS, ANEW, kind=list)
    if fold >= len(splits):
        raise error("", path, f"{len(splits)} folds", f"one numbered {fold}, counted from 0", ANEW)
    if not is_fold(splits[fold], parts):
        raise error("", path, f"fold {fold}: {splits[fold]!r:.80}", FORM, ANEW)
    return splits[fold]


def read_folds(path: str | Path, mend: str = ANEW) -> list[dict[str, list[str]]]:
    """Return the folds of a splits_final.json; BadInput for what does not have their form."""
    splits = read_document(path, FOLDS, mend, kind=list)
    for fold, content in enumerate(splits):
        if not is_fold(content):
            raise error("", path, f"fold {fold}: {content!r:.80}", FORM, mend)
    return splits


def is_fold(content: Any, parts: Sequence[str] = ("train", "val")) -> bool:
    """Say whether this is one fold, with lists of names under each of `parts`."""
    return isinstance(content, dict) and all(
        isinstance(content.get(part), list) and all(isinstance(n, str) for n in content[part])
        for part in parts
    )
