"""Plan patch, batch and network, write plans.json, and say which structures fit in the patch."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from slicewise import geometry
from slicewise.dataset import Dataset, open_dataset
from slicewise.files import read_json, write_csv, write_json
from slicewise.job import logger, run
from slicewise.planners import PLANNERS, Planner, plan_batch, plan_patch
from slicewise.plans import CONFIGURATION, architecture_json, parse_plan
from slicewise.resampling import resampled_shape
from slicewise.user_plans import read_user_plan

ADEQUATE_SHARE = 0.95
"""Below this share of extents that fit in the patch the log warns."""


def plan_network(
    dataset: Dataset,
    fingerprint: dict,
    preparation: dict,
    planner: Planner,
    gpu_memory_gb: float | None,
    name: str,
) -> dict:
    """Return the content of plans.json; `preparation` is that of preprocessing.json.

    gpu_memory_gb: the memory to fill, or None for the planner's own target.
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
    network, patch, estimate = plan_patch(
        planner,
        np.array(prepared["spacing"]),
        median_shape[1:],
        len(dataset.content["labels"]),
        capacity,
    )
    configuration = {
        "data_identifier": f"nnUNetPlans_{CONFIGURATION}",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": plan_batch(planner, estimate, capacity, dataset_voxels, patch),
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
        "slicewise": preparation["slicewise"],
    }


def extents_on_grid(
    extents: pd.DataFrame, cases: pd.DataFrame, plan: dict, reorient: bool
) -> pd.DataFrame:
    """Return label, row and column extents in voxels of the plan's grid, one row per slice.

    extents: as analyze_cases wrote them, axes as stored; cases: spacing.csv.
    """
    slice_axis, *in_plane = plan["transpose_forward"]
    target = plan["configurations"][CONFIGURATION]["spacing"]
    found = []
    by_case = dict(tuple(extents.groupby("case")))
    for case in cases.itertuples():
        stored = [
            2 - geometry.nifti_axis(axis, case.orientation, reorient)
            for axis in (slice_axis, *in_plane)
        ]
        if case.case not in by_case:
            continue
        rows = by_case[case.case]
        rows = rows[rows["axis"] == stored[0]]
        row, column = ("first", "second") if stored[1] < stored[2] else ("second", "first")
        scale = [
            getattr(case, f"spacing_{axis}_mm") / edge
            for axis, edge in zip(in_plane, target, strict=True)
        ]
        found.append(
            pd.DataFrame(
                {
                    "label": rows["label"],
                    "row": rows[row] * scale[0],
                    "column": rows[column] * scale[1],
                }
            )
        )
    return pd.concat(found, ignore_index=True)


def patch_adequacy(extents: pd.DataFrame, classes: Iterable[str], patch: list[int]) -> pd.DataFrame:
    """Return for each class the share of its in-plane extents that fit in the patch.

    extents: label (the class, counted from 1), row and column in voxels, one row for each slice
    that holds the class.
    """
    table = []
    for value, name in enumerate(classes, start=1):
        of_class = extents[extents["label"] == value]
        fit = int(((of_class["row"] <= patch[0]) & (of_class["column"] <= patch[1])).sum())
        table.append(
            {
                "class": name,
                "label": value,
                "slices": len(of_class),
                "fit": fit,
                "share": fit / len(of_class) if len(of_class) else np.nan,
                "patch_row": patch[0],
                "patch_column": patch[1],
                "extent_row_p95": of_class["row"].quantile(0.95),
                "extent_column_p95": of_class["column"].quantile(0.95),
            }
        )
    return pd.DataFrame(table)


def report(adequacy: pd.DataFrame) -> None:
    """Log each class's share, as a warning where less than 95 % of its extents fit."""
    for row in adequacy.itertuples():
        said = f"{row.fit} of {row.slices} in-plane extents of {row[1]} fit in the patch"
        if row.slices and row.share < ADEQUATE_SHARE:
            logger.warning(
                "%s (%.0f %%): the network never sees the whole of it at once; a larger "
                "planning.gpu_memory_gb enlarges the patch",
                said,
                100 * row.share,
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
):
    """Write plans.json and patch_adequacy.csv; a plan that the user brings is used as it is."""
    dataset = open_dataset(dataset_json)
    reorient = read_json(orientation)["reorient"]
    if plans:
        content = read_user_plan(plans, len(dataset.channel_names), reorient, configuration)
    else:
        content = plan_network(
            dataset,
            read_json(fingerprint),
            read_json(preprocessing),
            PLANNERS[planner],
            gpu_memory_gb,
            dataset_name,
        )
    patch = parse_plan(content).patch_size
    table = patch_adequacy(
        extents_on_grid(
            pd.concat([pd.read_csv(path, dtype={"case": str}) for path in extents]),
            pd.read_csv(spacing, dtype={"case": str}),
            content,
            reorient,
        ),
        dataset.labels.classes,
        list(patch),
    )
    logger.info(
        "patch %d x %d, batch %d", *patch, content["configurations"][CONFIGURATION]["batch_size"]
    )
    report(table)
    write_csv(adequacy, table)
    write_json(plan, content)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
