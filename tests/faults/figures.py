"""What a test of faults counts: how many were tried, and how many ended as promised."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One promise under test.

    promise: what is promised, in words; kept: how often it was, of so many tried; unit: what is
    counted; note: what else was seen, among it the first of those that failed.
    """

    promise: str
    kept: int
    tried: int
    unit: str
    note: str = ""

    @property
    def holds(self) -> bool:
        """Say whether the promise was kept each time; one that was never tried was not."""
        return 0 < self.tried == self.kept

    def line(self) -> str:
        """Return the figure in words."""
        said = f"{'ok    ' if self.holds else 'FAILED'} {self.promise}: "
        note = f" ({self.note})" if self.note else ""
        return f"{said}{self.kept:,} of {self.tried:,} {self.unit}{note}"
