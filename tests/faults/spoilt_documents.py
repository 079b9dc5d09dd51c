"""A run of a user's, and ways to spoil its documents: everything it is given but the voxels."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models import PLAIN

ROOT = Path(__file__).resolve().parents[2]
GOLDEN_PLAN = ROOT / "tests/golden/thick_z/plans.json"


@dataclass(frozen=True)
class Run:
    """A run of a user's in a folder of its own: raw scans, and a config that names them."""

    folder: Path

    @property
    def raw(self) -> Path:
        return self.folder / "raw"

    @property
    def config(self) -> dict:
        return {
            "results": str(self.folder / "results"),
            "datasets": {"mine": {"raw": str(self.raw)}},
            "cross_validation": {"folds": 2, "run": [0]},
        }

    def describe(self, content: object) -> None:
        (self.raw / "dataset.json").write_text(json.dumps(content))

    @property
    def description(self) -> dict:
        return json.loads((self.raw / "dataset.json").read_text())


Spoil = Callable[[Run], dict | None]
"""Spoils a run's files; what it returns is merged into the config."""


@dataclass(frozen=True)
class Defect:
    """One thing that is wrong: its name, how to bring it about, and what the message must say."""

    name: str
    spoil: Spoil
    words: tuple[str, ...]


def described(**changes: object) -> Spoil:
    """Change keys of dataset.json; None takes a key away."""

    def spoil(run: Run) -> None:
        content = run.description | changes
        run.describe({key: value for key, value in content.items() if value is not None})

    return spoil


def raw_bytes(content: bytes) -> Spoil:
    """Put other bytes in the place of dataset.json."""
    return lambda run: (run.raw / "dataset.json").write_bytes(content) and None


def replaced(old: str, new: str) -> Spoil:
    """Replace a part of the text of dataset.json."""

    def spoil(run: Run) -> None:
        text = (run.raw / "dataset.json").read_text()
        assert old in text
        (run.raw / "dataset.json").write_text(text.replace(old, new))

    return spoil


def missing(run: Run) -> None:
    (run.raw / "dataset.json").unlink()


def folder_in_its_place(run: Run) -> None:
    missing(run)
    (run.raw / "dataset.json").mkdir()


def pipe_in_its_place(run: Run) -> None:
    missing(run)
    os.mkfifo(run.raw / "dataset.json")


def huge(run: Run) -> None:
    with (run.raw / "dataset.json").open("ab") as file:
        file.truncate(2**40)


def called(*names: str) -> Spoil:
    """Call the first cases by other names."""

    def spoil(run: Run) -> None:
        for index, name in enumerate(names):
            for folder, ending in (("imagesTr", "_0000.nii.gz"), ("labelsTr", ".nii.gz")):
                (run.raw / folder / f"case_{index:02d}{ending}").rename(
                    run.raw / folder / f"{name}{ending}"
                )

    return spoil


def listed(**entries: object) -> Spoil:
    """Let dataset.json list its files, as nnU-Net allows."""
    return described(dataset=entries, numTraining=len(entries))


def decathlon(*entries: dict) -> Spoil:
    """Describe the dataset as the Decathlon does, two good cases and some entries more."""
    good = [pair("case_00"), pair("case_01")]
    labels = {"0": "background", "1": "a", "2": "b"}

    def spoil(run: Run) -> None:
        content = {"modality": {"0": "MRI"}, "labels": labels, "numTraining": 2 + len(entries)}
        run.describe(content | {"training": [*good, *entries]})

    return spoil


def pair(name: str, **changes: str) -> dict:
    """Return an entry of the Decathlon's list."""
    paths = {"image": f"./imagesTr/{name}_0000.nii.gz", "label": f"./labelsTr/{name}.nii.gz"}
    return paths | changes


def folds(content: object) -> Spoil:
    """Bring folds of one's own; text is written as it is."""
    text = content if isinstance(content, str) else json.dumps(content)
    return lambda run: (run.raw / "splits_final.json").write_text(text) and None


def part(train: object, val: object) -> dict:
    return {"train": train, "val": val}


def configured(**sections: object) -> Spoil:
    """Write other sections into the config."""
    return lambda run: sections


def planned(change: Callable[[dict, dict, dict], object]) -> Spoil:
    """Bring a plan of one's own: `change` is given it, its configuration and its network."""

    def spoil(run: Run) -> dict:
        content = json.loads(GOLDEN_PLAN.read_text())
        plan = content["configurations"]["2d"]
        change(content, plan, plan["architecture"]["arch_kwargs"])
        (run.folder / "plans.json").write_text(json.dumps(content))
        return {"planning": {"plans": str(run.folder / "plans.json")}}

    return spoil


def plan_bytes(content: bytes, configuration: str = "2d") -> Spoil:
    """Bring a plan of these bytes."""

    def spoil(run: Run) -> dict:
        path = run.folder / "plans.json"
        path.write_bytes(content)
        return {"planning": {"plans": str(path), "configuration": configuration}}

    return spoil


def modelled(change: Callable[[Path], object]) -> Spoil:
    """Bring a model that nnU-Net trained, after changing its folder."""

    def spoil(run: Run) -> dict:
        folder = shutil.copytree(PLAIN.folder, run.folder / "model", dirs_exist_ok=True)
        change(folder)
        model = {"nnunet": str(folder), "configuration": PLAIN.configuration}
        return {"experiments": {"theirs": {"model": model}}}

    return spoil


def strides(*pairs: int) -> Callable:
    """Change the strides of a plan's stages, alike along both axes."""
    return lambda _, plan, net: net.update(strides=[[n, n] for n in pairs])


def sized(**changes: object) -> Callable:
    return lambda _, plan, net: plan.update(changes)


def built(**changes: object) -> Callable:
    return lambda _, plan, net: net.update(changes)


def stated(**changes: object) -> Callable:
    return lambda content, plan, net: content.update(changes)


def in_three_dimensions(content: dict, plan: dict, net: dict) -> None:
    """Give the plan what nnU-Net plans in 3D."""
    plan.update(patch_size=[8, 32, 32], spacing=[3.0, 1.0, 1.0])
    net.update(kernel_sizes=[[3, 3, 3]] * 4, conv_op="torch.nn.modules.conv.Conv3d")


def named_network(name: str) -> Callable:
    return lambda _, plan, net: plan["architecture"].update(network_class_name=name)


def intensities(**changes: object) -> Callable:
    key = "foreground_intensity_properties_per_channel"
    return lambda content, *_: content[key]["0"].update(changes)


def written(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)
