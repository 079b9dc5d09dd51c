"""Methods in words: the data, how cases were divided, prepared and sliced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    "coarsest": "the axis with the largest target spacing (nnU-Net's rule)",
    "finest": "the axis with the smallest target spacing",
}


def data(facts: RunFacts) -> Paragraph:
    """Return the paragraph about cases, grids and labels."""
    own = [one for one in facts.datasets.values() if "thicken" not in one.kind]
    sentences = []
    if len(own) > 1:
        sentences.append(f"{capital(counted(len(own), 'dataset'))} were used.")
    for dataset in own:
        sentences += [_cases(dataset), _grids(dataset), _checks(dataset)]
    sentences += _thickened(facts)
    sources = [f"{one.name}/spacing.csv and validation.csv, its dataset.json" for one in own]
    return Paragraph("Data", tuple(sentences), tuple(sources))


def _thickened(facts: RunFacts) -> list[str]:
    """Return a sentence about the datasets whose slices were made thicker, for each source."""
    made: dict[str, list[Mapping]] = {}
    for dataset in facts.datasets.values():
        if settings := dataset.kind.get("thicken"):
            made.setdefault(settings["of"], []).append(settings)
    sentences = []
    for source, settings in made.items():
        axes, factors = (
            listed(sorted({str(each[key]) for each in settings})) for key in ("axis", "factor")
        )
        word = "axes" if len({each["axis"] for each in settings}) > 1 else "axis"
        sentences.append(
            f"{capital(counted(len(settings), 'further dataset'))} held the scans of {source} with "
            f"voxels made {factors} times as long along {word} {axes} of the array, averaged over "
            "the slice profile, and their labels by volume fraction."
        )
    return sentences


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
    if dataset.cases == 1:
        return (
            f"Its voxels measured {edges(spacing[0])} mm along z, y and x (the reverse of the "
            f"file's order), its array had {edges(shape[0])} of them; {stored}."
        )
    return (
        f"The median spacing was {edges(np.median(spacing, axis=0))} mm along z, y and x (the "
        f"reverse of the file's order; ranges {ranges[0]} mm), the median shape "
        f"{edges(np.median(shape, axis=0))} voxels (ranges {ranges[1]}), and the largest spacing "
        f"of a case was {spread(ratio)} times its smallest; {stored}."
    )


def _checks(dataset: DatasetFacts) -> str:
    """Return the sentence about what the checks of all files found."""
    warned = {problem.case for problem in dataset.warnings if problem.case}
    found = f"raised {counted(len(dataset.warnings), 'warning')}"
    of_cases = f", about {counted(len(warned), 'case')}" if warned else ""
    return (
        "Every file was read to its end and its grid and labels were checked before anything was "
        f"computed; no case was excluded, and the checks {found}{of_cases}."
    )


def partitions(facts: RunFacts) -> Paragraph:
    """Return the paragraph about folds."""
    said: dict[str, list[str]] = {}
    for name in facts.datasets:
        said.setdefault(_folds(facts, name), []).append(name)
    sentences = [
        f"The cases of {listed(names)} were divided into {how}" for how, names in said.items()
    ]
    sentences.append(
        "Partitions were disjoint at the level of cases, and every score is of a case that its "
        "network was not trained on. The workflow chose no setting of a training by these scores."
    )
    sources = tuple(f"{name}/splits_final.json" for name in facts.datasets)
    return Paragraph(
        "Partitions", tuple(sentences), (*sources, "config: cross_validation, studies")
    )


def _folds(facts: RunFacts, name: str) -> str:
    """Return into which folds a dataset was divided, and which were run."""
    dataset = facts.datasets[name]
    ran = {fold for pair, runs in facts.runs.items() if pair[0] == name for fold, _ in runs}
    whole, folds = len(dataset.splits), sorted(ran)
    train, held_out = (
        sorted({len(dataset.splits[fold][part]) for fold in folds}) for part in ("train", "val")
    )
    how = (
        "as given" if dataset.given_splits else "by nnU-Net's seeded shuffle of their sorted names"
    )
    were = "all of which were run"
    if len(folds) < whole:
        number = "number" if len(folds) == 1 else "numbers"
        verb = "was" if len(folds) == 1 else "were"
        were = f"of which {counted(len(folds), verb, verb)} run ({number} {listed(folds)} from 0)"
    return (
        f"{counted(whole, 'fold')}, {how}, {were}, with {_cases_in(train)} to train on and "
        f"{_cases_in(held_out)} held out{' in each' if len(folds) > 1 else ''}."
    )


def _cases_in(sizes: Sequence[int]) -> str:
    """Return how many cases a part of the folds holds."""
    return counted(sizes[0], "case") if len(sizes) == 1 else f"{spread(sizes)} cases"


def preprocessing(facts: RunFacts) -> Paragraph:
    """Return the paragraph about what was done to scans before they were cut into patches."""
    turned = {
        (name, name): _turned(dataset.orientation) for name, dataset in facts.datasets.items()
    }
    pixels = {pair: f"of {edges(plan.spacing)} mm" for pair, plan in facts.plans.items()}
    sentences = (
        stated("Scans were {}", turned),
        "Each was cropped to the box of the voxels that are not zero in some channel; then "
        "intensities were normalised, and then it was resampled.",
        stated("{}", {pair: _normalisation(facts, pair) for pair in facts.plans}),
        stated("Slices were resampled to pixels (rows × columns) {}", pixels, tabled=True),
        stated("Interpolation was {}", {pair: _orders(facts, pair) for pair in facts.plans}),
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
        stated("The axis was {}", {pair: _axis(facts, pair) for pair in facts.plans}, tabled=True),
        stated("Its spacing was {}", {pair: _distance(facts, pair) for pair in facts.plans}),
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
    return f"{AXES[axis]} ({plane} slices)"


def _axis(facts: RunFacts, pair: Pair) -> str:
    """Return which axis an experiment sliced across, and why."""
    planning = facts.settings(pair, "planning")
    policy = planning["slice_axis"]
    if planning["plans"]:
        why = "as the plan that was given says"
    else:
        why = POLICIES.get(policy, "chosen by hand")
    return f"{sliced_axis(facts, pair)}, {why},"


def _distance(facts: RunFacts, pair: Pair) -> str:
    """Return the target spacing of the sliced axis, where the plan tells it."""
    plan = facts.plans[pair]
    target = plan.raw.get("slicewise", {}).get("target_spacing")
    return f"{short(target[plan.preparation.transpose_forward[0]])} mm" if target else ""
