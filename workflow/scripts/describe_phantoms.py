"""Write the dataset.json of the phantoms, in the schema of nnU-Net v2."""

from pathlib import Path

from slicewise.files import write_json
from slicewise.job import run

LABELS = {"background": 0, "right_ventricle": 1, "myocardium": 2, "left_ventricle": 3}
"""Names and values in the order of ACDC (Bernard et al., IEEE TMI 2018)."""


def describe(cases: int) -> dict:
    """Return the content of dataset.json for a number of cases."""
    return {
        "name": "phantom",
        "description": "Synthetic short-axis images of the heart, drawn by formulas and random "
        "numbers. They resemble cine MR and contain no data of any person or animal.",
        "licence": "MIT, as slicewise itself",
        "channel_names": {"0": "MRI"},
        "labels": LABELS,
        "numTraining": cases,
        "file_ending": ".nii.gz",
    }


def main(*, cases: int, dataset_json: Path) -> None:
    """Write dataset.json for `cases` phantoms."""
    write_json(dataset_json, describe(cases))


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
