"""What a live comparison with nnU-Net reports."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Comparison:
    """One comparison: its name, the largest difference found, its bound and the unit of both."""

    name: str
    largest: float
    bound: float
    unit: str = ""
