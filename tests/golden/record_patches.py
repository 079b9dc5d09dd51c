"""Record where nnU-Net's loader starts its patches, with odd and even padding.

Run in an environment that has nnunetv2==2.8.1: `python tests/golden/record_patches.py`. It writes
network/starts.json: a table of cases, each along rows and columns: `size` of the slice, the `read`
patch and the `patch` that remains after augmentation, a `voxel` to centre on, and of
nnUNetDataLoader.get_bbox the smallest and largest start (`low`, `high`) and that of the patch
centred on the voxel (`centred`).
"""

import json
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch as replaced

import numpy as np
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader

SLICES = [
    # size, read, patch: slices larger than what is read, between both patches, smaller than both
    ((40, 37), (20, 19), (16, 16)),
    ((40, 37), (19, 20), (16, 16)),
    ((40, 41), (16, 17), (16, 17)),
    ((18, 17), (21, 20), (16, 15)),
    ((17, 18), (21, 20), (16, 15)),
    ((9, 12), (20, 19), (16, 16)),
    ((10, 9), (20, 19), (15, 16)),
    ((9, 60), (16, 24), (16, 17)),
]
SHARES = (0, 0.1, 0.5, 0.9, 1)
"""Where voxels lie between the first and the last of an axis."""


def starts(
    size: tuple[int, int], read: tuple[int, int], patch: tuple[int, int], voxel: tuple[int, int]
) -> dict[str, list[int]]:
    """Return the starts of get_bbox for a slice; of random ones the ends of their range."""
    data = SimpleNamespace(identifiers=["case"])
    labels = SimpleNamespace(all_labels=[1], has_ignore_label=False)
    loader = nnUNetDataLoader(data, 1, read, patch, labels)

    def start(forced: bool) -> list[int]:
        locations = {1: np.array([[0, 0, *voxel]])}
        first, _ = loader.get_bbox(np.array([1, *size]), forced, locations)
        return [int(each) for each in first[1:]]

    with replaced("numpy.random.randint", lambda low, high: low):
        low = start(forced=False)
    with replaced("numpy.random.randint", lambda low, high: high - 1):
        high = start(forced=False)
    return {"low": low, "high": high, "centred": start(forced=True)}


def main() -> None:
    """Record the starts of all slices with voxels near their borders and amid them."""
    found = []
    for (size, read, patch), shares in product(SLICES, product(SHARES, repeat=2)):
        voxel = [round(share * (edge - 1)) for share, edge in zip(shares, size, strict=True)]
        given = {"size": size, "read": read, "patch": patch, "voxel": voxel}
        found.append(given | starts(size, read, patch, voxel))
    table = {name: [each[name] for each in found] for name in found[0]}
    lines = ",\n".join(f' "{name}": {json.dumps(values)}' for name, values in table.items())
    path = Path(__file__).parent / "network" / "starts.json"
    path.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
