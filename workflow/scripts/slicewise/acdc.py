"""ACDC as its publisher packs it, written in nnU-Net's layout with folds by patient.

`python -m slicewise.acdc SOURCE TARGET`; config/acdc.yaml says where the files come from.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from slicewise.files import flush_files, whole_folder, write_json
from slicewise.problems import Problem, error, refuse_errors, wrong

FRAME = re.compile(r"(?P<case>(?P<patient>patient\d{3})_frame\d{2})\.nii\.gz")
"""An image at end diastole or end systole: patient001/patient001_frame01.nii.gz."""

SPLIT_SEED = 1234
"""nnU-Net: create_ACDC_split of Dataset027_ACDC."""

FOLDS = 5

DESCRIPTION = {
    "channel_names": {"0": "cineMRI"},
    "labels": {"background": 0, "RV": 1, "MLV": 2, "LVC": 3},
    "file_ending": ".nii.gz",
}


def convert(source: str | Path, target: str | Path) -> int:
    """Write `target` in nnU-Net's raw layout and return how many labelled cases it has.

    source: the folder that holds `training` and perhaps `testing`, or the patients of the training
    themselves. `target` gets copies and appears whole or not at all. Raises BadInput for a folder
    without patients, for frames without labels, and for a target that is there already.
    """
    source, target = Path(source), Path(target)
    training = source / "training" if (source / "training").is_dir() else source
    images = _frames(training)
    labels = {case: path.with_name(f"{case}_gt.nii.gz") for case, path in images.items()}
    refuse_errors(_problems(training, labels))
    if target.exists():
        mend = "name another folder, or remove it"
        raise error("", target, "something by this name", "a folder to be made", mend)
    with whole_folder(target) as folder:
        flush_files(
            copy
            for part, ending, files in (
                ("imagesTr", "_0000.nii.gz", images),
                ("labelsTr", ".nii.gz", labels),
                ("imagesTs", "_0000.nii.gz", _frames(source / "testing")),
            )
            for copy in _copies(files, folder / part, ending)
        )
        write_json(folder / "dataset.json", {**DESCRIPTION, "numTraining": len(images)})
        write_json(folder / "splits_final.json", folds_by_patient(sorted(images)))
    return len(images)


def folds_by_patient(cases: Sequence[str]) -> list[dict[str, list[str]]]:
    """Return nnU-Net's folds of ACDC: all frames of a patient are held out together."""
    patients = sorted({case.partition("_")[0] for case in cases})
    np.random.RandomState(SPLIT_SEED).shuffle(patients)
    splits = []
    for fold in range(FOLDS):
        held_out = set(patients[fold::FOLDS])
        parts: dict[str, list[str]] = {"train": [], "val": []}
        for case in cases:
            parts["val" if case.partition("_")[0] in held_out else "train"].append(case)
        splits.append(parts)
    return splits


def _frames(folder: Path) -> dict[str, Path]:
    """Return the labelled frames of the patients in a folder, by case; not the whole cine, _4d."""
    found = {}
    for path in sorted(folder.glob("patient*/*.nii.gz")):
        match = FRAME.fullmatch(path.name)
        if match and match["patient"] == path.parent.name:
            found[match["case"]] = path
    return found


def _problems(training: Path, labels: dict[str, Path]) -> list[Problem]:
    """Return what is missing of the training cases."""
    patients = {case.partition("_")[0] for case in labels}
    if len(patients) < FOLDS:
        found = f"{len(patients)} patients"
        expected = "patient001/patient001_frame01.nii.gz and so on, of five patients or more"
        return [wrong(training, found, expected, "name the folder that holds `training`")]
    return [
        wrong(path, "no such file", "the labels of this frame", "unpack the archive again", case)
        for case, path in labels.items()
        if not path.is_file()
    ]


def _copies(files: dict[str, Path], folder: Path, ending: str) -> Iterator[Path]:
    """Copy the files of cases into a folder, each under the name of its case; yield the copies."""
    folder.mkdir()
    for case, path in files.items():
        yield Path(shutil.copyfile(path, folder / f"{case}{ending}"))


if __name__ == "__main__":
    import sys

    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        print(f"{convert(*sys.argv[1:])} cases in {sys.argv[2]}")
    except ValueError as refused:
        sys.exit(str(refused))
