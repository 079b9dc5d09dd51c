"""List the cases of an unpacked archive, or say what is wrong with it before they are looked at."""

from slicewise.files import write_json
from slicewise.job import run
from slicewise.unpacked import open_unpacked


def main(*, raw: str, folds: int, listing: str) -> None:
    """Write where the dataset.json in the folder `raw` lies, and the names of the cases."""
    source = open_unpacked(raw, folds)
    write_json(listing, {"dataset_json": str(source.json_path), "cases": source.cases()})


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
