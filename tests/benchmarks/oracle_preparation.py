"""nnU-Net's half of the check of preparation.py: its fingerprint, plan and arrays as plain files.

Takes nnU-Net's folder of a preprocessed dataset and the folder to write to.
"""

import shutil
import sys
from pathlib import Path

from golden.record import keep


def main(preprocessed: Path, target: Path) -> None:
    """Keep the arrays of all cases."""
    shutil.rmtree(target, ignore_errors=True)
    cases = sorted(path.stem for path in (preprocessed / "nnUNetPlans_2d").glob("*.pkl"))
    keep(preprocessed, target, cases, cases)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
