"""Documents of a user's that are wrong are named, all at once, and nothing else happens.

`defects` holds those that are found before the first job; here too are those that a job finds:
checkpoints, and files of a former stage that somebody changed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml

from faults.defects import ALL
from faults.figures import Figure
from faults.spoiling import Defect, Run, modelled
from scans import write_dataset
from slicewise import inputs
from slicewise.config import load

ROOT = Path(__file__).resolve().parents[2]


def fresh(folder: Path, cases: int = 4) -> Run:
    """Return a run of a few small scans in an empty folder."""
    write_dataset(folder / "raw", [(12, 12, 4)] * cases, spacing=(1, 1, 3))
    return Run(folder)


def copied(run: Run, folder: Path) -> Run:
    """Return the same run in another folder, which does not exist yet."""
    shutil.copytree(run.folder, folder)
    return Run(folder)


def message(run: Run, changes: dict) -> str:
    """Return what a run stops with before its first job, or nothing: what common.smk calls."""
    try:
        inputs.open_inputs(load(run.config | changes))
    except ValueError as refused:
        return str(refused)
    return ""


@dataclass(frozen=True)
class Outcome:
    """How `snakemake` ended: its exit code, all that it said, and files that it left or changed."""

    code: int
    said: str
    touched: tuple[str, ...]

    def faults(self, words: Sequence[str]) -> list[str]:
        """Return in what it is not as promised for a run that should name a problem."""
        lacking = [f"does not say {word!r}" for word in words if word not in self.said]
        broken = {
            "ends with exit code 0": self.code == 0,
            "shows a traceback": "Traceback" in self.said,
            f"touches {', '.join(self.touched)}": bool(self.touched),
        }
        return lacking + [fault for fault, found in broken.items() if found]


def snakemake(run: Run, changes: dict, *targets: str) -> Outcome:
    """Run the workflow as a user does, on one core."""
    config = run.folder / "config.yaml"
    config.write_text(yaml.safe_dump(run.config | changes, allow_unicode=True))
    before = _contents(run.folder)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--snakefile", ROOT / "Snakefile"]
    given = [*targets, "--directory", run.folder, "--configfile", config]
    done = subprocess.run([*command, *given], capture_output=True, check=False)
    after = _contents(run.folder)
    touched = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
    said = (done.stdout + done.stderr).decode(errors="replace")
    return Outcome(done.returncode, said, tuple(sorted(touched)))


def _contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Return time and size of everything in a folder but results and Snakemake's own."""
    own = {"results", ".snakemake"}
    found = {}
    for path in folder.rglob("*"):
        place = path.relative_to(folder)
        if place.parts[0] not in own and path.is_file():
            status = path.stat()
            found[ascii(str(place))] = (status.st_mtime_ns, status.st_size)
    return found


def checkpoint(change: Callable[[dict], object]) -> Callable[[Path], None]:
    """Change what the checkpoint of a model's fold 0 holds."""

    def spoil(folder: Path) -> None:
        path = folder / "fold_0/checkpoint_final.pth"
        from slicewise.nnunet_checkpoints import read_checkpoint

        content = read_checkpoint(path)
        change(content)
        torch.save(content, path)

    return spoil


def cut(folder: Path) -> None:
    path = folder / "fold_0/checkpoint_final.pth"
    path.write_bytes(path.read_bytes()[:3000])


def code_in(folder: Path) -> None:
    checkpoint(lambda content: content.update(logging=_Code()))(folder)


class _Code:
    """Would make a file where it is read by a reader that runs code."""

    def __reduce__(self) -> tuple:
        return Path.touch, (Path("ran"),)


def _spoil_one(content: dict, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    name = next(name for name in content["network_weights"] if name.endswith("conv.weight"))
    content["network_weights"][name] = change(content["network_weights"][name])


def bytes_of(content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / "fold_0/checkpoint_final.pth").write_bytes(content)


CHECKPOINTS = [
    Defect("a checkpoint cut off", modelled(cut), ("found what torch cannot read",)),
    Defect("an empty checkpoint", modelled(bytes_of(b"")), ("found an empty file",)),
    Defect("a text for a checkpoint", modelled(bytes_of(b"weights")), ("torch cannot read",)),
    Defect("code in a checkpoint", modelled(code_in), ("found code to run",)),
    Defect(
        "weights of nan",
        modelled(checkpoint(lambda c: _spoil_one(c, lambda w: w * float("nan")))),
        ("nan or infinite weights",),
    ),
    Defect(
        "weights of another shape",
        modelled(checkpoint(lambda c: _spoil_one(c, lambda w: w[:1]))),
        ("not the network of the plan",),
    ),
    Defect(
        "weights that take a terabyte",
        modelled(checkpoint(lambda c: _spoil_one(c, lambda w: torch.zeros(1).expand(2**38)))),
        ("weights", "2,000,000,000 at most"),
    ),
    Defect(
        "no weights",
        modelled(checkpoint(lambda content: content.pop("network_weights"))),
        ("found no network_weights",),
    ),
    Defect(
        "numbers for weights",
        modelled(checkpoint(lambda content: content.update(network_weights={"a": 1}))),
        ("'a': int of another kind",),
    ),
    Defect(
        "no log",
        modelled(checkpoint(lambda content: content.update(logging={"lrs": 3}))),
        ("a log that cannot be read",),
    ),
    Defect(
        "a trainer that is a path",
        modelled(checkpoint(lambda content: content.update(trainer_name="../../up"))),
        ("trainer_name: '../../up'",),
    ),
    Defect(
        "an axis that is none",
        modelled(checkpoint(lambda c: c.update(inference_allowed_mirroring_axes=[7]))),
        ("inference_allowed_mirroring_axes: [7]",),
    ),
]
"""Those of imported models; each needs five cases, as the model knows."""

IMPORTING = {"cross_validation": {"folds": 5, "run": [0]}}


def damage(name: str, content: bytes) -> Callable[[Run], None]:
    """Overwrite a file of the results."""
    return lambda run: (run.folder / "results" / name).write_bytes(content) and None


def dropped(name: str, key: str) -> Callable[[Run], None]:
    """Rename a key in a JSON file of the results."""

    def spoil(run: Run) -> None:
        path = run.folder / "results" / name
        text = path.read_text()
        assert f'"{key}"' in text
        path.write_text(text.replace(f'"{key}"', '"other"'))

    return spoil


ANEW = "delete it"
RECORDS = [
    *(
        Defect(f"{name} {how}", damage(f"mine/{name}", content), (f"{name}: found {found}", ANEW))
        for name in ("orientation.json", "dataset_fingerprint.json")
        for how, content, found in (
            ("emptied", b"", "an empty file"),
            ("cut off", b'{"reorient": fal', "JSON that is cut off"),
            ("in a list", b"[]", "a list at its top level"),
        )
    ),
    Defect(
        "no reorient",
        dropped("mine/orientation.json", "reorient"),
        ("orientation.json: found no reorient", ANEW),
    ),
    Defect(
        "no spacings",
        dropped("mine/dataset_fingerprint.json", "spacings"),
        ("dataset_fingerprint.json: found no spacings", ANEW),
    ),
    Defect(
        "spacings of text",
        damage("mine/dataset_fingerprint.json", b'{"spacings": ["x"], "shapes_after_crop": []}'),
        ("spacings: 'x'", "three positive numbers", ANEW),
    ),
]
"""Files of a former stage, changed by hand before the plan is made from them."""

COMBINED = ("no labels", "a wrong numTraining", "an unknown case", "a batch of 0")
"""Defects of one run at once, of which all must be named."""


def measure(folder: Path) -> list[Figure]:
    """Return how many wrong documents are named, by Snakemake and without anything else done."""
    few, five = fresh(folder / "few"), fresh(folder / "five", cases=5)
    return [
        _figure(
            "a wrong document is named before the first job",
            [(defect, few, {}, ("fingerprint",), True) for defect in ALL],
        ),
        _figure(
            "a wrong checkpoint is named by the job that reads it",
            [(defect, five, IMPORTING, ("train",), False) for defect in CHECKPOINTS],
        ),
        _figure(
            "a file of a former stage that was changed by hand is named",
            [(defect, planned(few), {}, ("plan",), False) for defect in RECORDS],
        ),
        all_at_once(few),
    ]


def planned(run: Run) -> Run:
    """Return a run after its fingerprint and its folds are made, once for each folder."""
    done = run.folder.with_name(f"{run.folder.name}-planned")
    if not done.exists():
        copied(run, done)
        outcome = snakemake(Run(done), {}, "fingerprint")
        assert outcome.code == 0, outcome.said
    return Run(done)


Trial = tuple[Defect, Run, dict, tuple[str, ...], bool]


def _figure(promise: str, trials: Sequence[Trial]) -> Figure:
    """Try each defect through Snakemake in a copy of its run."""
    failed = []
    for number, (defect, run, config, targets, before_any_job) in enumerate(trials):
        made = copied(run, run.folder.with_name(f"{run.folder.name}-{number}"))
        # The paths of a run are within its folder, so that a copy has its own.
        faults = tried(made, defect, config, targets, before_any_job)
        shutil.rmtree(made.folder)
        failed += [f"{defect.name}: {fault}" for fault in faults]
    kept = len(trials) - len({line.split(": ")[0] for line in failed})
    return Figure(promise, kept, len(trials), "documents", "; ".join(failed[:3]))


def tried(
    run: Run, defect: Defect, config: dict, targets: Sequence[str], before_any_job: bool
) -> list[str]:
    """Return what is not as promised when Snakemake is run on a run with a defect."""
    changes = config | (defect.spoil(run) or {})
    outcome = snakemake(run, changes, *targets)
    faults = outcome.faults(defect.words)
    if before_any_job and (run.folder / "results/mine").exists():
        faults.append("runs a job")
    return faults


def all_at_once(run: Run) -> Figure:
    """Try several defects together: each must be named in the one message."""
    made, changes, words = copied(run, run.folder.with_name("together")), {}, []
    for defect in (one for one in ALL if one.name in COMBINED):
        changes |= defect.spoil(made) or {}
        words += defect.words
    outcome = snakemake(made, changes, "fingerprint")
    faults = outcome.faults(words)
    return Figure(
        "several wrong documents are named at once",
        int(not faults),
        1,
        "runs",
        "; ".join(faults),
    )
