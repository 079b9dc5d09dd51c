"""Slices turned as radiologists look at them, whichever way a file is stored.

Anterior or superior is up; the patient's right, or front, is on the left.
"""

from __future__ import annotations

import numpy as np

OPPOSITE = dict(zip("RLAPSI", "LRPAIS", strict=True))
"""The side of the patient that faces another."""


def upright(planes: np.ndarray, letters: str) -> np.ndarray:
    """Return planes (..., first, second axis of the file) as (..., row, column) of the display.

    letters: the patient's sides that the two axes run towards, for example "RA".
    """
    if not first_is_vertical(letters):
        planes, letters = planes.swapaxes(-1, -2), letters[::-1]
    # Rows run down and columns to the right: towards I or P, and towards L or P.
    turns = (slice(None, None, -1 if letter in "RAS" else 1) for letter in letters)
    return planes[(..., *turns)]


def first_is_vertical(letters: str) -> bool:
    """Say whether the first of two file axes runs down the display rather than across it."""
    return letters[0] in "SI" or letters[1] in "RL"


def sides(letters: str) -> tuple[str, str]:
    """Return the patient's sides at the top and at the left edge of an upright plane."""
    vertical, horizontal = letters if first_is_vertical(letters) else letters[::-1]
    return "S" if vertical in "SI" else "A", "R" if horizontal in "RL" else "A"
