"""A copy of the workflow with a config of its own, so that a test may change its files."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

TINY = {
    "datasets": {"phantom": {"phantom": {"cases": 4, "seed": 1, "thick_axis": "mixed"}}},
    "experiments": {
        "coarsest": {"planning": {"slice_axis": "coarsest"}},
        "finest": {"planning": {"slice_axis": "finest"}},
    },
    "ensembles": {"both": ["coarsest", "finest"]},
    "cross_validation": {"folds": 2, "run": [0, 1]},
    "training": {
        "epochs": 1,
        "iterations_per_epoch": 2,
        "validation_iterations": 1,
        "batch_size": 2,
        "threads": 1,
    },
    "inference": {"mirroring": False},
    "figures": {"resamples": 200},
    "execution": {"cases_per_job": 2},
}


@dataclass(frozen=True)
class Checkout:
    """A copy of the workflow in a folder, with the config tiny.yaml."""

    folder: Path

    def configure(self, **changes) -> None:
        (self.folder / "tiny.yaml").write_text(yaml.safe_dump(TINY | changes))

    def without_messages(self) -> None:
        """Have Snakemake name the files and resources of each job, as it does without a message."""
        for path in (self.folder / "workflow/rules").glob("*.smk"):
            text = path.read_text()
            path.write_text(re.sub(r"^    message:\n.+\n", "", text, flags=re.MULTILINE))

    def snakemake(self, *arguments: str, cores: int = 2) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "snakemake", "--cores", str(cores), *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    def jobs(self, *arguments: str) -> dict[str, int]:
        """Return how many jobs of each rule a dry run would do."""
        done = self.snakemake(*arguments, "--dry-run", "--configfile", "tiny.yaml")
        assert done.returncode == 0, done.stdout + done.stderr
        found = re.findall(r"^([a-z_]+) +(\d+)$", done.stdout + done.stderr, re.MULTILINE)
        return {name: int(count) for name, count in found if name not in ("total", "all")}


def checkout(root: Path, folder: Path) -> Checkout:
    for name in ("Snakefile", "workflow", "config", "envs"):
        copy = shutil.copytree if (root / name).is_dir() else shutil.copy
        copy(root / name, folder / name)
    made = Checkout(folder)
    made.configure()
    return made
