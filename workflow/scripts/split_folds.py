"""Split cases into folds: the same folds as nnU-Net's for the same case names.

A splits_final.json beside the dataset.json is taken as it is, as nnU-Net does.
"""

from slicewise.files import write_json
from slicewise.folds import read_given_folds, split
from slicewise.job import logger, run


def main(*, cases, folds, splits, given=()):
    """Write splits_final.json; `given` holds the file of the user's own folds, if there is one."""
    content = split(cases, folds) if not given else read_given_folds(given[0], cases, folds)
    for path in given:
        logger.info("using the folds of %s", path)
    write_json(splits, content)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
