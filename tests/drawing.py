"""What tests ask of a drawn figure: sizes, text that leaves the page or runs into other text."""

from itertools import combinations

from matplotlib.figure import Figure
from matplotlib.text import Text

from slicewise import style


def shown_texts(figure: Figure) -> list[Text]:
    """Return every text that is drawn and not empty."""
    with style.journal():
        figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    texts = []
    for text in figure.findobj(Text):
        owner, visible = text, text.get_visible() and bool(text.get_text().strip())
        while visible and owner.axes is not None and owner is not owner.axes:
            owner = owner.axes
            visible = owner.get_visible()
        if visible and text.get_window_extent(renderer).width > 0:
            texts.append(text)
    return texts


def box(text: Text):
    """Return where a text is drawn, in pixels, half a pixel smaller on each side."""
    return text.get_window_extent().padded(-0.5)


def smallest_size(figure: Figure) -> float:
    """Return the size in pt of the smallest text."""
    return min(text.get_fontsize() for text in shown_texts(figure))


def texts_off_the_page(figure: Figure) -> list[str]:
    """Return the texts that are cut off by the edge of the figure."""
    page = figure.bbox.padded(1)
    return [
        text.get_text()
        for text in shown_texts(figure)
        if not (page.contains(*box(text).min) and page.contains(*box(text).max))
    ]


def colliding_texts(figure: Figure) -> list[tuple[str, str]]:
    """Return the pairs of texts that overlap."""
    return [
        (a.get_text(), b.get_text())
        for a, b in combinations(shown_texts(figure), 2)
        if box(a).overlaps(box(b))
    ]


def faults(figure: Figure) -> list:
    """Return all that a reader would object to: nothing, for a figure fit to print."""
    small = [f"{size} pt"] if (size := smallest_size(figure)) < style.SMALL else []
    return [*small, *texts_off_the_page(figure), *colliding_texts(figure)]
