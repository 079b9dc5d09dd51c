"""One way to read training samples from one dataset, measured in a process of its own.

`python -m slicewise.reading_trial` takes what `Trial` holds as JSON and prints the costs as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from slicewise.dataset import Dataset, open_dataset
from slicewise.reading_costs import Reader, observe
from slicewise.slices import case_paths

WAYS = {
    "slices": "rows of slices, memory-mapped",
    "npy": "whole volume, .npy",
    "npz": "whole volume, compressed .npz",
    "nifti": "whole scan, NIfTI as it came",
    "memory": "all volumes held in memory",
}
"""The ways to read, in words; the first is that of a training here."""


@dataclass(frozen=True)
class Trial:
    """A way to read, and from what.

    folder: of exported arrays, with NAME.npz beside them for the way npz and the files of
    `scan_paths` for nifti; names: of the cases; dataset_json: of the dataset that they were
    exported from; patch: (row, column) pixels; batch,
    oversample: as in a training; cold: batches that are read with nothing cached; seconds: of CPU
    time for which they are read when all that fits is.
    """

    way: str
    folder: str
    names: list[str]
    dataset_json: str
    patch: tuple[int, int]
    batch: int
    oversample: float
    cold: int
    seconds: float

    @cached_property
    def dataset(self) -> Dataset:
        """Return the dataset that the arrays were exported from."""
        return open_dataset(self.dataset_json)

    def files(self) -> list[Path]:
        """Return the files that are read from."""
        if self.way == "nifti":
            return [path for name in self.names for path in self.scan_paths(name)]
        arrays = [path for name in self.names for path in case_paths(self.folder, name)[:2]]
        return [path.with_suffix(".npz") for path in arrays] if self.way == "npz" else arrays

    def scan_paths(self, name: str) -> list[Path]:
        """Return where copies of the scans and of the label map of a case lie."""
        files = self.dataset.case(name).files
        return [Path(self.folder, f"{name}-{i}-{file.name}") for i, file in enumerate(files)]

    def start(self) -> Reader:
        """Return what reads a batch, and what gives mapped pages back."""
        return self._slices() if self.way == "slices" else (self._volumes(), lambda: None)

    def _slices(self) -> Reader:
        """Draw and cut batches as a training without augmentation does."""
        from slicewise.patches import Sampler
        from slicewise.slices import open_cases

        sampler = Sampler(open_cases(self.folder, self.names), self.dataset.labels)
        rng = np.random.default_rng(0)
        patch = tuple(self.patch)

        def read() -> None:
            sampler.cut(sampler.draw(rng, self.batch, patch, patch, self.oversample), patch)

        def release() -> None:
            sampler.images.release()
            sampler.segmentations.release()

        return read, release

    def _volumes(self) -> Callable[[], list]:
        """Take image and label of a case for each sample, and cut a patch out of one slice."""
        rng = np.random.default_rng(0)
        load = {"npz": self._npz, "nifti": self._nifti}.get(self.way, self._npy)
        held = {name: load(name) for name in self.names} if self.way == "memory" else {}

        def read() -> list:
            batch = []
            for _ in range(self.batch):
                name = self.names[rng.integers(len(self.names))]
                volumes = held.get(name) or load(name)
                slices, *plane = volumes[-1].shape[-3:]
                index = rng.integers(slices)
                first = rng.integers(np.maximum(np.subtract(plane, self.patch), 0) + 1)
                inside = (slice(f, f + edge) for f, edge in zip(first, self.patch, strict=True))
                cut = (..., index, *inside)
                batch.append([volume[cut].copy() for volume in volumes])
            return batch

        return read

    def _npy(self, name: str) -> list[np.ndarray]:
        """Return image (channel, slice, row, column) and label (slice, row, column) of a case."""
        image, label = (
            np.load(path, allow_pickle=False) for path in case_paths(self.folder, name)[:2]
        )
        return [image.swapaxes(0, 1), label]

    def _npz(self, name: str) -> list[np.ndarray]:
        """Return the same from compressed files."""
        paths = (path.with_suffix(".npz") for path in case_paths(self.folder, name)[:2])
        image, label = (np.load(path, allow_pickle=False)["voxels"] for path in paths)
        return [image.swapaxes(0, 1), label]

    def _nifti(self, name: str) -> list[np.ndarray]:
        """Return the images and the label of a case as stored, ((channel,) z, y, x)."""
        import nibabel as nib

        return [np.asanyarray(nib.load(path).dataobj).T for path in self.scan_paths(name)]

    def costs(self) -> dict[str, float]:
        """Return what slicewise.reading_costs observes."""
        return observe(self.start, self.batch, self.files(), self.cold, self.seconds)

    def as_json(self) -> str:
        """Return the trial as an argument of this module."""
        return json.dumps(asdict(self))


if __name__ == "__main__":
    print(json.dumps(Trial(**json.loads(sys.argv[1])).costs()))
