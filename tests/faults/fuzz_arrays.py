"""Exported cases and checkpoints made a little wrong, and what is done with those that are read."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from random import Random

import numpy as np
import torch

from faults.mutations import mutated_bytes, mutated_json
from networks import SQUARE
from scans import labels_of, volume
from slicewise.files import write_json
from slicewise.network import UNet, initialise, to_nnunet
from slicewise.nnunet_checkpoints import read_checkpoint, read_weights
from slicewise.patches import Sampler
from slicewise.preprocessing import CaseGeometry
from slicewise.slices import case_paths, open_cases, slice_table

LABELS = labels_of(2)
SHAPE = (4, 6, 5)


def _npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=array.dtype == object)
    return file.getvalue()


class Arrays:
    """An exported case of which one file is changed again and again."""

    def __init__(self, folder: Path):
        self.folder = folder
        image, label = volume(SHAPE)
        label = label.astype(np.int8)
        geometry = CaseGeometry(
            orientation="RAS",
            reorient=False,
            affine=np.eye(4).tolist(),
            file_shape=SHAPE[::-1],
            spacing=(3.0, 1.0, 1.0),
            shape=SHAPE,
            bounding_box=tuple((0, edge) for edge in SHAPE),
            resampled_spacing=(3.0, 1.0, 1.0),
            resampled_shape=SHAPE,
        )
        self.record = {
            "case": "case",
            "geometry": geometry.to_json(),
            "slice_table": slice_table(label, LABELS),
        }
        self.files = [_npy(image[:, None].astype(np.float32)), _npy(label)]
        self.others = [
            *self.files,
            _npy(np.array([{}])),
            _npy(np.asfortranarray(image)),
            _npy(label.astype("U3")),
            _npy(label.astype(np.int64)),
        ]
        self.paths = case_paths(folder, "case")

    def write(self, rng: Random) -> None:
        """Write the next case."""
        chosen = rng.randrange(3)
        for path, content in zip(self.paths[:2], self.files, strict=True):
            path.unlink(missing_ok=True)  # it may be mapped into memory
            path.write_bytes(content)
        if chosen == 2:
            self.paths[2].write_bytes(mutated_json(rng, self.record, self.others))
            return
        write_json(self.paths[2], self.record, flush=False)
        file = self.files[chosen] if rng.random() < 0.9 else rng.choice(self.others)
        changed = self._header_changed(rng, file) if rng.random() < 0.5 else file
        if changed == file or rng.random() < 0.3:
            changed = mutated_bytes(rng, file, self.others)
        self.paths[chosen].write_bytes(changed)

    def _header_changed(self, rng: Random, file: bytes) -> bytes:
        """Return an .npy whose header, a Python literal, has a piece of another one."""
        end = 10 + int.from_bytes(file[8:10], "little")
        header = file[10:end].decode()
        pieces = ("(4, 6, 5)", "(4, 1, 6, 5)", "'<f4'", "'|i1'", "False", "'descr'", "}", "4", "(")
        others = ("(1000000, 1000000, 5)", "(-4, 6, 5)", "()", "'|O'", "'<c16'", "True", "'x'", "")
        others += (
            "[('a', '<f4')]",
            "9" * 5000,
            "(" * 300,
            "__import__('os')",
            "'|V0'",
            "0",
            "'<M8'",
        )
        changed = header.replace(rng.choice(pieces), rng.choice(others), 1).encode()
        size = len(changed).to_bytes(2, "little") if len(changed) < 65536 else file[8:10]
        return file[:8] + size + changed + file[end:]

    def read(self) -> None:
        """Open the case as training does, and cut patches of it."""
        cases = open_cases(self.folder, ["case"])
        sampler = Sampler(cases, LABELS)
        drawn = sampler.draw(np.random.default_rng(0), 2, (4, 4), (4, 4), 0.5)
        image, label = sampler.cut(drawn, (4, 4))
        assert (image.shape, label.shape) == ((2, 1, 4, 4), (2, 4, 4))


class Checkpoints:
    """A checkpoint, of ours or of nnU-Net's, changed again and again."""

    def __init__(self, folder: Path):
        self.path = folder / "checkpoint.pth"
        network = UNet(SQUARE, 1, 3)
        initialise(network, 0)
        state = {name: weights.half() for name, weights in list(network.state_dict().items())[:12]}
        ours = {"network": state, "plan": json.dumps({"a": 1})}
        theirs = {
            "network_weights": to_nnunet(state),
            "init_args": {"fold": 0, "configuration": "2d"},
            "trainer_name": "nnUNetTrainer",
            "logging": {"mean_fg_dice": [0.5, 0.75]},
        }
        self.files = [self._saved(content) for content in (ours, theirs)]
        # Torch's old form names tensors by their place in memory, so that none can be in here.
        old = self._saved({"network": {}, "plan": "x"}, _use_new_zipfile_serialization=False)
        self.others = [*self.files, old]

    @staticmethod
    def _saved(content: dict, **options) -> bytes:
        file = io.BytesIO()
        torch.save(content, file, **options)
        return file.getvalue()

    def write(self, rng: Random) -> None:
        """Write the next checkpoint; half of the time with another pickle in a whole archive."""
        file = rng.choice(self.others)
        if file in self.files and rng.random() < 0.6:
            file = self._pickle_changed(rng, file)
        else:
            file = mutated_bytes(rng, file, self.others)
        self.path.write_bytes(file)

    def _pickle_changed(self, rng: Random, file: bytes) -> bytes:
        changed, pickles = io.BytesIO(), [self._pickle(other) for other in self.files]
        with zipfile.ZipFile(io.BytesIO(file)) as old, zipfile.ZipFile(changed, "w") as new:
            for name in old.namelist():
                content = old.read(name)
                if name.endswith("data.pkl"):
                    content = mutated_bytes(rng, content, pickles)
                new.writestr(zipfile.ZipInfo(name), content)
        return changed.getvalue()

    @staticmethod
    def _pickle(file: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(file)) as archive:
            return archive.read(next(n for n in archive.namelist() if n.endswith("data.pkl")))

    def read(self) -> None:
        """Read the weights, and the checkpoint as one of nnU-Net's where it is one."""
        weights = read_weights(self.path)
        assert all(isinstance(tensor, torch.Tensor) for tensor in weights.values())
        if "stem" not in str(list(weights)):
            read_checkpoint(self.path)
