"""nnU-Net's half of preprocessing.py: fingerprint, plan, folds and arrays of raw datasets.

Takes a folder and names of datasets in it: NAME/raw is read, NAME/nnunet is written.
"""

import multiprocessing
import os
import shutil
import sys
from pathlib import Path

from golden.record import folders, keep, run_nnunet


def main(folder: Path, names: list[str]) -> None:
    """Run nnU-Net's own commands on every dataset and keep the arrays of all cases."""
    # nnU-Net starts its workers anew, which imports PyTorch each time: thrice for each dataset.
    multiprocessing.get_context = lambda method=None: multiprocessing.context.ForkContext()
    for name in names:
        source = folder / name / "raw"
        raw, preprocessed = folders(name)
        raw.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(source.resolve(), raw, target_is_directory=True)
        run_nnunet()
        labels = sorted((source / "labelsTr").glob("[!.]*.nii.gz"))
        cases = [path.name.removesuffix(".nii.gz") for path in labels]
        keep(preprocessed, folder / name / "nnunet", cases, cases)
        raw.unlink()
        shutil.rmtree(preprocessed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
