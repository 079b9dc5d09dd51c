"""dataset.json and plans.json made a little wrong, and what is done with those that are read."""

from __future__ import annotations

import json
import math
from itertools import chain
from pathlib import Path
from random import Random

import numpy as np
import torch

from faults.mutations import mutated_json
from scans import named_labels
from slicewise import inputs
from slicewise.files import read_json, write_json
from slicewise.folds import read_given_folds, split
from slicewise.network import ConvNorm, build_network
from slicewise.plans import Plan, parse_preparation, read_plan
from slicewise.topology import conv_feature_map_size
from slicewise.user_plans import read_user_plan

GOLDEN = Path(__file__).parents[1] / "golden"

NAMES = [f"case_{index}" for index in range(6)]
FOLDS = 3


def _datasets() -> list[dict]:
    """Return whole dataset.json to start from, in both layouts, with all that may stand there."""
    plain = {
        "channel_names": {"0": "MRI"},
        "labels": named_labels(2),
        "numTraining": len(NAMES),
        "file_ending": ".nii.gz",
    }
    regions = {
        "channel_names": {"0": "T2", "1": "CT"},
        "labels": {"background": 0, "whole": [1, 2], "core": [2], "ignore": 3},
        "regions_class_order": [1, 2],
        "numTraining": len(NAMES),
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": "NibabelIO",
        "name": "a dataset",
    }
    listed = plain | {
        "dataset": {
            name: {"images": [f"imagesTr/{name}_0000.nii.gz"], "label": f"labelsTr/{name}.nii.gz"}
            for name in NAMES
        }
    }
    decathlon = {
        "modality": {"0": "T2", "1": "ADC"},
        "labels": {"0": "background", "1": "PZ", "2": "TZ"},
        "numTraining": len(NAMES),
        "training": [
            {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"}
            for name in NAMES
        ],
    }
    recorded = [read_json(path) for path in sorted((GOLDEN / "trade").glob("*/*/dataset.json"))]
    return [plain, regions, listed, decathlon, *recorded]


class DatasetJson:
    """A folder of cases whose dataset.json is changed again and again, at times its folds too."""

    def __init__(self, folder: Path):
        self.documents = _datasets()
        self.others = [json.dumps(document).encode() for document in self.documents]
        self.folds = split(NAMES, FOLDS)
        self.path, self.splits = folder / "dataset.json", folder / "splits_final.json"
        for name in NAMES:
            for file in (f"imagesTr/{name}_0000.nii.gz", f"labelsTr/{name}.nii.gz"):
                (folder / file).parent.mkdir(exist_ok=True)
                (folder / file).touch()
        self.config = {
            "results": str(folder.with_name("results")),
            "datasets": {"fuzzed": {"raw": str(folder)}},
            "cross_validation": {"folds": FOLDS},
            "execution": {"cases_per_job": None},
            "experiments": {},
        }

    def write(self, rng: Random) -> None:
        """Write the next dataset.json."""
        document = rng.choice(self.documents)
        self.splits.unlink(missing_ok=True)
        if rng.random() < 0.15:
            self.splits.write_bytes(mutated_json(rng, self.folds, self.others))
            self.path.write_text(json.dumps(document))
        else:
            self.path.write_bytes(mutated_json(rng, document, self.others))

    def read(self) -> None:
        """List the dataset as a run does, and ask all that jobs ask of it."""
        dataset = inputs.open_inputs(self.config)["fuzzed"]
        assert sorted(chain(*dataset.groups.values())) == list(dataset.cases)
        files = dataset.files(dataset.cases)
        assert all(Path(file).is_relative_to(self.path.parent) for file in files)
        if self.splits.exists():
            read_given_folds(self.splits, dataset.cases, FOLDS)
        source, labels = dataset.source, dataset.source.labels
        assert source.content["numTraining"] > 0
        names = [*source.channel_names, *labels.classes, dataset.title, source.file_ending]
        json.dumps(names).encode()
        "".join(names).encode()
        label = np.arange(8).reshape(2, 2, 2)
        for name in labels.classes:
            labels.mask(label, name)
        labels.segment(labels.nothing((2, 2, 2)))


def _plans() -> list[dict]:
    """Return plans.json that nnU-Net wrote."""
    folders = ("thick_z", "regions", "two_coarse", "hippocampus")
    paths = [GOLDEN / name / "plans.json" for name in folders]
    paths += sorted((GOLDEN / "trade").glob("*/*/plans.json"))
    return [read_json(path) for path in paths]


class PlansJson:
    """A plans.json that a user brings, changed again and again."""

    def __init__(self, folder: Path):
        self.plans = [(plan, *self._suited(plan)) for plan in _plans()]
        self.others = [json.dumps(plan).encode() for plan, *_ in self.plans]
        self.path, self.taken = folder / "plans.json", folder / "taken" / "plans.json"
        self.built: set = set()

    @staticmethod
    def _suited(plan: dict) -> tuple[str, int, bool]:
        """Return a configuration of a plan, and the dataset that it suits: channels, turned."""
        name = "2d_small" if "2d_small" in plan["configurations"] else "2d"
        channels = len(plan["foreground_intensity_properties_per_channel"])
        return name, channels, plan["image_reader_writer"].endswith("WithReorient")

    def write(self, rng: Random) -> None:
        """Write the next plans.json."""
        plan, self.configuration, self.channels, self.reorient = rng.choice(self.plans)
        self.path.write_bytes(mutated_json(rng, plan, self.others))

    def read(self) -> None:
        """Read the plan, write it down as a run does, read it again and build its network."""
        content = read_user_plan(self.path, self.channels, self.reorient, self.configuration)
        write_json(self.taken, content, flush=False)
        plan = read_plan(self.taken)
        assert parse_preparation(read_json(self.taken)) == plan.preparation
        network = (plan.architecture, plan.patch_size, self.channels)
        if network not in self.built:
            _build(plan, self.channels)
            self.built.add(network)


def _build(plan: Plan, channels: int) -> None:
    """Build a plan's network without memory for its weights, and see what it makes of a patch."""
    conv_feature_map_size(plan.architecture, plan.patch_size, 3)
    with torch.device("meta"):
        network = build_network(plan, channels, 3)
        for layer in network.modules():
            if isinstance(layer, ConvNorm):  # keeps sizes, and takes long without memory
                layer.norm = torch.nn.Identity()
        logits = network(torch.empty(1, channels, *plan.patch_size))
    assert logits.shape == (1, 3, *plan.patch_size), "the network gives logits of another size"
    deepest = [edge // by for edge, by in zip(plan.patch_size, network.divisor, strict=True)]
    assert math.prod(deepest) > 1, "nothing is left to normalise over"
