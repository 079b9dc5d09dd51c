"""Write the dataset.json of scans with thick slices: that of the thin ones, and what was done."""

from slicewise.dataset import Dataset, open_dataset
from slicewise.files import write_json
from slicewise.job import run

ABOUT = ("name", "licence", "license", "reference", "release")
"""Keys that are as true of the thick slices as of the thin ones."""


def describe(source: Dataset, of: str, axis: str | int, factor: int, profile: str) -> dict:
    """Return the content of dataset.json, in the schema of nnU-Net v2, whatever the source's is."""
    done = f"slices along the axis {axis} made {factor} times as thick, {profile} profile"
    return {
        **{key: source.content[key] for key in ABOUT if key in source.content},
        "description": f"{of}, simulated: {done}",
        **source.meaning,
        # By what it says of itself: phantoms are still being made.
        "numTraining": source.content["numTraining"],
        "file_ending": ".nii.gz",
    }


def main(*, source, of, axis, factor, profile, dataset_json):
    """Write dataset.json; source: that of the dataset `of`, which has the thin slices."""
    write_json(dataset_json, describe(open_dataset(source), of, axis, factor, profile))


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
