"""Read patches by loading whole volumes, or by slices as a training does, and print the costs.

Takes the way and the folder of exported arrays; whole volumes are also read compressed.
"""

import json
import sys
from pathlib import Path

import numpy as np

from benchmarks.reading import BATCH, OVERSAMPLE, PATCH, observe
from slicewise.labels import parse_labels
from slicewise.patches import Sampler
from slicewise.slices import case_paths, open_cases

LABELS = parse_labels({"background": 0, "structure": 1})


def names_of(folder: Path) -> list[str]:
    """Return the names of the exported cases in a folder."""
    return sorted(path.stem for path in folder.glob("case_*.json"))


def by_slices(folder: Path) -> dict[str, float]:
    """Draw and cut batches as a training without augmentation does."""
    cases, rng = open_cases(folder, names_of(folder)), np.random.default_rng(0)
    sampler = Sampler(cases, LABELS)

    def read() -> None:
        sampler.cut(sampler.draw(rng, BATCH, PATCH, PATCH, OVERSAMPLE), PATCH)

    def release() -> None:
        sampler.images.release()
        sampler.segmentations.release()

    return observe(read, BATCH, sorted(folder.glob("case_*.npy")), release)


def by_volumes(folder: Path, ending: str) -> dict[str, float]:
    """Load image and label of a case for each sample and cut the patch out of them."""
    names, rng = names_of(folder), np.random.default_rng(0)

    def load(path: Path) -> np.ndarray:
        found = np.load(path.with_suffix(ending))
        return found["voxels"] if ending == ".npz" else found

    def read() -> tuple[np.ndarray, np.ndarray]:
        image, label = map(load, case_paths(folder, names[rng.integers(len(names))])[:2])
        index = rng.integers(len(label))
        row, column = rng.integers(np.subtract(label.shape[1:], PATCH) + 1)
        inside = ..., slice(row, row + PATCH[0]), slice(column, column + PATCH[1])
        return image[index][inside].copy(), label[index][inside].copy()

    return observe(read, 1, sorted(folder.glob(f"case_*{ending}")), lambda: None)


if __name__ == "__main__":
    way, folder = sys.argv[1], Path(sys.argv[2])
    print(json.dumps(by_slices(folder) if way == "slices" else by_volumes(folder, f".{way}")))
