"""What the slice explorer draws, pixel by pixel, against the files that its page was made of."""

import base64
import io

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

import browser

pytestmark = pytest.mark.skipif(browser.FOUND is None, reason=browser.MISSING)

MARGIN_MM = 5
"""What the page shows around the structures, as `explorer_pages.SETTINGS` asks for."""

LETTERS = 18
"""Pixels that the image leaves free at each side, for the letters."""

LEVEL, WIDTH = 130, 240

TURNED = {
    # Stored towards R, A and S: front up, the patient's right on the left.
    "hearts": (lambda slices: slices.transpose(0, 2, 1)[:, ::-1, ::-1], "ARLP"),
    # Stored towards S, P and L: head up, front on the left.
    "livers": (lambda slices: slices[:, ::-1], "SAPI"),
}
"""How slices (k, i, j) of a dataset come to (slice, row, column), and the letters at the top, left,
right and bottom of one."""


@pytest.fixture(scope="module")
def explorer_window(chromium, explored):
    with browser.shown(chromium, explored / "index.html") as made:
        yield made.open()
        assert made.complaints == []


class Plane:
    """One slice as the files hold it, cut as the page cuts it, and where it is to be drawn."""

    def __init__(self, folder, dataset, case, number, canvas):
        turn, _ = TURNED[dataset]
        paths = [folder / dataset / f"labelsTr/{case}.nii.gz"]
        paths += sorted((folder / f"{dataset}-runs").glob(f"*/predictions/{case}.nii.gz"))
        image, *maps = (
            turn(np.moveaxis(np.asarray(nib.load(path).dataobj), 2, 0))
            for path in (folder / dataset / f"imagesTr/{case}_0000.nii.gz", *paths)
        )
        spacing = np.array(nib.load(paths[0]).header.get_zooms(), float)
        self.tall, self.wide = spacing[[1, 0]] if dataset == "hearts" else spacing[[0, 1]]
        shown = np.argwhere(np.any([array > 0 for array in maps], axis=0))
        margin = [max(1, round(MARGIN_MM / mm)) for mm in (self.tall, self.wide)]
        low = np.maximum(shown.min(0)[1:] - margin, 0)
        high = np.minimum(shown.max(0)[1:] + margin + 1, image.shape[1:])
        box = (number, slice(low[0], high[0]), slice(low[1], high[1]))
        self.image, self.truth = image[box], maps[0][box]
        of_run = {path.parts[-3]: array[box] for path, array in zip(paths, maps, strict=True)}
        self.found = of_run["coarsest-0-0"]
        rows, columns = self.image.shape
        width, height = canvas
        # As large as fits into the canvas, and in its middle.
        self.zoom = min(
            (width - 2 * LETTERS) / (columns * self.wide),
            (height - 2 * LETTERS) / (rows * self.tall),
        )
        self.x, self.y = self.zoom * self.wide, self.zoom * self.tall
        self.left, self.top = (width - columns * self.x) / 2, (height - rows * self.y) / 2
        self.right, self.bottom = width - self.left, height - self.top

    def centres(self):
        """Return where the centres of its voxels are: (row, column), in pixels down and across."""
        rows, columns = self.image.shape
        return np.meshgrid(
            self.top + (np.arange(rows) + 0.5) * self.y,
            self.left + (np.arange(columns) + 0.5) * self.x,
            indexing="ij",
        )

    def edges(self, labels):
        """Return the edges of voxels where labels change, each (x0, y0, x1, y1) in pixels."""
        padded = np.pad(labels, 1)
        upright = np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1])
        level = np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1])
        ends = [(column, row, column, row + 1) for row, column in upright]
        ends += [(column, row, column + 1, row) for row, column in level]
        return np.array(ends) * np.tile([self.x, self.y], 2) + np.tile([self.left, self.top], 2)


def show(window, folder, dataset, case, number, truth=False, prediction=False):
    """Show a slice in a known window of grey; return what the files hold of it, and its pixels."""
    asked = f"dataset={dataset}&case={case}&slice={number}&experiment=coarsest&seed=0"
    window.go(f"{asked}&level={LEVEL}&width={WIDTH}")
    for name, checked in (("truth", truth), ("prediction", prediction)):
        window.page.set_checked(f"#{name}", checked)
    size = "() => [$('canvas').clientWidth, $('canvas').clientHeight]"
    return Plane(folder, dataset, case, number, window.page.evaluate(size)), pixels(window)


def pixels(window):
    """Return the pixels of the canvas, (down, across, red green blue)."""
    url = window.page.evaluate("() => $('canvas').toDataURL()")
    return np.array(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))[
        ..., :3
    ].astype(int)


SLICES = [("hearts", "case_001", 4), ("hearts", "case_003", 6), ("livers", "case_002", 4)]


@pytest.mark.parametrize(("dataset", "case", "number"), SLICES)
def test_the_image_is_that_slice_of_the_file(explorer_window, explored, dataset, case, number):
    plane, canvas = show(explorer_window, explored, dataset, case, number)
    down, across = plane.centres()
    read = canvas[down.astype(int), across.astype(int)]
    bar = (down > plane.bottom - 40) & (across < plane.left + 0.35 * (plane.right - plane.left))
    assert bar.mean() < 0.1
    greys = np.clip(255 * ((plane.image - LEVEL) / WIDTH + 0.5), 0, 255)
    wrong = np.abs(read[~bar] - greys[~bar, None])
    # Levels of grey are closest where most voxels are; only rare values are far from theirs.
    assert np.percentile(wrong, 95) < 3
    assert wrong.max() < 15


LINES = {"truth": (0xF0, 0xE4, 0x42, 3.2), "prediction": (0xFF, 0x7A, 0x1A, 1.8)}
"""Colour and width in pixels of each line."""


def colored(canvas):
    """Return which pixels are those of a line: all else is grey."""
    return canvas[..., 0] - canvas[..., 2] > 100


@pytest.mark.parametrize("kind", ["truth", "prediction"])
@pytest.mark.parametrize(("dataset", "case", "number"), SLICES)
def test_outlines_lie_where_the_edges_of_voxels_are(
    explorer_window, explored, dataset, case, number, kind
):
    plane, canvas = show(explorer_window, explored, dataset, case, number, **{kind: True})
    *color, width = LINES[kind]
    is_line = colored(canvas)
    red, green, _ = canvas[is_line].mean(axis=0)
    assert green / red == pytest.approx(color[1] / color[0], abs=0.1)
    edges = plane.edges(plane.truth if kind == "truth" else plane.found)
    assert len(edges) > 20
    near = np.zeros(is_line.shape, bool)
    reach = width / 2 + 1
    for x0, y0, x1, y1 in edges:
        rows = slice(int(y0 - reach), int(np.ceil(y1 + reach)) + 1)
        columns = slice(int(x0 - reach), int(np.ceil(x1 + reach)) + 1)
        near[rows, columns] = True
    assert not (is_line & ~near).any()
    middle = np.rint((edges[:, :2] + edges[:, 2:]) / 2).astype(int)
    # A narrow line may lie on either side of a whole number of pixels.
    on = np.any(
        [is_line[middle[:, 1] + y, middle[:, 0] + x] for y in (-1, 0) for x in (-1, 0)], axis=0
    )
    # That of a prediction is dashed: 6 pixels of line, 4 of none.
    assert on.all() if kind == "truth" else on.mean() > 0.3
    _, without = show(explorer_window, explored, dataset, case, number)
    assert not colored(without).any()


def written(window):
    """Draw the slice anew; return its texts (text, x, y) and bars (x, y, width, height, colour)."""
    code = """() => {
        const kind = CanvasRenderingContext2D.prototype;
        const {fillText, fillRect} = kind;
        const [texts, bars] = [[], []];
        kind.fillText = function (...given) {
            texts.push(given.slice(0, 3));
            fillText.apply(this, given);
        };
        kind.fillRect = function (...given) {
            bars.push([...given, this.fillStyle]);
            fillRect.apply(this, given);
        };
        try { viewer.draw(); } finally { Object.assign(kind, {fillText, fillRect}); }
        return [texts, bars];
    }"""
    return window.page.evaluate(code)


@pytest.mark.parametrize(("dataset", "case", "number"), SLICES)
def test_letters_name_the_patients_sides(explorer_window, explored, dataset, case, number):
    plane, _ = show(explorer_window, explored, dataset, case, number)
    texts, _ = written(explorer_window)
    middle = [(plane.left + plane.right) / 2, (plane.top + plane.bottom) / 2]
    half = LETTERS / 2
    places = {
        (middle[0], plane.top - half),
        (plane.left - half, middle[1]),
        (plane.right + half, middle[1]),
        (middle[0], plane.bottom + half),
    }
    _, letters = TURNED[dataset]
    for letter, place in zip(letters, sorted(places, key=lambda at: (at[1], at[0])), strict=True):
        (found,) = ((x, y) for text, x, y in texts if text == letter)
        assert found == pytest.approx(place)


@pytest.mark.parametrize(("dataset", "case", "number"), SLICES)
def test_the_scale_bar_is_as_long_as_it_says(explorer_window, explored, dataset, case, number):
    plane, _ = show(explorer_window, explored, dataset, case, number)
    texts, bars = written(explorer_window)
    (mm,) = (float(text.removesuffix(" mm")) for text, _, _ in texts if text.endswith(" mm"))
    rim, bar = bars
    assert bar[4] == "#ffffff"
    assert bar[2] == pytest.approx(mm * plane.zoom)
    assert rim[2] == pytest.approx(mm * plane.zoom + 3)
    assert 0.1 < mm * plane.zoom / (plane.right - plane.left) <= 0.3 + 1e-9
    assert plane.left < bar[0] < bar[0] + bar[2] < plane.right
    assert plane.bottom - 30 < bar[1] < plane.bottom
