"""The two programs on one dataset: their folders, their commands and what these run in.

Where a stage is part of a training and no command, each program has a half of it: a module of this
package that runs in that program's own environment, nnU-Net's (`oracle`) or ours (`own_half`), and
answers the benchmark. `halves` is what either runs in.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks import measuring
from benchmarks.measuring import Measurement

ROOT = Path(__file__).resolve().parents[2]
TESTS, SCRIPTS = ROOT / "tests", ROOT / "workflow" / "scripts"
PLANS = "nnUNetPlans"
MODEL = f"nnUNetTrainer__{PLANS}__2d"
OURS, THEIRS = "ours", "theirs"
"""Our experiments: a network that is planned here, and one that comes from nnU-Net."""


def in_turn(*commands: list) -> list:
    """Return one command that runs several, each after the other, up to the first that fails."""
    return ["sh", "-ec", "\n".join(shlex.join(map(str, command)) for command in commands)]


@dataclass(frozen=True)
class Bench:
    """What all stages are measured with.

    python: that of nnU-Net's environment; folder: for datasets and results, removed in the end;
    real: the folder of the hippocampus scans, or None; pairs: how many count; cores: of both.
    """

    python: Path
    folder: Path
    real: Path | None
    pairs: int
    cores: int


@dataclass(frozen=True)
class Scans:
    """A dataset in both programs.

    folder: holds nnU-Net's three folders and ours, `slicewise`; name: Dataset001_Name.
    """

    bench: Bench
    folder: Path
    name: str

    @property
    def number(self) -> str:
        return str(int(self.name[len("Dataset") :][:3]))

    @property
    def raw(self) -> Path:
        return self.folder / "nnUNet_raw" / self.name

    @property
    def preprocessed(self) -> Path:
        return self.folder / "nnUNet_preprocessed" / self.name

    @property
    def model(self) -> Path:
        """Return nnU-Net's folder of a trained model."""
        return self.folder / "nnUNet_results" / self.name / MODEL

    @property
    def own(self) -> Path:
        """Return the folder that our workflow runs in."""
        return self.folder / "slicewise"

    @property
    def results(self) -> Path:
        """Return our results of this dataset."""
        return self.own / "results" / "scans"

    @property
    def arrays(self) -> Path:
        """Return the folder of our arrays."""
        (manifest, *_) = sorted((self.results / "arrays").glob("*/preprocessing.json"))
        return manifest.parent

    @property
    def fold(self) -> Path:
        """Return the folder of our training of fold 0 and its validation."""
        return self.results / OURS / "fold-0_seed-0"

    @property
    def plan(self) -> Path:
        return self.results / OURS / "plans.json"

    @property
    def planned(self) -> dict:
        """Return the configuration of our plan."""
        return json.loads(self.plan.read_text())["configurations"]["2d"]

    @property
    def held_out(self) -> list[str]:
        """Return the validation cases of fold 0."""
        return json.loads((self.results / "splits_final.json").read_text())[0]["val"]

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def environment(self, threads: int, modules: tuple[Path, ...] = (), **more: object) -> dict:
        """Return what a process of either program runs in; `modules` are folders to import from.

        Compiled modules are kept for both, as on a user's machine, however this was started.
        """
        names = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
        kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        return kept | {
            "PYTHONPATH": os.pathsep.join(map(str, modules)),
            "PYTHONWARNINGS": "ignore",
            "OMP_NUM_THREADS": str(threads),
            "nnUNet_def_n_proc": str(self.bench.cores),
            "nnUNet_n_proc_DA": str(self.bench.cores),
            **{name: str(self.folder / name) for name in names},
            **{name: str(value) for name, value in more.items()},
        }

    def nnunet(self, command: str, *arguments: object) -> list:
        """Return one of nnU-Net's commands."""
        return [self.bench.python.parent / f"nnUNetv2_{command}", *arguments]

    def oracle(self, module: str, *arguments: object) -> list:
        """Return nnU-Net's half of a stage, a module of this package."""
        return [self.bench.python, "-m", f"benchmarks.{module}", *arguments]

    def own_half(self, module: str, *arguments: object) -> list:
        """Return our half of a stage, a module of this package."""
        return [sys.executable, "-m", f"benchmarks.{module}", *arguments]

    def halves(self, threads: int) -> dict:
        """Return what the modules of this package run in, whichever program's half they are."""
        return self.environment(threads, (TESTS, SCRIPTS))

    def snakemake(self, config: Mapping, *targets: object) -> list:
        """Return a command of our workflow, on fold 0; `config` is what differs from our own."""
        training = {"threads": self.bench.cores, "device": "cpu"}
        content = {
            "results": str(self.own / "results"),
            "datasets": {"scans": {"raw": str(self.raw)}},
            "experiments": {OURS: {}},
            "cross_validation": {"run": [0]},
            "postprocessing": {"largest_component": "never"},
            **config,
            "training": training | config.get("training", {}),
        }
        path = self.own / "config.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content))
        files = ["--snakefile", ROOT / "Snakefile", "--directory", self.own]
        cores = ["--cores", self.bench.cores]
        return [sys.executable, "-m", "snakemake", *files, *cores, *targets, "--configfile", path]

    def nnunet_preparation(self, single: bool = True) -> list:
        """Return nnU-Net's `single` command that prepares the raw files, or its three in turn.

        What it prepared before is deleted, so that all is made anew.
        """
        shutil.rmtree(self.preprocessed, ignore_errors=True)
        self.preprocessed.parent.mkdir(exist_ok=True)
        d, two, cores = ("-d", self.number), ("-c", "2d"), self.bench.cores
        if single:
            return self.nnunet("plan_and_preprocess", *d, *two, "-np", cores, "-npfp", cores)
        return in_turn(
            self.nnunet("extract_fingerprint", *d, "-np", cores),
            self.nnunet("plan_experiment", *d),
            self.nnunet("preprocess", *d, *two, "-np", cores),
        )

    def plan_with_nnunet(self, single: bool = True) -> Measurement:
        """Let nnU-Net prepare the raw files anew, with its `single` command or with three."""
        command = self.nnunet_preparation(single)
        return measuring.run(command, self.environment(1), self.log("preparation_nnunet"))

    def plan_here(self) -> Measurement:
        """Let our workflow prepare the raw files anew."""
        shutil.rmtree(self.own, ignore_errors=True)
        command = self.snakemake({}, "fingerprint", "plan", "export")
        return measuring.run(command, self.environment(1), self.log("preparation_slicewise"))

    def prepare(self) -> None:
        """Prepare the raw files in both programs where a stage before has not."""
        if not (self.preprocessed / f"{PLANS}_2d").exists():
            self.plan_with_nnunet()
        if not self.plan.exists():
            self.plan_here()
