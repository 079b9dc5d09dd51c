"""How every figure of slicewise looks, and how it is written: the same bytes on every run.

Sizes are those of a journal page in mm. Text is in the one sans-serif typeface that matplotlib
carries itself, drawn as outlines in SVG and embedded in PDF, so that a figure looks the same on
every machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from slicewise.files import atomic

ONE_COLUMN = 88.0
"""Width of a figure over one column of the page, mm (Elsevier and Springer Nature: 84 to 90)."""

TWO_COLUMNS = 180.0
"""Width of a figure over both columns, mm."""

PAGE = 230.0
"""Largest height of a figure that leaves room for its caption, mm."""

SMALL, NORMAL, LARGE = 6.0, 7.0, 9.0
"""Text sizes in pt: notes, labels, and the letters of the panels."""

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW, BLACK = "#CC79A7", "#56B4E9", "#F0E442", "#000000"

PALETTE = (BLUE, ORANGE, BLACK, PURPLE, GREEN, SKY, VERMILION)
"""Okabe and Ito's colours (jfly.uni-koeln.de/color), neighbours apart in lightness for grey print.

Yellow is left out: it vanishes on white paper.
"""

OUTLINES = (YELLOW, SKY, VERMILION, GREEN, PURPLE, ORANGE)
"""Colours of structures drawn over grey images."""

LINES = ("-", (0, (4, 1.2)), (0, (1, 1)), (0, (5, 1.2, 1, 1.2)), (0, (7, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

GREY = "#767676"
PALE = "#D9D9D9"

ON_IMAGE = {
    "color": "white",
    "fontsize": SMALL,
    "path_effects": [withStroke(linewidth=1.2, foreground=BLACK)],
}
"""Text over a grey image: white with a black rim."""

SETTINGS = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": NORMAL,
    "axes.titlesize": NORMAL,
    "axes.labelsize": NORMAL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    # Names of labels are text: as formulas, those between two dollar signs could not be drawn.
    "text.parse_math": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "legend.borderaxespad": 0.2,
    "patch.linewidth": 0.6,
    "image.interpolation": "nearest",
    "figure.constrained_layout.w_pad": 0.03,
    "figure.constrained_layout.h_pad": 0.03,
    "svg.fonttype": "path",
    # TrueType, which journals take and programs can edit; Type 3, matplotlib's choice, is neither.
    "pdf.fonttype": 42,
    "svg.hashsalt": "slicewise",
}


UNDATED = {
    "svg": ("Date", "Creator"),
    "png": ("Software",),
    "pdf": ("CreationDate", "Creator", "Producer"),
}
"""What each kind of file would say of when and by what it was written."""


def journal() -> AbstractContextManager:
    """Return the context (or decorator) in which figures are drawn and saved."""
    return matplotlib.rc_context(SETTINGS)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of `width` and `height` mm that lays out its own panels."""
    figure = Figure(figsize=(width / 25.4, height / 25.4), dpi=300, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, *paths: str | Path) -> None:
    """Write a figure at its size in mm to each path, as its ending says: .svg, .pdf, or .png.

    Pixels are those of 300 dpi. No file holds a date or the version of a program.
    """
    with journal():
        for path in map(Path, paths):
            kind = path.suffix.removeprefix(".")
            with atomic(path) as temporary:
                figure.savefig(temporary, format=kind, metadata=dict.fromkeys(UNDATED[kind]))


def line_style(index: int) -> dict:
    """Return colour, dashes and marker of the series number `index`; any two below 35 differ."""
    lap = index // len(PALETTE)
    return {
        "color": PALETTE[index % len(PALETTE)],
        "linestyle": LINES[(index + lap) % len(LINES)],
        "marker": MARKERS[index % len(MARKERS)],
    }


def looks(names: Iterable[str], palette: Sequence[str] = ()) -> dict[str, dict]:
    """Return colour, dashes and marker (`line_style`) of each experiment of a figure.

    palette: all experiments and ensembles of the run, so that one looks the same in all its
    figures; names that are not among them come behind them.
    """
    names = list(names)
    order = list(dict.fromkeys([*palette, *names]))
    return {name: line_style(order.index(name)) for name in names}


def class_color(label: int) -> str:
    """Return the colour in which the structure with this label (1, 2, ...) is outlined."""
    return OUTLINES[(int(label) - 1) % len(OUTLINES)]


def handle(label: str, **properties: object) -> Line2D:
    """Return an entry for a legend."""
    return Line2D([], [], label=label, **properties)


def patch(label: str, **properties: object) -> Patch:
    """Return an entry for a legend that stands for an area."""
    return Patch(label=label, **{"edgecolor": BLACK, "linewidth": 0.4} | properties)


def letter(axes: Axes, text: str) -> None:
    """Write the letter of a panel in bold above its top left corner."""
    axes.annotate(
        text,
        (0, 1),
        (-4, 4),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=LARGE,
        fontweight="bold",
    )


def shorten(text: str, length: int) -> str:
    """Return a name in at most `length` characters, its middle left out."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[-tail:]}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, for example 1 case or 24 cases."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def round_length(longest: float) -> float:
    """Return the longest of 1, 2 and 5 times a power of ten up to `longest`, for scale bars."""
    power = 10.0 ** np.floor(np.log10(longest))
    # Rounding errors must not turn 1 mm into 0.5 mm.
    return float(power * max(digit for digit in (1, 2, 5) if digit * power <= longest * (1 + 1e-9)))


def swarm(values: Sequence[float], bins: int = 40, spread: float = 0.35) -> np.ndarray:
    """Return sideways offsets within +-`spread` so that equal values lie side by side.

    The fullest of `bins` equal intervals takes the whole width; there is no random jitter, so a
    figure is the same on every run. NaN gets the offset 0.
    """
    values = np.asarray(values, dtype=float)
    offsets = np.zeros(len(values))
    finite = np.flatnonzero(np.isfinite(values))
    if len(finite) < 2:
        return offsets
    low, high = values[finite].min(), values[finite].max()
    width = (high - low) or 1.0
    interval = np.minimum(((values[finite] - low) / width * bins).astype(int), bins - 1)
    fullest = np.bincount(interval).max()
    step = min(2 * spread / max(fullest - 1, 1), spread / 4)
    for chosen in np.unique(interval):
        members = finite[interval == chosen]
        members = members[np.argsort(values[members], kind="stable")]
        offsets[members] = step * (np.arange(len(members)) - (len(members) - 1) / 2)
    return offsets


def draw_image(axes: Axes, image: np.ndarray, spacing: tuple[float, float]) -> None:
    """Draw a slice (row, column) in grey with square millimetres and without axes.

    spacing: mm (row, column). Grey runs between the 0.5th and 99.5th percentile of the image.
    """
    black, white = np.percentile(image[np.isfinite(image)], [0.5, 99.5])
    axes.imshow(image, cmap="gray", vmin=black, vmax=max(white, black + 1e-6))
    # At the top of its place, so that titles of one row align and the layout knows their height.
    axes.set_aspect(spacing[0] / spacing[1], anchor="N")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def draw_outline(
    axes: Axes, mask: np.ndarray, color: str, linewidth: float = 0.9, rim: str | None = BLACK
) -> None:
    """Draw the outlines of a mask (row, column) over its image, with a thin `rim` of a colour."""
    effects = [withStroke(linewidth=linewidth + 0.6, foreground=rim, alpha=0.5)] if rim else []
    for loop in outline(mask):
        axes.plot(
            *loop.T,
            color=color,
            linewidth=linewidth,
            path_effects=effects,
            solid_joinstyle="miter",
            scalex=False,
            scaley=False,
        )


def draw_scale(axes: Axes, column_mm: float) -> None:
    """Draw a scale bar with its length in the lower left corner of an image.

    column_mm: mm from one column of the image to the next.
    """
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    length = round_length(0.3 * (right - left) * column_mm)
    x = left + 0.04 * (right - left)
    y = bottom + 0.05 * (top - bottom)
    halo = [withStroke(linewidth=2.6, foreground=BLACK)]
    axes.plot(
        [x, x + length / column_mm],
        [y, y],
        color="white",
        linewidth=1.4,
        solid_capstyle="butt",
        path_effects=halo,
        scalex=False,
        scaley=False,
    )
    axes.annotate(
        f"{length:g} mm",
        (x, y),
        (0, 2),
        textcoords="offset points",
        **ON_IMAGE,
    )


def outline(mask: np.ndarray) -> list[np.ndarray]:
    """Return the closed outlines of a mask (row, column) along the edges of its voxels.

    Each outline is (corner, 2) in (column, row) coordinates, as imshow draws them: voxel centres on
    integers. Holes have outlines of their own. Voxels that touch only at a corner stay apart.
    """
    padded = np.pad(np.asarray(mask, dtype=bool), 1).astype(np.int8)
    # An edge runs with the mask on its right: east above a voxel, then south, west, north.
    starts: dict[tuple[int, int], list[tuple[int, int]]] = {}
    down = np.diff(padded, axis=0)[:, 1:-1]
    right = np.diff(padded, axis=1)[1:-1, :]
    for row, column in np.argwhere(down):
        east = down[row, column] > 0
        begin, step = ((row, column), 1) if east else ((row, column + 1), -1)
        starts.setdefault(begin, []).append((begin[0], begin[1] + step))
    for row, column in np.argwhere(right):
        north = right[row, column] > 0
        begin, step = ((row + 1, column), -1) if north else ((row, column), 1)
        starts.setdefault(begin, []).append((begin[0] + step, begin[1]))
    loops = []
    while starts:
        first = next(iter(starts))
        loops.append(_follow(starts, first)[:, ::-1] - 0.5)
    return loops


def _follow(starts: dict, first: tuple[int, int]) -> np.ndarray:
    """Take one closed loop (row, column) out of directed edges, turning right where two meet."""
    loop, here, heading = [first], first, (0, 0)
    while True:
        ends = starts[here]
        right = (here[0] + heading[1], here[1] - heading[0])
        end = ends.pop(ends.index(right)) if len(ends) > 1 and right in ends else ends.pop(0)
        if not ends:
            del starts[here]
        step = (end[0] - here[0], end[1] - here[1])
        if step == heading:
            loop.pop()
        loop.append(end)
        here, heading = end, step
        if here == first:
            return np.array(loop, dtype=float)
