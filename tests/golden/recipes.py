"""What each small dataset is made of, and which branch of nnU-Net's it takes: see datasets.py."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scan:
    """The grid of one case, in the order of the file's axes; spacing in mm."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    orientation: str = "RAS"
    oblique: bool = False
    empty: bool = False


@dataclass(frozen=True)
class Recipe:
    """One dataset.

    channels: names as in dataset.json; labels: number of foreground values in the label files;
    regions: name -> values, each region writing its value of `written`; ignored: what nobody
    annotated ("": nothing, "border": a side, the first slices and single voxels, "slices": all
    slices but every fourth); body: what is zero outside it ("box": nothing is, "ellipsoid": a wide
    border is); image_type and label_type: dtypes of the files; slope: scl_slope of the image files;
    reader: overwrite_image_reader_writer; golden_cases: the cases whose exported arrays are kept.
    """

    scans: tuple[Scan, ...]
    channels: tuple[str, ...] = ("MRI",)
    labels: int = 2
    regions: dict[str, int | list[int]] | None = None
    written: tuple[int, ...] = ()
    ignored: str = ""
    body: str = "box"
    image_type: str = "float32"
    label_type: str = "uint8"
    slope: float | None = None
    reader: str | None = None
    golden_cases: tuple[int, ...] = (0,)


def _scans(*rows: tuple, **common: object) -> tuple[Scan, ...]:
    return tuple(Scan(*row, **common) for row in rows)


RECIPES = {
    # Below three times: volumes are resampled in 3D. HU of 0 at the edge is outside the mask.
    "ct": Recipe(
        _scans(
            ((24, 22, 12), (0.8, 0.8, 2.0)),
            ((22, 24, 14), (0.75, 0.75, 2.0)),
            ((26, 22, 12), (0.9, 0.9, 2.5)),
            ((20, 20, 13), (0.7, 0.7, 1.5)),
            ((24, 24, 12), (0.82, 0.82, 2.0)),
        ),
        channels=("CT",),
        labels=3,
        image_type="int16",
        golden_cases=(1, 2),
    ),
    "multichannel": Recipe(
        _scans(
            ((20, 22, 14), (1.0, 1.0, 1.5)),
            ((18, 24, 12), (1.1, 1.1, 1.5)),
            ((22, 20, 14), (0.9, 0.9, 1.2)),
            ((20, 20, 16), (1.0, 1.0, 2.0)),
            ((20, 18, 12), (1.0, 1.0, 1.5)),
        ),
        channels=("T2", "ADC", "DWI"),
        labels=1,
        golden_cases=(1,),
    ),
    # Coarse spacing on the last reading axis, but too many slices for the 10th percentile.
    "thick_x": Recipe(
        _scans(
            ((14, 26, 24), (5.0, 1.2, 1.2)),
            ((12, 24, 26), (4.0, 1.25, 1.25)),
            ((16, 28, 24), (6.0, 1.1, 1.1)),
            ((13, 26, 26), (5.0, 1.3, 1.3)),
            ((14, 24, 30), (5.0, 1.2, 1.0)),
        ),
        golden_cases=(1, 4),
    ),
    # The middle axis is coarsest, the median ratio below three, one case above; one has no label.
    "thick_y": Recipe(
        _scans(
            ((26, 12, 20), (1.2, 3.0, 1.5)),
            ((24, 10, 22), (1.25, 3.0, 1.5)),
            ((28, 9, 22), (1.0, 4.0, 1.5)),
            ((24, 13, 24), (1.3, 2.5, 1.2), "RAS", False, True),
            ((26, 11, 20), (1.2, 3.0, 1.4)),
        ),
        labels=4,
        label_type="float32",
        golden_cases=(1, 2, 3),
    ),
    # Both anisotropy conditions hold: the coarse target is the 10th percentile.
    "thick_z": Recipe(
        _scans(
            ((32, 30, 7), (1.25, 1.25, 10.0)),
            ((30, 32, 8), (1.4, 1.4, 8.0)),
            ((36, 28, 6), (1.3, 1.3, 10.0)),
            ((28, 30, 9), (1.5, 1.5, 5.0)),
            ((30, 34, 7), (1.6, 1.25, 9.6)),
            ((32, 32, 8), (1.37, 1.37, 6.5)),
        ),
        labels=3,
        image_type="int16",
        label_type="int16",
        golden_cases=(1, 4),
    ),
    # The 10th percentile falls below the in-plane spacing; a case of one slice.
    "thick_varying": Recipe(
        _scans(
            ((30, 32, 8), (1.5, 1.5, 8.0)),
            ((32, 30, 7), (1.4, 1.4, 7.0)),
            ((28, 28, 10), (1.5, 1.5, 1.0)),
            ((34, 28, 1), (1.6, 1.6, 8.0)),
            ((30, 30, 6), (1.5, 1.5, 6.0)),
            ((26, 34, 9), (1.7, 1.7, 1.0)),
        ),
        golden_cases=(2, 3),
    ),
    # Single cases are thick along another axis than the dataset, so that axis is resampled too.
    "thick_stray": Recipe(
        _scans(
            ((24, 26, 9), (1.2, 1.2, 5.0)),
            ((26, 10, 22), (1.2, 5.0, 1.2)),
            ((8, 24, 24), (4.5, 1.2, 1.3)),
            ((26, 24, 8), (1.2, 1.2, 4.0)),
            ((24, 28, 9), (1.1, 1.1, 5.0)),
            ((24, 22, 16), (1.15, 1.15, 3.3)),
        ),
        golden_cases=(1, 2, 5),
    ),
    # Two equally coarse axes: anisotropic, yet resampled in 3D.
    "two_coarse": Recipe(
        _scans(
            ((12, 14, 30), (2.0, 2.0, 0.5)),
            ((14, 12, 28), (2.0, 2.0, 0.5)),
            ((12, 12, 26), (2.2, 2.2, 0.6)),
            ((14, 14, 30), (1.8, 1.8, 0.5)),
            ((12, 16, 24), (2.0, 2.0, 0.55)),
        ),
        golden_cases=(2,),
    ),
    # Equal spacings: the first axis wins, and most cases need no resampling.
    "isotropic": Recipe(
        _scans(
            ((20, 22, 18), (1.0, 1.0, 1.0)),
            ((18, 20, 20), (1.0, 1.0, 1.0)),
            ((16, 16, 14), (1.5, 1.5, 1.5)),
            ((22, 18, 20), (1.0, 1.0, 1.0)),
            ((20, 20, 20), (1.0, 1.0, 1.0)),
        ),
        golden_cases=(1, 2),
    ),
    # Cropping removes more than a quarter: z-scores use the nonzero mask only.
    "cropped": Recipe(
        _scans(
            ((28, 30, 16), (1.0, 1.0, 2.0)),
            ((30, 28, 14), (1.1, 1.1, 2.0)),
            ((26, 30, 16), (0.9, 0.9, 2.0)),
            ((28, 26, 18), (1.0, 1.0, 1.8)),
            ((30, 30, 16), (1.0, 1.0, 2.2)),
        ),
        channels=("FLAIR", "T1"),
        labels=3,
        body="ellipsoid",
        golden_cases=(0, 1),
    ),
    # Every normalisation by name, the mask of a crop used by z-scores alone.
    "norms": Recipe(
        _scans(
            ((24, 26, 14), (1.0, 1.0, 2.0)),
            ((26, 24, 12), (1.1, 1.1, 2.0)),
            ((24, 24, 14), (0.9, 0.9, 2.0)),
            ((22, 26, 12), (1.0, 1.0, 2.0)),
            ((26, 26, 14), (1.0, 1.0, 2.4)),
        ),
        channels=("rescale_to_0_1", "noNorm", "rgb_to_0_1", "ZScore"),
        labels=1,
        body="ellipsoid",
        image_type="uint8",
        golden_cases=(1,),
    ),
    # One orientation, not RAS, some affines oblique: read as stored. Scaled integers.
    "odd_orientation": Recipe(
        _scans(
            ((24, 26, 10), (1.1, 1.1, 3.5), "LPS", True),
            ((26, 24, 9), (1.2, 1.2, 4.0), "LPS", True),
            ((24, 24, 11), (1.3, 1.1, 3.0), "LPS", False),
            ((26, 26, 10), (1.05, 1.05, 3.6), "LPS", True),
            ((22, 26, 9), (1.15, 1.15, 3.7), "LPS", True),
        ),
        image_type="int16",
        slope=0.25,
        golden_cases=(1, 2),
    ),
    # Every case stored another way round, the thick axis always through the body: reoriented.
    "mixed_orientation": Recipe(
        _scans(
            ((24, 26, 8), (1.1, 1.2, 4.5), "LPS", False),
            ((9, 26, 24), (5.0, 1.3, 1.1), "SAR", True),
            ((26, 9, 24), (1.25, 4.0, 1.15), "PIL", True),
            ((24, 24, 8), (1.2, 1.2, 4.4), "RAS", True),
            ((22, 26, 10), (1.0, 1.1, 3.6), "ARI", True),
            ((8, 24, 26), (4.7, 1.15, 1.35), "ILP", False),
        ),
        labels=3,
        reader="NibabelIOWithReorient",
        golden_cases=(1, 2, 4),
    ),
    # Cropped, thick and of four channels at once, none of them a plain z-score.
    "thick_norms": Recipe(
        _scans(
            ((30, 32, 9), (1.25, 1.25, 6.0)),
            ((32, 30, 10), (1.4, 1.4, 5.0)),
            ((34, 30, 9), (1.3, 1.2, 7.0)),
            ((30, 30, 11), (1.5, 1.5, 5.0)),
            ((32, 34, 9), (1.2, 1.2, 6.5)),
        ),
        channels=("CT", "rescale_to_0_1", "noNorm", "rgb_to_0_1"),
        body="ellipsoid",
        image_type="uint8",
        golden_cases=(1, 2),
    ),
    # Overlapping classes, one of them a single label.
    "regions": Recipe(
        _scans(
            ((24, 26, 12), (1.0, 1.0, 2.0)),
            ((26, 24, 10), (1.1, 1.1, 2.5)),
            ((24, 24, 12), (0.9, 0.9, 2.0)),
            ((22, 26, 11), (1.0, 1.0, 2.2)),
            ((26, 26, 12), (1.0, 0.9, 2.0)),
        ),
        channels=("T1", "T2"),
        labels=3,
        regions={"whole": [1, 2, 3], "core": [2, 3], "scar": 3},
        written=(1, 2, 3),
        golden_cases=(1, 3),
    ),
    # Ignored voxels inside and outside the nonzero mask, resampled in 2D.
    "ignored": Recipe(
        _scans(
            ((30, 32, 10), (1.25, 1.25, 6.0)),
            ((32, 30, 9), (1.4, 1.4, 5.0)),
            ((34, 30, 10), (1.3, 1.2, 7.0)),
            ((30, 30, 12), (1.5, 1.5, 5.0)),
            ((32, 34, 10), (1.2, 1.2, 6.5)),
        ),
        ignored="border",
        body="ellipsoid",
        golden_cases=(1, 2),
    ),
    # Few slices of each volume annotated; CT takes its clipping bounds from labelled voxels.
    "partly_annotated": Recipe(
        _scans(
            ((24, 22, 14), (0.8, 0.8, 2.0)),
            ((22, 24, 12), (0.75, 0.75, 2.0)),
            ((26, 22, 14), (0.9, 0.9, 2.5)),
            ((20, 20, 13), (0.7, 0.7, 1.5)),
            ((24, 24, 12), (0.82, 0.82, 2.0)),
        ),
        channels=("CT",),
        labels=3,
        regions={"whole": [1, 2, 3], "core": [2, 3], "scar": 3},
        written=(1, 2, 3),
        ignored="slices",
        image_type="int16",
        golden_cases=(1, 2),
    ),
}
