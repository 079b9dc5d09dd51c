"""Methods in words: how cases were divided, and which of them were held out."""

from __future__ import annotations

from collections.abc import Sequence

from slicewise.prose import NUMBERS, Paragraph, counted, listed, spread
from slicewise.study_facts import RunFacts


def partitions(facts: RunFacts) -> Paragraph:
    """Return the paragraph about folds."""
    said: dict[str, list[str]] = {}
    for name in facts.datasets:
        said.setdefault(_folds(facts, name), []).append(name)
    sentences = [
        f"The cases of {facts.named(names)} were divided into {how}" for how, names in said.items()
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
        f"{_cases_in(held_out)} held out{' in each' if len(folds) > 1 else ''}: a "
        f"{held_out_of(len(folds), whole)}."
    )


def held_out_of(ran: int, folds: int) -> str:
    """Return how cases were held out: by cross-validation only where all of several folds ran."""
    if folds == 1:
        return "hold-out"
    if ran == folds:
        return "cross-validation"
    words = [NUMBERS[number] if number < len(NUMBERS) else str(number) for number in (ran, folds)]
    return f"hold-out of {words[0]} of {words[1]} folds"


def _cases_in(sizes: Sequence[int]) -> str:
    """Return how many cases a part of the folds holds."""
    return counted(sizes[0], "case") if len(sizes) == 1 else f"{spread(sizes)} cases"
