"""One live comparison with nnU-Net, and the report on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from slicewise import files


@dataclass(frozen=True)
class Comparison:
    """One live comparison: its name, the largest difference, its bound and the unit of both."""

    name: str
    largest: float
    bound: float
    unit: str = ""

    @property
    def within(self) -> bool:
        """Say whether the difference is within its bound; nan is not."""
        return self.largest <= self.bound

    def line(self) -> str:
        """Return the comparison as a line of the report."""
        verdict = "ok" if self.within else "OUT OF BOUND"
        bound = f"bound {self.bound:.3g} {self.unit}".rstrip()
        return f"{verdict:<12}  {self.name:<66} {self.largest:>9.3g}  {bound}"


def summary(comparisons: Sequence[Comparison]) -> str:
    """Return how many comparisons there were and how many were within their bounds."""
    within = sum(comparison.within for comparison in comparisons)
    return f"{len(comparisons)} comparisons, {within} within bounds"


def exit_code(comparisons: Sequence[Comparison]) -> int:
    """Return 0 where there are comparisons and all are within their bounds, else 1."""
    return 0 if comparisons and all(one.within for one in comparisons) else 1


def write_table(path: Path, comparisons: Sequence[Comparison]) -> None:
    """Write a row for each comparison: its fields, and whether it is within its bound."""
    columns = [*(field.name for field in fields(Comparison)), "within"]
    files.write_table(path, columns, ([*astuple(one), one.within] for one in comparisons))
