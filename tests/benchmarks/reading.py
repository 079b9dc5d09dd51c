"""What it costs to read patches from disk, as memory_claim.py measures it.

Needs nothing but the standard library, so that nnU-Net's environment runs it too.
"""

from collections.abc import Callable
from pathlib import Path

from slicewise import reading_costs

PATCH = (64, 64)
"""Row and column, voxels."""

BATCH = 3
OVERSAMPLE = 0.33
COLD_BATCHES = 16
WARM_SECONDS = 1.0


def observe(
    read: Callable[[], object], samples: int, files: list[Path], release: Callable[[], object]
) -> dict[str, float]:
    """Return what a call of `read`, which makes so many samples, costs for each of them.

    `release` gives mapped pages back. slicewise.reading_costs says what the costs are.
    """
    found = reading_costs.observe(
        lambda: (read, release), samples, files, COLD_BATCHES, WARM_SECONDS
    )
    return {name: found[name] for name in ("bytes_from_disk", "samples_per_second", "growth_mib")}
