"""Segment cases with the trained networks and write the result on each input's own grid.

Serves the validation cases of a fold, read from the exported arrays, and new images alike.
"""

import sys
from contextlib import nullcontext

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from slicewise.dataset import Case, Dataset, open_dataset
from slicewise.device import choose_device, set_determinism
from slicewise.files import whole_folder
from slicewise.inference import predict_logits
from slicewise.job import logger, run
from slicewise.labels import Labels
from slicewise.network import build_network
from slicewise.nnunet_checkpoints import load_network
from slicewise.plans import Plan, read_plan
from slicewise.postprocessing import postprocess, read_steps
from slicewise.predictions import (
    held_out_cases,
    write_probabilities,
    write_segmentation,
)
from slicewise.preprocessing import CaseGeometry, preprocess, restore
from slicewise.records import read_orientation
from slicewise.slices import open_case
from slicewise.volumes import read_images


def load_networks(checkpoints: list[str], plan: Plan, dataset: Dataset) -> list[nn.Module]:
    """Return one network for each checkpoint; several are an ensemble.

    Raises ValueError naming a checkpoint that is not of this plan's network.
    """
    networks = []
    for path in checkpoints:
        network = build_network(plan, len(dataset.channel_names), dataset.labels.outputs)
        saved = load_network(path, network)
        network.mirror_axes = tuple(saved.get("mirror_axes", network.mirror_axes))
        networks.append(network)
    return networks


def load_case(
    case: Case, arrays: str | None, plan: Plan, orientation: dict
) -> tuple[np.ndarray, CaseGeometry]:
    """Return the image (slice, channel, row, column) of a case and the way back to its file.

    With `arrays` the exported image is opened as a memory map; without, the case is preprocessed.
    Raises ValueError for a new image stored in an orientation that training did not see.
    """
    if arrays:
        exported = open_case(arrays, case.name)
        return exported.image, exported.geometry
    volume = read_images(case, orientation["reorient"])
    if not orientation["reorient"] and volume.orientation not in orientation["orientations"]:
        raise ValueError(
            f"case {case.name}: {case.images[0].path} is stored as {volume.orientation}, expected "
            f"{list(orientation['orientations'])} as in training; store it that way, or train with "
            "preprocessing.reorient: always"
        )
    image, _, geometry = preprocess(volume, None, plan.preparation, orientation["reorient"])
    return image, geometry


def segment(
    image: np.ndarray,
    geometry: CaseGeometry,
    networks: list[nn.Module],
    plan: Plan,
    labels: Labels,
    inference: dict,
    device: torch.device,
    *,
    with_probabilities: bool,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the segmentation (i, j, k) of an exported image (slice, channel, row, column).

    It lies on the grid of the image's file, as do the probabilities (output, i, j, k) that come
    with it where they are asked for.
    """
    logits = predict_logits(
        image,
        networks,
        plan.patch_size,
        mirroring=inference["mirroring"],
        tile_step=inference["tile_step"],
        gaussian=inference["gaussian"],
        batch_size=inference["batch_size"],
        device=device,
    )
    return restore(
        logits, geometry, plan.preparation, labels, with_probabilities=with_probabilities
    )


def main(
    *,
    dataset_json,
    plan,
    orientation,
    checkpoints,
    inference,
    device,
    threads,
    predictions,
    deterministic=True,
    splits=None,
    fold=None,
    arrays=None,
    images=None,
    postprocessing=None,
    save_probabilities=False,
    probabilities=None,
):
    """Write predictions/CASE.nii.gz for the validation cases of a fold or a folder of new images.

    A fold comes with `splits` and the folder of its exported `arrays`, new images with `images` and
    perhaps the `postprocessing` to apply. CASE.npy with the probabilities goes to the folder
    `probabilities` if there is one, to `predictions` if they are to be saved.
    """
    torch.set_num_threads(threads)
    dataset, plan = open_dataset(dataset_json), read_plan(plan)
    stored = read_orientation(orientation, "orientations")
    networks = load_networks(checkpoints, plan, dataset)
    device = choose_device(device)
    set_determinism(device, deterministic)
    steps = read_steps(postprocessing) if postprocessing else []
    chosen = dataset.new_cases(images) if images else held_out_cases(dataset, splits, fold)
    with (
        whole_folder(predictions) as segmentations,
        whole_folder(probabilities) if probabilities else nullcontext() as apart,
    ):
        folder = segmentations if save_probabilities else apart
        for case in tqdm(chosen, unit="case", mininterval=0.5 if sys.stderr.isatty() else 30):
            image, geometry = load_case(case, arrays, plan, stored)
            segmentation, found = segment(
                image,
                geometry,
                networks,
                plan,
                dataset.labels,
                inference,
                device,
                with_probabilities=folder is not None,
            )
            write_segmentation(segmentations, case, postprocess(segmentation, steps))
            if folder is not None:
                write_probabilities(folder, case, found)
            del found  # or they would stay in memory until those of the next case are there
    logger.info("predicted %d cases with %d networks", len(chosen), len(networks))


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
