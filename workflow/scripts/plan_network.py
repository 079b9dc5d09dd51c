"""Plan patch, batch and network, write plans.json, and say which structures fit in the patch."""

from collections.abc import Iterable

import numpy as np

from slicewise.dataset import Dataset, open_dataset
from slicewise.extents import extents_on_grid, read_extents, read_spacing
from slicewise.files import write_json, write_table
from slicewise.job import logger, run
from slicewise.planners import PLANNERS, Planner, plan_batch, plan_patch, scale_patch
from slicewise.plans import CONFIGURATION, architecture_json, parse_plan, read_preprocessing
from slicewise.records import read_fingerprint, read_orientation
from slicewise.resampling import resampled_shape

ADEQUATE_SHARE = 0.95
"""Below this share of extents that fit in the patch the log warns."""


def plan_network(
    dataset: Dataset,
    fingerprint: dict,
    preparation: dict,
    planner: Planner,
    gpu_memory_gb: float | None,
    name: str,
    patch_scale: float = 1.0,
) -> dict:
    """Return the content of plans.json; `preparation` is that of preprocessing.json.

    gpu_memory_gb: the memory to fill, or None for the planner's own target; patch_scale: the share
    of the edges of the patch that fills it. The batch is planned for the scaled patch and its
    network, so that a step of any scale takes about the same memory and sees about as many pixels.
    """
    forward = preparation["transpose_forward"]
    prepared = preparation["configurations"][CONFIGURATION]
    target = np.array(preparation["slicewise"]["target_spacing"])
    spacings, shapes = fingerprint["spacings"], fingerprint["shapes_after_crop"]
    resampled = [
        resampled_shape(shape, spacing, target)
        for spacing, shape in zip(spacings, shapes, strict=True)
    ]
    median_shape = np.median(resampled, 0)[forward]
    dataset_voxels = float(np.prod(median_shape, dtype=np.float64) * dataset.content["numTraining"])
    capacity = planner.capacity(gpu_memory_gb)
    spacing, classes = np.array(prepared["spacing"]), len(dataset.content["labels"])
    network, patch, estimate = plan_patch(planner, spacing, median_shape[1:], classes, capacity)
    own = preparation["slicewise"]
    if patch_scale != 1:
        network, patch, estimate = scale_patch(planner, spacing, patch, patch_scale, classes)
        own = {**own, "patch_scale": patch_scale}
    batch_size = plan_batch(planner, estimate, capacity, dataset_voxels, patch)
    configuration = {
        "data_identifier": f"nnUNetPlans_{CONFIGURATION}",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": batch_size,
        "patch_size": list(patch),
        "median_image_size_in_voxels": median_shape[1:].tolist(),
        **prepared,
        "architecture": architecture_json(network),
        "batch_dice": True,
    }
    return {
        "dataset_name": name,
        "plans_name": planner.plans_name,
        "original_median_spacing_after_transp": np.median(spacings, 0)[forward].tolist(),
        "original_median_shape_after_transp": [
            round(edge) for edge in np.median(shapes, 0)[forward]
        ],
        "image_reader_writer": preparation["image_reader_writer"],
        "transpose_forward": forward,
        "transpose_backward": preparation["transpose_backward"],
        "configurations": {CONFIGURATION: configuration},
        "experiment_planner_used": planner.nnunet_name,
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": preparation[
            "foreground_intensity_properties_per_channel"
        ],
        "slicewise": own,
    }


def patch_adequacy(extents: np.ndarray, classes: Iterable[str], patch: list[int]) -> list[dict]:
    """Return for each class the share of its in-plane extents that fit in the patch.

    extents: label (the class, counted from 1), row and column in voxels, one row for each slice
    that holds the class. Without any, share and percentiles are None.
    """
    table = []
    for value, name in enumerate(classes, start=1):
        of_class = extents[extents[:, 0] == value, 1:]
        fit, slices = int((of_class <= patch).all(axis=1).sum()), len(of_class)
        largest = np.percentile(of_class, 95, axis=0).tolist() if slices else [None, None]
        table.append(
            {
                "class": name,
                "label": value,
                "slices": slices,
                "fit": fit,
                "share": fit / slices if slices else None,
                "patch_row": patch[0],
                "patch_column": patch[1],
                "extent_row_p95": largest[0],
                "extent_column_p95": largest[1],
            }
        )
    return table


def report(adequacy: list[dict]) -> None:
    """Log each class's share, as a warning where less than 95 % of its extents fit."""
    for row in adequacy:
        said = "{fit} of {slices} in-plane extents of {class} fit in the patch".format(**row)
        if row["slices"] and row["share"] < ADEQUATE_SHARE:
            logger.warning(
                "%s (%.0f %%): the network never sees the whole of it at once; a larger "
                "planning.gpu_memory_gb or planning.patch_scale enlarges the patch",
                said,
                100 * row["share"],
            )
        else:
            logger.info(said)


def main(
    *,
    dataset_json,
    fingerprint,
    preprocessing,
    orientation,
    spacing,
    extents,
    planner,
    gpu_memory_gb,
    dataset_name,
    plans,
    plan,
    adequacy,
    configuration=CONFIGURATION,
    patch_scale=1.0,
):
    """Write plans.json and patch_adequacy.csv; a plan that the user brings is used as it is."""
    dataset = open_dataset(dataset_json)
    reorient = read_orientation(orientation)["reorient"]
    if plans:
        from slicewise.user_plans import read_user_plan  # brings its schema's validator

        content = read_user_plan(plans, len(dataset.channel_names), reorient, configuration)
    else:
        content = plan_network(
            dataset,
            read_fingerprint(fingerprint),
            read_preprocessing(preprocessing),
            PLANNERS[planner],
            gpu_memory_gb,
            dataset_name,
            patch_scale,
        )
    patch = parse_plan(content).patch_size
    found = extents_on_grid(
        read_extents(extents),
        read_spacing(spacing),
        content["transpose_forward"],
        content["configurations"][CONFIGURATION]["spacing"],
        reorient,
    )
    table = patch_adequacy(
        np.concatenate([np.empty((0, 3)), *(rows for _, rows in found)]),
        dataset.labels.classes,
        list(patch),
    )
    logger.info(
        "patch %d x %d, batch %d", *patch, content["configurations"][CONFIGURATION]["batch_size"]
    )
    report(table)
    write_table(adequacy, list(table[0]), [row.values() for row in table])
    write_json(plan, content)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
