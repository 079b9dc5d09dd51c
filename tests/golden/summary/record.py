"""Record the summaries of this folder with nnU-Net itself, and make the volumes they are of.

Run it in an environment that holds nnunetv2 2.8.1 (`pip install nnunetv2==2.8.1`):

    python tests/golden/summary/record.py

Volumes come from the frozen legacy stream of numpy's RandomState, so that every version of numpy
makes the same ones.
"""

import tempfile
from importlib.metadata import version
from pathlib import Path

import nibabel as nib
import numpy as np

GOLDEN = Path(__file__).parent
NNUNET = "2.8.1"
LABELS = {"summary.json": [1, 2, 3], "absent_class.json": [1, 2, 3, 4]}
"""Golden file -> labels. No volume holds label 4."""

REGIONS = {
    "regions.json": ([(1, 2, 3), (2, 3), 3], None),
    "ignore.json": ([1, 2], 3),
    "regions_ignore.json": ([(1, 2), 2], 3),
}
"""Golden file -> labels and regions, and the label of voxels that nobody annotated."""

CASES = ["case_2", "case_10", "case", "case-1", "Other"]
"""Sorted otherwise as names of files than as names of cases."""

REFERENCES, PREDICTIONS = "labelsTr", "predictions"


def volumes(number: int, ignore: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the truth and the prediction of a case: uint8 in file order.

    Label 3 is empty in both in case 0, only in the prediction in case 1, only in the truth in
    case 2. With `ignore`, slices of case 3 and all of case 4 have that label in the truth, and no
    prediction has it.
    """
    random = np.random.RandomState(20261123 + number)
    shape = (7, 9, 5 + number)
    truth = random.randint(0, 4, size=shape)
    prediction = np.where(random.randint(0, 5, size=shape), truth, random.randint(0, 4, size=shape))
    if number in (0, 1):
        truth[truth == 3] = 0
    if number in (0, 2):
        prediction[prediction == 3] = 1
    if ignore is not None:
        truth[..., {3: slice(2, 6), 4: slice(None)}.get(number, slice(0))] = ignore
        prediction[prediction == ignore] = 0
    return truth.astype(np.uint8), prediction.astype(np.uint8)


def write(folder: Path, ignore: int | None = None) -> None:
    """Write references and predictions into two folders of `folder`."""
    for number, case in enumerate(CASES):
        for part, voxels in zip((REFERENCES, PREDICTIONS), volumes(number, ignore), strict=True):
            (folder / part).mkdir(parents=True, exist_ok=True)
            image = nib.Nifti1Image(voxels, np.diag([1.0, 1.5, 4.0, 1.0]))
            nib.save(image, folder / part / f"{case}.nii.gz")


def main() -> None:
    """Record nnU-Net's summaries, with paths relative to the folder of the volumes."""
    from nnunetv2.evaluation.evaluate_predictions import compute_metrics_on_folder
    from nnunetv2.imageio.nibabel_reader_writer import NibabelIO

    if version("nnunetv2") != NNUNET:
        raise SystemExit(f"found nnunetv2 {version('nnunetv2')}, the golden files need {NNUNET}")
    plain = {name: (labels, None) for name, labels in LABELS.items()}
    for name, (labels, ignore) in {**plain, **REGIONS}.items():
        with tempfile.TemporaryDirectory() as root:
            write(Path(root), ignore)
            output = Path(root) / name
            compute_metrics_on_folder(
                f"{root}/{REFERENCES}",
                f"{root}/{PREDICTIONS}",
                str(output),
                NibabelIO(),
                ".nii.gz",
                labels,
                ignore_label=ignore,
                num_processes=1,
            )
            (GOLDEN / name).write_text(output.read_text().replace(f"{root}/", ""))


if __name__ == "__main__":
    main()
