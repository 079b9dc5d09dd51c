"""Methods in words: what was compared with what, and what the comparisons cannot tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

from slicewise.methods_augmentation import rotation
from slicewise.methods_training import batch_size, steps
from slicewise.prose import Pair, Paragraph, counted, listed, spread
from slicewise.study_facts import RunFacts

KINDS = {
    "comparison": "compared {experiments} with {reference}",
    "patch_size": "asked what smaller patches and their networks cost, {experiments} beside "
    "{reference}",
    "anisotropy": "asked what thicker slices cost, with {experiments}",
    "reading": "measured what patches cost to read from disk, in bytes, memory and time, as "
    "exported for {experiments}",
}
"""What a study of each kind did."""


def studies(facts: RunFacts) -> Paragraph:
    """Return the paragraph about what was compared with what."""
    return Paragraph(
        "Studies",
        tuple(_study(facts, name, study) for name, study in facts.config["studies"].items()),
        ("config: studies",),
    )


def _study(facts: RunFacts, name: str, study: Mapping) -> str:
    """Return what a study asked, on which cases."""
    others = [one for one in study["experiments"] if one != study["reference"]]
    alone = study["kind"] == "comparison" and not others
    did = "scored {reference} alone" if alone else KINDS[study["kind"]]
    paired = study["kind"] in ("comparison", "patch_size")
    named = {
        "experiments": listed(others if paired else study["experiments"]),
        "reference": study["reference"],
    }
    where = f"on {facts.named(study['datasets'])}"
    runs = ""
    if study["kind"] != "reading":
        folds, seeds = study["folds"], study["seeds"]
        runs = (
            f", {'fold' if len(folds) == 1 else 'folds'} {listed(folds)}, "
            f"{'seed' if len(seeds) == 1 else 'seeds'} {listed(seeds)}"
        )
    return f"The study {name} {did.format(**named)}, {where}{runs}."


FEATURES = {
    "the pixels": lambda facts, pair: facts.plans[pair].spacing,
    "the patch": lambda facts, pair: facts.plans[pair].patch_size,
    "the batch": batch_size,
    "the network": lambda facts, pair: facts.plans[pair].architecture,
    "the range of rotations": rotation,
}
"""What a plan decides on, in words."""


def limits(facts: RunFacts) -> Paragraph:
    """Return the paragraph about what differences between experiments cannot tell."""
    studies = [one for one in facts.config["studies"].values() if len(one["experiments"]) > 1]
    kinds = {one["kind"] for one in studies}
    sentences = [*_of_axes(facts)]
    if "anisotropy" in kinds:
        sentences.append(
            "With thicker slices, experiments that slice across different axes differ in the "
            "anatomical plane as well as in the thickness; only the change from networks of the "
            "same planes on thin slices, where there are such, tells the two apart."
        )
    if "patch_size" in kinds:
        sentences += _of_patches(facts)
    for name, members in facts.config["ensembles"].items():
        if any(name in one["experiments"] for one in studies):
            sentences.append(
                f"The ensemble {name} has the networks of {counted(len(members), 'training')}, a "
                "single experiment that of one."
            )
    if facts.trained:
        taken = spread([steps(facts, pair) for pair in facts.trained])
        sentences.append(
            f"Networks were taken after {taken} steps, whether or not their loss was still falling."
        )
    return Paragraph("Limits", tuple(sentences), ("config: studies, ensembles", "*/*/plans.json"))


def _of_axes(facts: RunFacts) -> list[str]:
    """Return what differs, but for the axis, between experiments that slice across others."""
    apart = _differing(
        facts,
        [
            (one, two)
            for one, two in combinations(facts.trained, 2)
            if one[0] == two[0] and _axis(facts, one) != _axis(facts, two)
        ],
    )
    if not apart:
        return []
    return [
        "Experiments that slice across different axes of a dataset differ in more than that, in "
        f"{listed(apart)} (table of plans), since the plan of each follows from its slices: what "
        "is compared is the rule as a whole, not the axis alone."
    ]


def _of_patches(facts: RunFacts) -> list[str]:
    """Return what differs, but for the patch, between the experiments of studies of its size."""
    couples = [
        ((dataset, one), (dataset, two))
        for study in facts.config["studies"].values()
        if study["kind"] == "patch_size"
        for dataset in study["datasets"]
        for one, two in combinations(study["experiments"], 2)
    ]
    apart = [each for each in _differing(facts, couples) if each != "the patch"]
    if not apart:
        return []
    return [
        f"Experiments with smaller patches also differ in {listed(apart)}: what is compared is the "
        "patch with the network that was planned for it."
    ]


def _differing(facts: RunFacts, couples: Iterable[tuple[Pair, Pair]]) -> list[str]:
    """Return which FEATURES differ between the two of any couple."""
    found = [couple for couple in couples if all(pair in facts.plans for pair in couple)]
    return [
        words
        for words, of in FEATURES.items()
        if any(of(facts, one) != of(facts, two) for one, two in found)
    ]


def _axis(facts: RunFacts, pair: Pair) -> int:
    """Return the axis of the array that an experiment slices across."""
    return facts.plans[pair].preparation.transpose_forward[0]
