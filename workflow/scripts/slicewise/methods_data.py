"""Methods in words: the data, how scans were prepared and sliced."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from slicewise.geometry import ANATOMICAL_PLANES, CANONICAL
from slicewise.prose import (
    Pair,
    Paragraph,
    capital,
    counted,
    edges,
    listed,
    short,
    spread,
    stated,
)
from slicewise.study_facts import DatasetFacts, RunFacts

AXES = "zyx"
"""The axes of an array in reading order, the reverse of a NIfTI file's."""

POLICIES = {
    "coarsest": "that with the largest target spacing (nnU-Net's rule)",
    "finest": "that with the smallest target spacing",
}


def data(facts: RunFacts) -> Paragraph:
    """Return the paragraph about cases, grids and labels."""
    own = [one for one in facts.datasets.values() if "thicken" not in one.kind]
    sentences = []
    made = len(facts.datasets) - len(own)
    if len(facts.datasets) > 1:
        verb = "was" if len(own) == 1 else "were"
        sources = listed(dict.fromkeys(facts.thickened.values()))
        more = f", and {counted(made, 'dataset')} made from {sources}" if made else ""
        sentences.append(f"{capital(counted(len(own), 'dataset'))} {verb} used{more}.")
    for dataset in own:
        sentences += [_cases(dataset), _grids(dataset)]
    sentences += [*_thickened(facts), *_checks(facts)]
    sources = [f"{one.name}/spacing.csv and validation.csv, its dataset.json" for one in own]
    return Paragraph("Data", tuple(sentences), tuple(sources))


def _thickened(facts: RunFacts) -> list[str]:
    """Return sentences about the datasets whose slices were made thicker, for each source."""
    made: dict[str, dict[str, Mapping]] = {}
    for name, dataset in facts.datasets.items():
        if settings := dataset.kind.get("thicken"):
            made.setdefault(settings["of"], {})[name] = settings
    sentences = []
    for source, found in made.items():
        axes = dict.fromkeys(_axis_in_words(each["axis"]) for each in found.values())
        factors = sorted({each["factor"] for each in found.values()})
        sentences.append(
            f"The {'dataset' if len(found) == 1 else 'datasets'} {facts.named(found)} held the "
            f"scans of {source} with voxels made {listed(factors, 'or')} times as long along "
            f"{listed(axes, 'or')}: intensities are means over the slice profile, labels those of "
            "the class that fills most of it."
        )
    return sentences


def _axis_in_words(axis: int | str) -> str:
    """Return an axis as the config names it, by number or by a word, for a sentence."""
    return AXES[axis] if isinstance(axis, int) else f"the {axis} axis"


def _origin(dataset: DatasetFacts) -> str:
    """Return where a dataset comes from, as far as the config says it."""
    kind, settings = next(iter(dataset.kind.items()))
    if kind == "phantom":
        return (
            "synthetic short-axis images of the heart that slicewise drew by formulas and seeded "
            f"random numbers (seed {settings['seed']}), no data of patients"
        )
    return "read from an archive whose checksum was compared" if kind == "archive" else ""


def _cases(dataset: DatasetFacts) -> str:
    """Return the sentence about the cases of a dataset, their channels and labels."""
    channels, labels = dataset.source.channel_names, dataset.source.labels
    origin = _origin(dataset)
    kind = "region" if labels.has_regions else "structure"
    overlap = ", which may overlap" if labels.has_regions else ""
    ignored = (
        "; voxels that nobody annotated counted in no loss and no score"
        if labels.ignore is not None
        else ""
    )
    return (
        f"The dataset {dataset.name} held {counted(dataset.cases, 'case')}"
        f"{f', {origin}' if origin else ''}: images of "
        f"{counted(len(channels), 'channel')} ({listed(channels)}) with a reference segmentation "
        f"of {counted(len(labels.classes), kind)} ({listed(labels.classes)}){overlap}{ignored}."
    )


def _grids(dataset: DatasetFacts) -> str:
    """Return the sentence about spacings, shapes and orientations of a dataset."""
    spacing, shape = dataset.spacing, dataset.shape
    ratio = spacing.max(axis=1) / spacing.min(axis=1)
    ranges = [listed(spread(part[:, axis]) for axis in range(3)) for part in (spacing, shape)]
    found = dataset.orientation["orientations"]
    stored = (
        f"scans were stored as {next(iter(found))}"
        if len(found) == 1
        else "scans were stored as " + listed(f"{name} ({count})" for name, count in found.items())
    )
    along = "mm along z, y and x (the reverse of the file's order"
    if dataset.cases == 1:
        return (
            f"Its voxels measured {edges(spacing[0])} {along}), its array had {edges(shape[0])} of "
            f"them; {stored}."
        )
    median = f"The median shape was {edges(np.median(shape, axis=0))} voxels (ranges {ranges[1]})"
    if (shape == shape[0]).all():
        median = f"All scans had {edges(shape[0])} voxels"
    if np.allclose(spacing, spacing[0], rtol=1e-4):
        return f"All voxels measured {edges(spacing[0])} {along}). {median}; {stored}."
    return (
        f"The median spacing was {edges(np.median(spacing, axis=0))} {along}; ranges {ranges[0]} "
        f"mm), and the largest spacing of a case was {spread(ratio)} times its smallest. {median}; "
        f"{stored}."
    )


def _checks(facts: RunFacts) -> list[str]:
    """Return the sentences about what the checks of all files found."""
    found = {}
    for name, dataset in facts.datasets.items():
        warned = {problem.case for problem in dataset.warnings if problem.case}
        of_cases = f" about {counted(len(warned), 'case')}" if warned else ""
        found[name, name] = f"{counted(len(dataset.warnings), 'warning')}{of_cases}"
    return [
        "Every file was read to its end, and its grid and labels were checked, before anything was "
        "computed; no case was excluded.",
        stated("The checks raised {}", "the warnings of the checks", found),
    ]


def preprocessing(facts: RunFacts) -> Paragraph:
    """Return the paragraph about what was done to scans before they were cut into patches."""
    turned = {
        (name, name): _turned(dataset.orientation) for name, dataset in facts.datasets.items()
    }
    pixels = {pair: f"{edges(plan.spacing)} mm" for pair, plan in facts.plans.items()}
    sentences = (
        stated("Scans were {}", "how scans were turned", turned),
        "Each was cropped to the box of the voxels that are not zero in some channel; then "
        "intensities were normalised, and then it was resampled.",
        stated(
            "{}",
            "the normalisation",
            {pair: _normalisation(facts, pair) for pair in facts.plans},
        ),
        "Slices were resampled to one size of pixels in each dataset and experiment.",
        stated(
            "Pixels (rows × columns) were {}", "the size of pixels (rows × columns)", pixels, True
        ),
        stated(
            "Interpolation was {}",
            "the interpolation",
            {pair: _orders(facts, pair) for pair in facts.plans},
        ),
        "The distance between slices stayed as it was.",
    )
    return Paragraph("Preprocessing", sentences, ("*/*/plans.json", "*/orientation.json"))


def _turned(orientation: Mapping) -> str:
    """Return whether the scans of a dataset were turned, and why."""
    if not orientation["reorient"]:
        return "read as stored"
    differed = len(orientation["orientations"]) > 1
    return f"turned to RAS+ first{', since their orientations differed' if differed else ''}"


def _normalisation(facts: RunFacts, pair: Pair) -> str:
    """Return how the channels of a dataset were normalised."""
    preparation, names = facts.plans[pair].preparation, facts.datasets[pair[0]].source.channel_names
    ways: dict[str, list[str]] = {}
    for i, scheme in enumerate(preparation.normalization_schemes):
        properties = preparation.intensity_properties[str(i)]
        way = _scheme(scheme, preparation.use_mask_for_norm[i], properties)
        ways.setdefault(way, []).append(names[i])
    return "; ".join(
        f"{way}" if len(ways) == 1 else f"{way} ({listed(channels)})"
        for way, channels in ways.items()
    )


def _scheme(scheme: str, masked: bool, intensities: Mapping[str, float]) -> str:
    """Return what a normalisation scheme of a plan does."""
    if scheme == "ZScoreNormalization":
        where = " over the voxels of its nonzero region" if masked else ""
        return f"Each image was brought to a mean of 0 and a standard deviation of 1{where}"
    if scheme == "CTNormalization":
        low, high, mean, std = (
            short(intensities[key]) for key in ("percentile_00_5", "percentile_99_5", "mean", "std")
        )
        return (
            f"Intensities were clipped to {low} and {high}, the 0.5th and 99.5th percentile of the "
            f"foreground of all cases; then its mean of {mean} was subtracted and the difference "
            f"divided by its standard deviation of {std}"
        )
    return {
        "NoNormalization": "Intensities were taken as they are",
        "RescaleTo01Normalization": "Each image was rescaled linearly to 0 to 1",
        "RGBTo01Normalization": "Intensities were divided by 255",
    }[scheme]


SPLINES = {0: "by the nearest voxel", 1: "linear", 2: "by quadratic splines", 3: "by cubic splines"}
"""What the order of an interpolation means."""


def _orders(facts: RunFacts, pair: Pair) -> str:
    """Return how images and labels were interpolated."""
    preparation = facts.plans[pair].preparation
    image, label = (
        SPLINES.get(part.get("order"), f"by splines of order {part.get('order')}")
        for part in (preparation.resampling_data, preparation.resampling_label)
    )
    return f"{image} for images and {label} for an indicator image of each label"


def slicing(facts: RunFacts) -> Paragraph:
    """Return the paragraph about the sliced axis and the reason for it."""
    sentences = (
        "Networks saw single slices across one axis of the array.",
        stated(
            "The axis was chosen as {}",
            "how the axis was chosen",
            {pair: _policy(facts, pair) for pair in facts.plans},
        ),
        stated(
            "Slices were across {}",
            "the axis",
            {pair: sliced_axis(facts, pair) for pair in facts.plans},
            tabled=True,
        ),
        stated(
            "The target distance of slices was {}",
            "the target distance of slices",
            {
                pair: f"{distance(facts, pair)} mm" if distance(facts, pair) else ""
                for pair in facts.plans
            },
            tabled=True,
        ),
    )
    return Paragraph(
        "Slices", tuple(filter(None, sentences)), ("*/*/plans.json", "config: planning")
    )


def sliced_axis(facts: RunFacts, pair: Pair) -> str:
    """Return the axis that an experiment sliced across, with the plane of its slices if it has one.

    Scans that were stored in several ways and not turned have none in common.
    """
    axis = facts.plans[pair].preparation.transpose_forward[0]
    stored = facts.datasets[pair[0]].orientation
    if not stored["reorient"] and len(stored["orientations"]) > 1:
        return AXES[axis]
    letters = CANONICAL if stored["reorient"] else next(iter(stored["orientations"]))
    plane = next(name for name, ends in ANATOMICAL_PLANES.items() if letters[2 - axis] in ends)
    return f"{AXES[axis]} ({plane})"


def _policy(facts: RunFacts, pair: Pair) -> str:
    """Return how the axis that an experiment sliced across was chosen."""
    planning = facts.settings(pair, "planning")
    if planning["plans"]:
        return "the plan that was given says"
    return POLICIES.get(planning["slice_axis"], "that which the config names")


def distance(facts: RunFacts, pair: Pair) -> str:
    """Return the target spacing of the sliced axis in mm, where the plan tells it."""
    plan = facts.plans[pair]
    target = plan.raw.get("slicewise", {}).get("target_spacing")
    return short(target[plan.preparation.transpose_forward[0]]) if target else ""
