"""Sentences about a run: numbers and lists in words, and what several settings have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

MOST_STATED, MOST_NAMED = 4, 8
"""Different values of a setting, and experiments by name, that a sentence in its place lists."""

TABLE = "the table of plans"
DIFFERENCES = "Settings that differed"
"""Where settings stand that have too many values for a sentence: a table, and a paragraph."""

Pair = tuple[str, str]
"""What a sentence may be about: a dataset, and an experiment or an ensemble that runs on it."""


@dataclass(frozen=True)
class Paragraph:
    """One paragraph of a text under its title; sources: the files that its numbers come from."""

    title: str
    sentences: tuple[str, ...]
    sources: tuple[str, ...] = ()


class Deferred(str):
    """The sentence of a setting that has too many values for the paragraph that it is of.

    noun: the setting in words; tabled: the table of plans has its values, else the paragraph of all
    differences gets the sentence.
    """

    noun: str
    tabled: bool


def listed(items: Iterable[object], last: str = "and") -> str:
    """Return items as a list in a sentence: a; a and b; a, b and c."""
    words = [str(item) for item in items]
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return how many things there are: no case, one case, two cases, 24 cases, 1,000 cases."""
    words = NUMBERS[number] if number < len(NUMBERS) else f"{number:,}"
    return f"{words} {noun if number == 1 else plural or f'{noun}s'}"


def short(number: float) -> str:
    """Return a number in at most three significant digits, never as a power of ten."""
    if number == round(number) and abs(number) < 1e15:
        return f"{number:,.0f}"
    digits = f"{number:.3g}"
    return f"{float(digits):f}".rstrip("0").rstrip(".") if "e" in digits else digits


def edges(numbers: Iterable[float]) -> str:
    """Return the edges of a grid or of a voxel with crosses between them."""
    return " × ".join(map(short, numbers))


def spread(values: Sequence[float]) -> str:
    """Return the smallest and the largest of some values, or the only one: 1.3 to 1.8."""
    ends = list(dict.fromkeys((short(min(values)), short(max(values)))))
    return " to ".join(ends)


def capital(text: str) -> str:
    """Return a text with a capital to begin with."""
    return text[:1].upper() + text[1:]


def about(pairs: Sequence[Pair], whole: Sequence[Pair]) -> str:
    """Return which of the `whole` some pairs are: "", "for finest", "on heart", "for a on heart".

    Experiments stand alone where the pairs are all that there is of them, datasets likewise; else
    datasets of which the same experiments are meant stand together. No pair is named that is not
    there.
    """
    if set(pairs) == set(whole):
        return ""
    datasets, experiments = (list(dict.fromkeys(part)) for part in zip(*pairs, strict=True))
    if set(pairs) == {pair for pair in whole if pair[1] in experiments}:
        return f"for {listed(experiments)}"
    if set(pairs) == {pair for pair in whole if pair[0] in datasets}:
        return f"on {listed(datasets)}"
    together: dict[tuple[str, ...], list[str]] = {}
    for dataset in datasets:
        of_dataset = tuple(experiment for name, experiment in pairs if name == dataset)
        together.setdefault(of_dataset, []).append(dataset)
    return listed(f"for {listed(each)} on {listed(names)}" for each, names in together.items())


def stated(template: str, noun: str, values: Mapping[Pair, str], tabled: bool = False) -> str:
    """Return one sentence of what each pair has, in the place of {} at the end of a template.

    "The patch was 9." where all are alike, else "The patch was 9 for coarsest and 8 for finest."
    One of more than MOST_STATED values or MOST_NAMED names is Deferred, by its noun ("the patch"),
    to the table of plans if that holds the values (`tabled`), or to a paragraph of its own. Pairs
    with an empty value are left out; without any there is no sentence.
    """
    groups: dict[str, list[Pair]] = {}
    for pair, value in values.items():
        groups.setdefault(value, []).append(pair)
    groups.pop("", None)
    if not groups:
        return ""
    places = [about(pairs, list(values)) for pairs in groups.values()]
    parts = [f"{value} {place}".rstrip() for value, place in zip(groups, places, strict=True)]
    apart = any(", " in part or " and " in part for part in parts)
    full = template.format("; ".join(parts) if apart else listed(parts)) + "."
    named = sum(1 + place.count(", ") + place.count(" and ") for place in places)
    if len(groups) <= MOST_STATED and named <= MOST_NAMED + len(groups):
        return full
    deferred = Deferred(full)
    deferred.noun, deferred.tabled = noun, tabled
    return deferred


def referred(paragraph: Paragraph) -> Paragraph:
    """Return a paragraph that ends with where its deferred settings stand, in their place."""
    kept = [one for one in paragraph.sentences if one and not isinstance(one, Deferred)]
    for place, tabled in ((TABLE, True), (DIFFERENCES, False)):
        nouns = [one.noun for one in _deferred(paragraph) if one.tabled == tabled]
        if nouns:
            kept.append(f"For {listed(nouns)}, see {place}.")
    return replace(paragraph, sentences=tuple(kept))


def differences(paragraphs: Iterable[Paragraph]) -> list[Paragraph]:
    """Return the paragraph of all that others have deferred to it, or none."""
    found = tuple(str(one) for each in paragraphs for one in _deferred(each) if not one.tabled)
    return [Paragraph(DIFFERENCES, found)] if found else []


def _deferred(paragraph: Paragraph) -> list[Deferred]:
    """Return the deferred sentences of a paragraph."""
    return [one for one in paragraph.sentences if isinstance(one, Deferred)]


MARKDOWN = "\\`*_[]<>|#"
"""Characters that Markdown takes for marks."""


def as_markdown(text: str) -> str:
    """Return plain text so that Markdown shows every character of it."""
    return "".join(f"\\{c}" if c in MARKDOWN else c for c in text)
