"""What tests ask of a drawn figure: sizes, text that leaves the page or runs into other text."""

from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from slicewise import style


def undrawn_ticks(axes: Axes) -> set[Text]:
    """Return the labels of ticks beyond the limits: they exist but are not drawn."""
    labels = set()
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        slack = 1e-6 * (high - low)
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
            if not low - slack <= tick.get_loc() <= high + slack:
                labels |= {tick.label1, tick.label2}
    return labels


def shown_texts(figure: Figure) -> list[Text]:
    """Return every text that is drawn and not empty."""
    with style.journal():
        figure.draw_without_rendering()
    texts = set(figure.findobj(Text))
    for axes in figure.axes:
        texts -= undrawn_ticks(axes) if axes.get_visible() else set(axes.findobj(Text))
    return sorted(
        (text for text in texts if text.get_visible() and text.get_text().strip()),
        key=lambda text: text.get_text(),
    )


def faults(figure: Figure) -> list:
    """Return what a reader would object to: small text, text cut off, texts that overlap."""
    texts = shown_texts(figure)
    # Half a pixel less on each side: glyphs do not fill their boxes.
    boxes = [text.get_window_extent().padded(-0.5) for text in texts]
    page = figure.bbox.padded(1)
    small = [text.get_text() for text in texts if text.get_fontsize() < style.SMALL]
    cut_off = [
        text.get_text()
        for text, box in zip(texts, boxes, strict=True)
        if not (page.contains(*box.min) and page.contains(*box.max))
    ]
    overlapping = [
        (texts[i].get_text(), texts[j].get_text())
        for i, j in combinations(range(len(texts)), 2)
        if boxes[i].overlaps(boxes[j])
    ]
    return [*small, *cut_off, *overlapping]
