"""How the comparisons run nnU-Net, which lives in an environment of its own."""

import os
import subprocess
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
NNUNET_FOLDERS = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")


def run(python: Path, module: str, folder: Path, *arguments: object) -> None:
    """Run a module of this package in nnU-Net's environment, its datasets and models in `folder`.

    The module gets the folder as its first argument. Raises RuntimeError with what it printed last
    if it fails.
    """
    environment = os.environ | {
        "PYTHONPATH": str(TESTS),
        "PYTHONWARNINGS": "ignore",
        "OMP_NUM_THREADS": "1",
        "nnUNet_compile": "f",
        **{name: str(folder / name) for name in NNUNET_FOLDERS},
    }
    command = [str(python), "-m", f"parity.{module}", str(folder), *map(str, arguments)]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise RuntimeError(f"{' '.join(command)} failed:\n{last}")
