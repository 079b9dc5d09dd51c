"""Draw the best, the median and the worst slice of each experiment, truth and prediction outlined.

Slices are ranked by their Dice, averaged over the classes, among the slices that show a structure.
They are turned as radiologists look at them: anterior or superior up, the patient's right (or
front) on the left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from slicewise import style
from slicewise.dataset import Case, open_dataset
from slicewise.display import first_is_vertical, sides, upright
from slicewise.files import write_csv
from slicewise.geometry import axis_codes
from slicewise.job import run
from slicewise.labels import Labels
from slicewise.original_grid import read_prediction
from slicewise.records import read_orientation
from slicewise.score_tables import read_scores
from slicewise.volumes import read_header

RANKS = ("best", "median", "worst")
SLICE = ["experiment", "fold", "seed", "case", "axis", "slice"]

MARGIN = 1.4
"""Width of the shown window over that of the structures, truth and prediction together."""

NARROWEST_MM = 20.0
"""Smallest width of the window: a structure of one voxel still shows where it lies."""

CONTOURS = {
    "truth": {"color": style.YELLOW, "linewidth": 1.9, "rim": style.BLACK},
    "prediction": {"color": style.VERMILION, "linewidth": 0.8, "rim": "white"},
}
"""Apart in width, lightness and rim: where they agree, one runs inside the other."""


@dataclass(frozen=True)
class Shown:
    """One slice as it is drawn: image, truth and prediction (row, column).

    spacing: mm (row, column); top and left: the patient's side at these edges, such as A and R.
    """

    image: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    spacing: tuple[float, float]
    top: str
    left: str


def rank_slices(slices: pd.DataFrame) -> pd.DataFrame:
    """Return every slice that shows a structure with its mean Dice over classes, best first.

    slices: rows of per_slice.csv. Classes that are neither there nor predicted do not count. Slices
    of equal Dice are ordered by case and slice.
    """
    has_truth = slices["status"].isin(["both", "truth_only"]).groupby([slices[c] for c in SLICE])
    table = slices.groupby(SLICE)["dice"].mean().to_frame()
    table = table[has_truth.any()].reset_index()
    return table.sort_values(
        ["dice", "case", "slice", "fold", "seed"], ascending=[False, True, True, True, True]
    )


def choose(slices: pd.DataFrame, experiments: Sequence[str]) -> pd.DataFrame:
    """Return the best, median and worst slice of each experiment; fewer slices are shown once."""
    ranked = rank_slices(slices)
    rows = []
    for experiment in experiments:
        of_experiment = ranked[ranked["experiment"] == experiment]
        last = len(of_experiment) - 1
        for rank, place in zip(RANKS, (0, last // 2, last), strict=True):
            if last >= 0:
                rows.append({"rank": rank, "slices": last + 1} | dict(of_experiment.iloc[place]))
    columns = ["experiment", "rank", "slices", *SLICE[1:], "dice"]
    return pd.DataFrame(rows, columns=columns)


def predicted_slice(
    case: Case,
    prediction: Path,
    labels: Labels,
    chosen: tuple,
    reorient: bool,
    thickened: Mapping | None,
) -> np.ndarray:
    """Read a slice of a prediction on the grid of the case's files; for thickened see main.

    A ValueError names a prediction that is missing or lies on another grid.
    """
    if not prediction.exists():
        raise ValueError(f"case {case.name}: {prediction} is missing; predict it again")
    if thickened:
        header = read_header(case)
        return read_prediction(case, prediction, labels, header, reorient, thickened)[chosen]
    predicted, truth = nib.load(prediction), nib.load(case.label)
    if predicted.shape != truth.shape:
        raise ValueError(
            f"case {case.name}: {prediction} has shape {predicted.shape}, expected that of "
            f"{case.label}, {truth.shape}; predict it again"
        )
    return np.asarray(predicted.dataobj[chosen])


def read_slice(
    case: Case,
    prediction: str | Path,
    labels: Labels,
    axis: int,
    index: int,
    reorient: bool = False,
    thickened: Mapping | None = None,
) -> Shown:
    """Read one slice of the first channel, the truth and a prediction, turned upright.

    axis and index are those of the file as stored. Ignored voxels are background in both, as they
    are in the scores. For reorient and thickened, and for errors, see predicted_slice.
    """
    source = case.images[0]
    image, truth = nib.load(source.path), nib.load(case.label)
    chosen = tuple(index if i == axis else slice(None) for i in range(3))
    predicted = predicted_slice(case, Path(prediction), labels, chosen, reorient, thickened)
    volume = () if source.volume is None else (source.volume,)
    letters = axis_codes(truth.affine)
    letters = letters[:axis] + letters[axis + 1 :]
    spacing = [float(mm) for i, mm in enumerate(truth.header.get_zooms()[:3]) if i != axis]
    true = np.asarray(truth.dataobj[chosen])
    known = labels.annotated(true)
    found = np.where(known, predicted, 0)
    planes = (image.dataobj[chosen + volume], np.where(known, true, 0), found)
    turned = first_is_vertical(letters)
    return Shown(
        *(upright(np.asarray(plane), letters) for plane in planes),
        tuple(spacing if turned else spacing[::-1]),
        *sides(letters),
    )


def structure_box(shown: Shown) -> tuple[np.ndarray, np.ndarray]:
    """Return centre and extent in mm (row, column) of what truth and prediction cover."""
    found = np.argwhere((shown.truth > 0) | (shown.prediction > 0))
    low, high = found.min(axis=0), found.max(axis=0) + 1
    return (low + high) / 2 * shown.spacing, (high - low) * np.array(shown.spacing)


def window_side(slices: Sequence[Shown]) -> float:
    """Return the side in mm of the square in which all `slices` show their structures.

    It is no longer than the longest edge of a slice: beyond that there is nothing to see.
    """
    wanted = [MARGIN * structure_box(shown)[1].max() for shown in slices]
    edges = [(np.array(shown.image.shape) * shown.spacing).max() for shown in slices]
    return min(max([NARROWEST_MM, *wanted]), max([NARROWEST_MM, *edges]))


def window(shown: Shown, side: float) -> np.ndarray:
    """Return first and last edge in pixels of a square of `side` mm around the structures.

    The result is (row or column, first or last). The square stays within the slice where it fits
    and is centred on the slice where it does not.
    """
    centre, _ = structure_box(shown)
    size = np.array(shown.image.shape) * shown.spacing
    first = np.where(
        side < size, np.clip(centre - side / 2, 0, np.maximum(size - side, 0)), (size - side) / 2
    )
    return np.stack([first, first + side], axis=1) / np.array(shown.spacing)[:, None] - 0.5


@style.journal()
def draw(chosen: pd.DataFrame, slices: Sequence[Shown], experiments: Sequence[str]) -> Figure:
    """Return the figure; `slices` are those of the rows of `chosen`."""
    side_by_side = 1 if len(experiments) <= 3 else 2
    lines = -(-len(experiments) // side_by_side)
    height = 65 if side_by_side == 1 else 41
    figure = style.new_figure(style.TWO_COLUMNS, height * lines + 8)
    panels = figure.subplots(lines, 3 * side_by_side, squeeze=False)
    for axes in panels.flat:
        axes.set_visible(False)
    for i, experiment in enumerate(experiments):
        places = panels[i // side_by_side, 3 * (i % side_by_side) :]
        members = np.flatnonzero(chosen["experiment"] == experiment)
        side = window_side([slices[member] for member in members])
        for axes, member in zip(places, members, strict=False):
            axes.set_visible(True)
            _draw_slice(axes, slices[member], side)
            row = chosen.iloc[member]
            name = style.shorten(row["case"], 18 if side_by_side == 2 else 36)
            between = "\n" if side_by_side == 2 else ", "
            note = f"{row['rank']}, Dice {row['dice']:.3f}\n{name}{between}slice {row['slice']}"
            axes.set_title(note, fontsize=style.SMALL)
        if len(members) == 0:
            places[0].set_visible(True)
            places[0].set(xticks=[], yticks=[])
            places[0].set_title("no slice shows a structure", fontsize=style.SMALL)
        number = chosen["slices"].iloc[members].max() if len(members) else 0
        count = style.counted(number, "slice")
        places[0].set_ylabel(f"{style.shorten(experiment, 24)}\nn = {count}")
    figure.legend(
        handles=[
            style.handle(name, color=look["color"], linewidth=look["linewidth"])
            for name, look in CONTOURS.items()
        ],
        loc="outside lower center",
        ncols=2,
    )
    return figure


def _draw_slice(axes: Axes, shown: Shown, side: float) -> None:
    """Draw one slice in a square of `side` mm with its outlines, a scale bar and two sides."""
    style.draw_image(axes, shown.image, shown.spacing)
    rows, columns = window(shown, side)
    axes.set_xlim(*columns)
    axes.set_ylim(*rows[::-1])
    for mask, look in ((shown.truth, "truth"), (shown.prediction, "prediction")):
        for label in np.unique(mask[mask > 0]):
            style.draw_outline(axes, mask == label, **CONTOURS[look])
    axes.set_facecolor(style.BLACK)
    style.draw_scale(axes, shown.spacing[1])
    placed = {"transform": axes.transAxes, **style.ON_IMAGE}
    axes.text(0.5, 0.98, shown.top, ha="center", va="top", **placed)
    axes.text(0.02, 0.5, shown.left, ha="left", va="center", **placed)


def main(
    *,
    dataset_json: str | Path,
    orientation: str | Path,
    per_slice: Sequence[str | Path],
    predictions: Sequence[str | Path],
    runs: Sequence[tuple[str, int, int]],
    dataset: str,
    experiments: Sequence[str],
    thickened: Mapping | None,
    svg: str | Path,
    png: str | Path,
    pdf: str | Path,
    table: str | Path,
) -> None:
    """Draw the figure; predictions (folders) are in the order of `runs`: experiment, fold, seed.

    thickened: how the slices that are predicted were made of those of the dataset that
    `dataset_json` and `orientation` are of, if they were; all is shown on its grid.
    """
    raw, reorient = open_dataset(dataset_json), read_orientation(orientation)["reorient"]
    chosen = choose(read_scores(per_slice, [*SLICE, "status", "dice"]), experiments)
    folders = dict(zip(map(tuple, runs), predictions, strict=True))
    slices = [
        read_slice(
            raw.case(row.case),
            Path(folders[row.experiment, row.fold, row.seed]) / f"{row.case}.nii.gz",
            raw.labels,
            row.axis,
            row.slice,
            reorient,
            thickened,
        )
        for row in chosen.itertuples()
    ]
    chosen.insert(0, "dataset", dataset)
    write_csv(table, chosen)
    style.save_figure(draw(chosen, slices, experiments), svg, png, pdf)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
