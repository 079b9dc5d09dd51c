"""Fuse the predictions of several experiments: one segmentation from their mean probabilities.

Probabilities lie on the grids of the files, so the members of an ensemble may slice along different
axes. Serves the validation cases of a fold and new images alike.
"""

from slicewise.dataset import open_dataset
from slicewise.files import whole_folder
from slicewise.job import logger, run
from slicewise.postprocessing import postprocess, read_steps
from slicewise.predictions import (
    held_out_cases,
    mean_probabilities,
    write_probabilities,
    write_segmentation,
)
from slicewise.volumes import read_header


def main(
    *,
    dataset_json,
    members,
    predictions,
    splits=None,
    fold=None,
    images=None,
    postprocessing=None,
    save_probabilities=False,
):
    """Write predictions/CASE.nii.gz from the probabilities CASE.npy in the folders `members`.

    The cases are those of a fold (`splits`, `fold`) or of a folder of new images (`images`, perhaps
    with the `postprocessing` to apply). The mean is written as predictions/CASE.npy if it is to be
    saved.
    """
    dataset = open_dataset(dataset_json)
    steps = read_steps(postprocessing) if postprocessing else []
    chosen = dataset.new_cases(images) if images else held_out_cases(dataset, splits, fold)
    with whole_folder(predictions) as folder:
        for case in chosen:
            shape = (dataset.labels.outputs, *read_header(case).shape)
            mean = mean_probabilities(members, case, shape)
            write_segmentation(folder, case, postprocess(dataset.labels.segment(mean), steps))
            if save_probabilities:
                write_probabilities(folder, case, mean)
            del mean  # or it would stay in memory until that of the next case is there
    logger.info("fused %d cases from %d experiments", len(chosen), len(members))


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
