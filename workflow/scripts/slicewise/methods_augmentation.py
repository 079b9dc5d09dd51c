"""Methods in words: the training augmentation."""

from __future__ import annotations

from dataclasses import dataclass

from slicewise.prose import Pair, Paragraph, about, listed, short, stated
from slicewise.study_facts import RunFacts


@dataclass(frozen=True)
class Transform:
    """One transform of the training augmentation, in the order in which they are applied.

    name: its parameter in slicewise.augment, which draws it; words: what it does, {low} and {high}
    in place of its range; probability: that a sample gets it, or a channel of one where `each` is
    less than 1, the share of the channels then. A test draws many and compares.
    """

    name: str
    words: str
    probability: float
    low: float
    high: float
    each: float = 1


AUGMENTATION = (
    Transform("angle", "rotation", 0.2, -180, 180),
    Transform("scale", "rescaling by a factor of {low} to {high}", 0.2, 0.7, 1.4),
    Transform(
        "noise_std", "Gaussian noise with a standard deviation of {low} to {high}", 0.1, 0, 0.1
    ),
    Transform("blur_sigma", "Gaussian blur of {low} to {high} pixels", 0.2, 0.5, 1, 0.5),
    Transform("brightness", "a brightness factor of {low} to {high}", 0.15, 0.75, 1.25),
    Transform(
        "contrast",
        "a contrast factor of {low} to {high} within the range of the image",
        0.15,
        0.75,
        1.25,
    ),
    Transform(
        "resolution",
        "a resolution lowered to {low} to {high} of the pixels of each axis",
        0.25,
        0.5,
        1,
        0.5,
    ),
    Transform("inverted_gamma", "a gamma of {low} to {high} on the inverted image", 0.1, 0.7, 1.5),
    Transform("gamma", "a gamma of {low} to {high}", 0.3, 0.7, 1.5),
    Transform("mirrored", "mirroring along each axis", 0.5, 1, 1),
)
"""nnU-Net's training transforms, as slicewise.augment draws them."""

ROTATION, ELONGATED, ELONGATED_ROTATION = 180, 1.5, 15
"""Degrees that patches are rotated by at most; the last where the longer edge is more than so many
times the shorter."""


def augmentation(facts: RunFacts) -> Paragraph:
    """Return the paragraph about the training augmentation."""
    augmented = [
        p for p in facts.trained if facts.settings(p, "training")["augmentation"] != "none"
    ]
    plain = [pair for pair in facts.trained if pair not in augmented]
    sentences = []
    if augmented:
        sentences = [
            f"Patches were augmented on the fly by, in this order and each with the probability in "
            f"brackets, {listed(map(_described, AUGMENTATION))}.",
            stated(
                "Angles were drawn from {}",
                "the largest rotation",
                {
                    pair: f"−{rotation(facts, pair)}° to {rotation(facts, pair)}°"
                    for pair in augmented
                },
                tabled=True,
            ),
        ]
    if plain:
        whom = about(plain, facts.trained)
        sentences.append(f"Patches were not augmented{f' {whom}' if whom else ''}.")
    sources = ("config: training.augmentation", "slicewise/augment.py")
    return Paragraph("Augmentation", tuple(sentences), sources)


def _described(transform: Transform) -> str:
    """Return a transform in words, with its range and probability."""
    words = transform.words.format(low=short(transform.low), high=short(transform.high))
    channels = f", and then each channel with {short(transform.each)}" if transform.each < 1 else ""
    return f"{words} ({short(transform.probability)}{channels})"


def rotation(facts: RunFacts, pair: Pair) -> int:
    """Return the largest angle in degrees of a rotation, which is smaller for elongated patches."""
    row, column = facts.plans[pair].patch_size
    elongated = max(row, column) / min(row, column) > ELONGATED
    return ELONGATED_ROTATION if elongated else ROTATION
