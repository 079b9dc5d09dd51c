"""Every known way to break a scan: each is named in the table of problems, and nothing else is.

A defect breaks one case of a dataset that is whole otherwise. An error has to stop the run, a
warning must not, no traceback may be seen, and the same command goes on once the case is mended.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from faults.figures import Figure
from faults.scan_defects import DEFECTS, Defect
from faults.spoilt_scans import CHANNELS, SHAPE, Scan
from scans import write_dataset
from slicewise.problems import ERROR, Problem, read_tables

ROOT = Path(__file__).resolve().parents[2]


def write_whole(folder: Path, cases: int) -> Path:
    """Write a dataset without any problem and return its folder."""
    return write_dataset(folder, [SHAPE] * cases, channels=CHANNELS).parent


@dataclass(frozen=True)
class Workplace:
    """A copy of the workflow with a whole dataset and one to be broken."""

    folder: Path
    cases: int

    @property
    def whole(self) -> Path:
        """Return the folder of the dataset that stays whole."""
        return self.folder / "whole"

    @property
    def raw(self) -> Path:
        """Return the folder of the dataset that the config names."""
        return self.folder / "raw"

    def scan(self, number: int) -> Scan:
        """Return one of the cases."""
        return Scan(self.raw, f"case_{number:02d}")

    def prepare(self) -> Workplace:
        """Lay everything out."""
        for name in ("Snakefile", "workflow", "config", "envs"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.folder / name)
        write_whole(self.whole, self.cases)
        config = {
            "datasets": {"own": {"raw": str(self.raw)}},
            "experiments": {"coarsest": {}},
            "cross_validation": {"folds": 2, "run": [0]},
        }
        (self.folder / "own.yaml").write_text(yaml.safe_dump(config))
        self.renew()
        return self

    def renew(self) -> None:
        """Make the dataset whole again, and forget all results."""
        for folder in (self.raw, self.folder / "results", self.folder / ".snakemake"):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.whole, self.raw)

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run the workflow to a target; return its exit status and all that is to be seen."""
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        done = subprocess.run(
            [*command, "--configfile", "own.yaml"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode, done.stdout

    @property
    def problems(self) -> list[Problem]:
        """Return the problems that the run wrote down."""
        return read_tables([self.folder / "results/own/validation.csv"])

    @property
    def fingerprint(self) -> Path:
        """Return what a run writes that goes on."""
        return self.folder / "results/own/dataset_fingerprint.json"


def fault_of(place: Workplace, defect: Defect) -> str:
    """Run the workflow on a dataset with one defect, then mended; return what went wrong."""
    place.renew()
    scan = place.scan(1)
    defect.spoil(scan)
    status, said = place.run("fingerprint")
    if "Traceback" in said:
        return "a traceback is seen"
    if not defect.judged_rightly(place.problems, scan.name):
        return "not named, or not as what it is"
    if (status != 0) != (defect.severity == ERROR) or place.fingerprint.exists() == (status != 0):
        return f"exit status {status}"
    if status and not re.search(f"found [^\n]*{defect.words.rstrip('$')}", said):
        return "not seen in the terminal"
    scan.mend(place.whole)
    status, said = place.run("fingerprint")
    if status or place.problems or not place.fingerprint.exists():
        return "does not go on once it is mended"
    return ""


def measure(folder: Path) -> list[Figure]:
    """Break a scan in each way, one by one, and count those that ended as promised."""
    place = Workplace(folder, cases=4).prepare()
    faults = {defect.name: fault_of(place, defect) for defect in DEFECTS}
    broken = [f"{name}: {fault}" for name, fault in faults.items() if fault]
    return [
        Figure(
            "a bad scan is named, stops the run or is warned of, and is mended",
            len(faults) - len(broken),
            len(faults),
            "bad scans",
            "; ".join(broken[:3]),
        )
    ]
