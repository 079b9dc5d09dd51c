"""Plan what exported arrays look like: sliced axis, target spacing, normalisation, resampling.

The result, preprocessing.json, is the part of a plans.json that arrays depend on, so experiments
that differ only in patch or training share their arrays.
"""

from slicewise import geometry
from slicewise.dataset import Dataset, open_dataset
from slicewise.files import write_json
from slicewise.job import logger, run
from slicewise.plans import CONFIGURATION
from slicewise.problems import error
from slicewise.records import read_fingerprint, read_orientation

NORMALIZATION = {
    "ct": "CTNormalization",
    "nonorm": "NoNormalization",
    "zscore": "ZScoreNormalization",
    "rescale_to_0_1": "RescaleTo01Normalization",
    "rgb_to_0_1": "RGBTo01Normalization",
}
"""Channel names, in lower case, with a scheme of their own; all others get z-scores (nnU-Net)."""

MASKED_BELOW = 3 / 4
"""Relative size after cropping below which z-scores use the nonzero mask only (nnU-Net)."""

LARGEST_CASE = 2**32
"""Voxels of an exported case at most: 16 GiB for each channel."""

READERS = {False: "SimpleITKIO", True: "NibabelIOWithReorient"}
"""nnU-Net's readers that give the same arrays as ours, without and with turning to RAS+."""


def normalization(dataset: Dataset, fingerprint: dict) -> tuple[list[str], list[bool]]:
    """Return for each channel its scheme and whether it is limited to the nonzero mask."""
    schemes = [
        NORMALIZATION.get(name.casefold(), "ZScoreNormalization") for name in dataset.channel_names
    ]
    masked = fingerprint["median_relative_size_after_cropping"] < MASKED_BELOW
    return schemes, [masked and scheme == "ZScoreNormalization" for scheme in schemes]


def resampling() -> dict:
    """Return nnU-Net's resampling: cubic images, linear labels, nearest across slices."""
    function = "resample_data_or_seg_to_shape"
    settings = {"order_z": 0, "force_separate_z": None}
    kinds = {"data": (False, 3), "seg": (True, 1), "probabilities": (False, 1)}
    return {f"resampling_fn_{kind}": function for kind in kinds} | {
        f"resampling_fn_{kind}_kwargs": {"is_seg": is_seg, "order": order, **settings}
        for kind, (is_seg, order) in kinds.items()
    }


def plan_arrays(
    dataset: Dataset,
    fingerprint: dict,
    orientation: dict,
    policy: str | int,
    in_plane_order: str = "stored",
    overwrite_target_spacing: list[float] | None = None,
) -> dict:
    """Return the content of preprocessing.json for one slicing policy and order within slices.

    overwrite_target_spacing: mm in reading order, in place of what the fingerprint leads to; the
    policy looks at it too, as nnU-Net does.
    Raises ValueError for an anatomical plane in a dataset whose cases are stored in several
    orientations and not turned the same way.
    """
    mixed = len(orientation["orientations"]) > 1 and not orientation["reorient"]
    if policy in geometry.ANATOMICAL_PLANES and mixed:
        raise ValueError(
            f"planning.slice_axis: {policy} needs one orientation, found "
            f"{orientation['orientations']}; set preprocessing.reorient to auto or always"
        )
    spacing = geometry.target_spacing(fingerprint, overwrite_target_spacing)
    axis = geometry.slice_axis(policy, spacing, orientation["orientation"])
    finest_last = in_plane_order == "finest_last"
    forward, backward = geometry.transposition(axis, spacing if finest_last else None)
    schemes, masks = normalization(dataset, fingerprint)
    return {
        "image_reader_writer": READERS[orientation["reorient"]],
        "transpose_forward": forward,
        "transpose_backward": backward,
        "configurations": {
            CONFIGURATION: {
                "spacing": [float(spacing[other]) for other in forward[1:]],
                "normalization_schemes": schemes,
                "use_mask_for_norm": masks,
                **resampling(),
            }
        },
        "foreground_intensity_properties_per_channel": fingerprint[
            "foreground_intensity_properties_per_channel"
        ],
        "slicewise": {
            "slice_axis": policy,
            "in_plane_order": in_plane_order,
            "target_spacing": spacing.tolist(),
        },
    }


def check_size(fingerprint: dict, content: dict) -> None:
    """Raise BadInput for a target spacing so fine that no memory holds a case of it.

    content: that of preprocessing.json.
    """
    forward = content["transpose_forward"]
    target = content["configurations"][CONFIGURATION]["spacing"]
    sizes = zip(fingerprint["shapes_after_crop"], fingerprint["spacings"], strict=False)
    for shape, spacing in sizes:
        voxels = float(shape[forward[0]])
        for axis, edge in zip(forward[1:], target, strict=True):
            voxels *= shape[axis] * spacing[axis] / edge
        if voxels > LARGEST_CASE:
            raise error(
                "",
                "planning",
                f"a target spacing of {' x '.join(f'{edge:g}' for edge in target)} mm in plane, on "
                f"which a case of {'x'.join(map(str, shape))} voxels has {voxels:.1e}",
                f"{LARGEST_CASE:.1e} voxels of a case at most",
                "change overwrite_target_spacing or the spacing in plans",
            )


def main(
    *,
    dataset_json,
    fingerprint,
    orientation,
    slice_axis,
    in_plane_order,
    overwrite_target_spacing,
    plans,
    preprocessing,
    configuration=CONFIGURATION,
):
    """Write preprocessing.json, from the user's own plan where one is given."""
    dataset, fingerprint = open_dataset(dataset_json), read_fingerprint(fingerprint)
    stored = read_orientation(orientation, "orientation", "orientations")
    if plans:
        from slicewise.user_plans import read_user_plan  # brings its schema's validator

        content = read_user_plan(
            plans, len(dataset.channel_names), stored["reorient"], configuration
        )
        logger.info(
            "using %s as it is: slice_axis, in_plane_order and overwrite_target_spacing are not "
            "looked at",
            plans,
        )
    else:
        content = plan_arrays(
            dataset,
            fingerprint,
            stored,
            slice_axis,
            in_plane_order,
            overwrite_target_spacing,
        )
    check_size(fingerprint, content)
    write_json(preprocessing, content)
    logger.info(
        "slices across axis %d (reading order), %s mm in plane",
        content["transpose_forward"][0],
        " x ".join(f"{edge:.3g}" for edge in content["configurations"][CONFIGURATION]["spacing"]),
    )


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
