"""Split cases into folds: the same folds as nnU-Net's for the same case names.

A splits_final.json beside the dataset.json is taken as it is, as nnU-Net does.
"""

from slicewise.files import read_json, write_json
from slicewise.folds import split
from slicewise.job import logger, run


def check(path: str, splits: list[dict], cases: list[str], folds: int) -> None:
    """Raise ValueError for folds of the user's that do not suit the dataset's cases."""
    if len(splits) != folds:
        raise ValueError(
            f"{path}: found {len(splits)} folds, expected {folds}; set cross_validation.folds: "
            f"{len(splits)}"
        )
    for fold, parts in enumerate(splits):
        train, held_out = set(parts["train"]), set(parts["val"])
        unknown = sorted((train | held_out) - set(cases))
        if unknown:
            raise ValueError(
                f"{path}: fold {fold} names {', '.join(unknown[:5])}, expected the dataset's cases"
            )
        if train & held_out or not train or not held_out:
            raise ValueError(
                f"{path}: fold {fold} has {len(train)} cases to train on and {len(held_out)} held "
                f"out, {len(train & held_out)} of them in both; expected some of each, none in both"
            )


def main(*, cases, folds, splits, given=()):
    """Write splits_final.json; `given` holds the file of the user's own folds, if there is one."""
    content = split(cases, folds) if not given else read_json(given[0])
    for path in given:
        check(path, content, cases, folds)
        logger.info("using the folds of %s", path)
    write_json(splits, content)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
