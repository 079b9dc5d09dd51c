"""Datasets of the kind `thicken` in a config: lists written out, and what is wrong with them.

No voxel is looked at here: slicewise.thickening has what becomes of those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

THICK = "thicken"
"""The kind of such a dataset in a config."""


def written_out(name: str, kind: Mapping) -> dict[str, dict]:
    """Return the datasets that an entry of a config stands for, by name.

    `thick: {thicken: {axis: [0, 1], factor: 4, ...}}` stands for thick_0x4 and thick_1x4. Without a
    list, and of another kind, it is one dataset by its own name.
    """
    settings = kind.get(THICK, {})
    given = [settings.get(key) for key in ("axis", "factor")]
    if not any(isinstance(value, list) for value in given):
        return {name: dict(kind)}
    lists = (value if isinstance(value, list) else [value] for value in given)
    return {
        f"{name}_{axis}x{factor}": {**kind, THICK: {**settings, "axis": axis, "factor": factor}}
        for axis, factor in product(*lists)
    }


def expanded(datasets: Mapping[str, Mapping]) -> dict[str, dict]:
    """Return the datasets of a config in their order, each of one axis and one factor at most."""
    return {
        name: kind
        for given, entry in datasets.items()
        for name, kind in written_out(given, entry).items()
    }


def contradictions(datasets: Mapping[str, Mapping]) -> Iterator[str]:
    """Yield what is wrong with thick datasets before they are expanded, a line each."""
    others = [name for name, kind in datasets.items() if THICK not in kind]
    for name, kind in datasets.items():
        if THICK not in kind:
            continue
        of = kind[THICK]["of"]
        if of not in others:
            known = f"one of {', '.join(others)}" if others else "one to make thick slices of"
            yield f"datasets.{name}.{THICK}.of: found {of}; allowed: {known}"
        for made in written_out(name, kind):
            if made != name and made in datasets:
                yield (
                    f"datasets.{made}: found the name of a dataset that datasets.{name} stands "
                    "for; allowed: another name"
                )
