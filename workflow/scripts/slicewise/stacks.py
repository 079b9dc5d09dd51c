"""How the slices of a dataset's scans are stacked: one axis of the arrays should be that of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from slicewise import geometry
from slicewise.dataset import Dataset
from slicewise.problems import WARNING, Problem


def decide_reorient(reorient: str, orientations: Counter) -> bool:
    """Say whether cases are turned to RAS+: under `auto` where they are stored in several ways."""
    return reorient == "always" or (reorient == "auto" and len(orientations) > 1)


def stacked_elsewhere(
    records: Mapping[str, dict], dataset: Dataset, reorient: str
) -> list[Problem]:
    """Return a warning for each case whose thick axis is not that of most cases.

    records: of analyze_cases; of them count those with voxels more than three times as long as
    wide, which have a thick axis. One axis is sliced in all cases, so that networks would see such
    a case across its thick slices. Oblique stacks come to this: an orientation has the letters of
    the nearest axes of the body, and of two that are tilted a little differently one may be nearer
    to another.
    """
    turned = decide_reorient(reorient, Counter(one["orientation"] for one in records.values()))
    thick = {
        name: _thick_axis(record, turned)
        for name, record in sorted(records.items())
        if geometry.is_anisotropic(record["spacing"])
    }
    counts = Counter(thick.values())
    if len(counts) < 2:
        return []
    usual = max(counts, key=lambda axis: (counts[axis], -axis))
    as_stored = {_thick_axis(records[name], turned=False) for name in thick}
    if turned and len(as_stored) == 1:
        mend = "set preprocessing: {reorient: never}, which keeps the one axis of all files"
    else:
        mend = "store it as the others are, or take it out"
    return [
        Problem(
            WARNING,
            name,
            str(dataset.case(name).images[0].path),
            f"its thick slices along axis {axis} ({'turned to RAS+ from ' if turned else ''}"
            f"{records[name]['orientation']})",
            f"axis {usual}, as in {counts[usual]} of {len(thick)} cases with thick slices",
            mend,
        )
        for name, axis in thick.items()
        if axis != usual
    ]


def _thick_axis(record: Mapping, turned: bool) -> int:
    """Return the axis (reading order) with the largest spacing, as the case is read."""
    spacing = record["spacing_turned" if turned else "spacing"]
    return geometry.slice_axis("coarsest", spacing, record["orientation"])
