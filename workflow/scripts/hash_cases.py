"""Write the SHA-256 of every image and label file of a group of cases."""

from slicewise.checksums import write_checksums
from slicewise.dataset import open_dataset
from slicewise.job import run


def main(*, dataset_json, cases, checksums):
    """Write a line for each file, named as seen from the folder of dataset.json."""
    dataset = open_dataset(dataset_json)
    files = (path for name in cases for path in dataset.case(name).files)
    write_checksums(checksums, files, dataset.root)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
