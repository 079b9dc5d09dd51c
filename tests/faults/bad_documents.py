"""Documents of a user's that are wrong are named, all at once, and nothing else happens.

`document_defects` holds those that are found before the first job. A job finds those of
`checkpoint_defects` and, here, files of a former stage that somebody changed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from faults.checkpoint_defects import CHECKPOINTS
from faults.document_defects import ALL
from faults.figures import Figure
from faults.spoilt_documents import Defect, Run, modelled
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
    # Paths within the folder that it runs in, so that a copy of a run goes on where that was.
    text = yaml.safe_dump(run.config | changes, allow_unicode=True, width=10_000)
    config.write_text(text.replace(f"{run.folder}/", ""))
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


IMPORTING = {"cross_validation": {"folds": 5, "run": [0]}}
"""What an imported model asks of a run: the folds that nnU-Net cuts of its five cases."""


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

SCRIPTS = ["M\xfcller_01", "\u60a3\u8005-2", "\u03b1.\u03b2", "Ze\u0301lie=1,@%"]
"""Names in letters of several scripts, one of them with its accent apart, and signs that may be."""

SHORT = {
    "training": {
        "epochs": 1,
        "iterations_per_epoch": 2,
        "validation_iterations": 1,
        "batch_size": 2,
    },
    "cross_validation": {"folds": 2, "run": [0, 1]},
    "figures": {"resamples": 50},
}
"""A config of the shortest run."""


def measure(folder: Path) -> list[Figure]:
    """Return how many wrong documents are named, by Snakemake and without anything else done."""
    few, five = fresh(folder / "few"), fresh(folder / "five", cases=5)
    theirs = IMPORTING | (modelled(lambda _: None)(five) or {})
    imported = prepared(five, theirs, "plan")
    analysed = prepared(few, {}, "fingerprint")
    return [
        _figure("a wrong document is named before the first job", ALL, few, {}, "fingerprint"),
        _figure(
            "a wrong checkpoint is named by the job that reads it",
            CHECKPOINTS,
            imported,
            IMPORTING,
            "train",
        ),
        _figure(
            "a file of a former stage that was changed by hand is named",
            RECORDS,
            analysed,
            {},
            "plan",
        ),
        all_at_once(copied(few, folder / "together")),
        _names_of_every_script(folder / "names"),
    ]


def rename(run: Run, names: Sequence[str]) -> None:
    """Give the cases of a run other names, one after the other."""
    for index, name in enumerate(names):
        for folder, ending in (("imagesTr", "_0000.nii.gz"), ("labelsTr", ".nii.gz")):
            path = run.raw / folder / f"case_{index:02d}{ending}"
            path.rename(path.with_name(f"{name}{ending}"))


def _names_of_every_script(folder: Path) -> Figure:
    """Run everything on cases with names of several scripts, and predict them."""
    run = fresh(folder)
    rename(run, SCRIPTS)
    outcome = snakemake(
        run, SHORT | {"inference": {"images": str(run.raw / "imagesTr")}}, "all", "predict"
    )
    predicted = {
        path.name for path in (folder / "results/mine/baseline/predicted").glob("*.nii.gz")
    }
    kept = sum(f"{name}.nii.gz" in predicted for name in SCRIPTS)
    note = "" if outcome.code == 0 and not outcome.touched else outcome.said[-500:]
    return Figure("a case may have a name of any script", 0 if note else kept, 4, "names", note)


def prepared(run: Run, changes: dict, target: str) -> Run:
    """Return a run after a target of it is made."""
    outcome = snakemake(run, changes, target)
    assert outcome.code == 0, outcome.said
    return run


def _figure(
    promise: str, defects: Sequence[Defect], run: Run, changes: dict, target: str
) -> Figure:
    """Try each defect through Snakemake, in a copy of a run."""
    failed = {}
    for defect in defects:
        with tempfile.TemporaryDirectory() as folder:
            made = copied(run, Path(folder) / "run")
            faults = tried(made, defect, changes, target)
        if faults:
            failed[defect.name] = f"{defect.name}: {', '.join(faults)}"
    kept = len(defects) - len(failed)
    return Figure(promise, kept, len(defects), "documents", "; ".join([*failed.values()][:3]))


def tried(run: Run, defect: Defect, changes: dict, target: str) -> list[str]:
    """Return what is not as promised when Snakemake is run on a run with a defect."""
    analysed = (run.folder / "results").exists()
    outcome = snakemake(run, changes | (defect.spoil(run) or {}), target)
    faults = outcome.faults(defect.words)
    if not analysed and (run.folder / "results").exists():
        faults.append("writes results")
    return faults


def all_at_once(run: Run) -> Figure:
    """Try several defects together: each must be named in the one message."""
    changes, words = {}, []
    for defect in (one for one in ALL if one.name in COMBINED):
        changes |= defect.spoil(run) or {}
        words += defect.words
    faults = snakemake(run, changes, "fingerprint").faults(words)
    promise = "several wrong documents are named at once"
    return Figure(promise, int(not faults), 1, "runs", "; ".join(faults))
