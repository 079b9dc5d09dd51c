"""What a description of a run is made of: its datasets and experiments, read from its files."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slicewise.dataset import Dataset
from slicewise.plans import Architecture, Plan
from slicewise.problems import Problem
from slicewise.prose import Pair, listed

MOST_THICK = 4
"""Datasets with thicker slices of one source that a sentence names one by one."""


@dataclass(frozen=True)
class DatasetFacts:
    """A dataset of a run.

    kind: how the config names it, one key of phantom, raw, archive or thicken with its settings;
    source: its dataset.json; spacing, shape: mm and voxels (case, 3: z, y, x); orientation: content
    of orientation.json; warnings: of the checks of its files; splits: its folds; given_splits: they
    came with the dataset.
    """

    name: str
    kind: Mapping
    source: Dataset
    spacing: np.ndarray
    shape: np.ndarray
    orientation: Mapping
    warnings: Sequence[Problem]
    splits: Sequence[Mapping]
    given_splits: bool

    @property
    def cases(self) -> int:
        """Return how many cases there are."""
        return len(self.spacing)


@dataclass(frozen=True)
class RunFacts:
    """A run: its config, what was planned, and what was decided.

    plans: of each dataset and experiment; steps: of each dataset and experiment or ensemble, the
    names of what was reduced to its largest component; runs: fold and seed of each dataset and
    experiment or ensemble.
    """

    config: Mapping
    datasets: Mapping[str, DatasetFacts]
    plans: Mapping[Pair, Plan]
    steps: Mapping[Pair, Sequence[str]]
    runs: Mapping[Pair, Sequence[tuple[int, int]]]
    provenance: Mapping

    def settings(self, pair: Pair, section: str) -> Mapping:
        """Return a section of the config of the pair's experiment."""
        return self.config["experiments"][pair[1]][section]

    def named(self, datasets: Iterable[str]) -> str:
        """Return datasets as a list in a sentence, many thicker slices of one by first and last."""
        groups: dict[str, list[str]] = {}
        for name in datasets:
            groups.setdefault(self.thickened.get(name, name), []).append(name)
        words = []
        for source, names in groups.items():
            thick = [name for name in names if name in self.thickened]
            words += [name for name in names if name not in thick]
            whole = list(self.thickened.values()).count(source) == len(thick)
            many = whole and len(thick) > MOST_THICK
            words += [f"{thick[0]} to {thick[-1]}"] if many else thick
        return listed(words)

    @property
    def thickened(self) -> dict[str, str]:
        """Return the datasets whose slices were made thicker, and of which each was made."""
        kinds = {name: one.kind.get("thicken") for name, one in self.datasets.items()}
        return {name: settings["of"] for name, settings in kinds.items() if settings}

    @property
    def trained(self) -> list[Pair]:
        """Return the datasets and experiments whose networks were trained here."""
        return [pair for pair in self.plans if not self.settings(pair, "model")["nnunet"]]

    @property
    def imported(self) -> list[Pair]:
        """Return those whose networks nnU-Net had trained."""
        return [pair for pair in self.plans if self.settings(pair, "model")["nnunet"]]


def read_grids(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Return spacing in mm and shape in voxels of each case of a spacing.csv: (case, z y x)."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    spacing = [[float(row[f"spacing_{axis}_mm"]) for axis in range(3)] for row in rows]
    shape = [[int(row[f"shape_{axis}"]) for axis in range(3)] for row in rows]
    return np.array(spacing), np.array(shape)


def parameters(network: Architecture, channels: int, outputs: int) -> int:
    """Return how many trainable weights the network of a plan has, the heads of all stages counted.

    channels: of the image; outputs: of the network. slicewise.network builds it; this needs no
    PyTorch.
    """
    bias, total = int(network.conv_bias), 0

    def convolution(into: int, out: int, kernel: tuple[int, int], normalised: bool = True) -> int:
        return into * out * kernel[0] * kernel[1] + bias * out + (2 * out if normalised else 0)

    features, previous = network.features_per_stage, channels
    if network.residual:
        total += convolution(channels, features[0], network.kernel_sizes[0])
        previous = features[0]
    for stage, blocks in enumerate(network.n_blocks_per_stage):
        out, kernel = features[stage], network.kernel_sizes[stage]
        for _ in range(blocks):
            total += convolution(previous, out, kernel)
            if network.residual:
                total += convolution(out, out, kernel)
                # The projection beside a block has a normalisation but no bias.
                total += previous * out + 2 * out if previous != out else 0
            previous = out
    decoder = zip(reversed(range(len(features) - 1)), network.n_conv_per_stage_decoder, strict=True)
    for stage, blocks in decoder:
        out, kernel = features[stage], network.kernel_sizes[stage]
        total += convolution(features[stage + 1], out, network.strides[stage + 1], False)
        total += convolution(2 * out, out, kernel) + (blocks - 1) * convolution(out, out, kernel)
        total += out * outputs + outputs
    return total
