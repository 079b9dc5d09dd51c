"""Two checklists of a report on AI in medical imaging, answered as far as a run can.

CLAIM, 2024 update: Tejani et al., Radiology: Artificial Intelligence 6(4), e240300. Metrics
Reloaded: Maier-Hein, Reinke et al., Nature Methods 21, 195-212 (2024). The items are named in our
words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from slicewise.methods_partitions import held_out_of
from slicewise.prose import counted, listed
from slicewise.study_facts import RunFacts

FILL_IN = "for the authors to fill in"


@dataclass(frozen=True)
class Item:
    """One item of a checklist.

    number: as it is published; asks: what for; answer: what a run says of it, FILL_IN for what no
    run can know; see: titles of the paragraphs that say more.
    """

    number: int
    asks: str
    answer: str
    see: tuple[str, ...] = ()


def claim(facts: RunFacts) -> list[Item]:
    """Return the 44 items of CLAIM 2024."""
    return [
        *_front(),
        *_data(facts),
        *_partitions(facts),
        *_model(facts),
        *_scores(facts),
        *_back(),
    ]


def _front() -> list[Item]:
    """Return the items of title, abstract, introduction and design."""
    kind = "deep learning: 2D U-Nets that segment the slices of volumes; " + FILL_IN
    return [
        Item(1, "title: AI study, category of technology", kind),
        Item(2, "abstract: design, methods, results, conclusions", FILL_IN),
        Item(3, "background, intended use and clinical role", FILL_IN),
        Item(4, "aims, objectives and hypotheses", FILL_IN),
        Item(5, "prospective or retrospective", FILL_IN),
        Item(6, "goal of the study", FILL_IN),
    ]


def _data(facts: RunFacts) -> list[Item]:
    """Return the items of data and reference standard."""
    made = [name for name, one in facts.datasets.items() if "phantom" in one.kind]
    thick = facts.thickened
    real = [name for name in facts.datasets if name not in (*made, *thick)]
    drawn = f"{listed(made)}: drawn by slicewise" if made else ""
    derived = (
        f"{facts.named(thick)}: computed by slicewise from {listed(dict.fromkeys(thick.values()))}"
        if thick
        else ""
    )
    given = f"{listed(real)}: {FILL_IN}" if real else ""
    source = "; ".join(filter(None, [drawn, derived, given]))
    truth = "; ".join(filter(None, [f"{drawn} with the images" if drawn else "", derived, given]))
    chosen = {facts.settings(pair, "training")["slices"] for pair in facts.trained}
    chosen |= {facts.config["evaluation"]["slices"]}
    subset = "all slices were used" if chosen <= {"all"} else f"slices: {listed(sorted(chosen))}"
    return [
        Item(7, "sources of data", source, ("Data",)),
        Item(
            8,
            "inclusion and exclusion",
            f"no case of the datasets was excluded; how they were chosen: {FILL_IN}",
            ("Data",),
        ),
        Item(
            9,
            "preprocessing",
            "crop, normalisation, resampling within slices",
            ("Preprocessing", "Slices"),
        ),
        Item(10, "selection of subsets", subset, ("Sampling", "Evaluation")),
        Item(11, "de-identification", FILL_IN if real else "no data of patients"),
        Item(
            12,
            "missing data",
            "a case without one of its files would have stopped the run",
            ("Data",),
        ),
        Item(
            13,
            "image acquisition",
            f"grids: see there; protocol: {FILL_IN if real else source}",
            ("Data",),
        ),
        Item(14, "definition of the reference standard", truth),
        Item(15, "rationale for the reference standard", truth),
        Item(16, "source of its annotations", truth),
        Item(17, "annotation of the test set", truth),
        Item(
            18,
            "variability between and within raters",
            FILL_IN if real else "none: drawn by formulas",
        ),
    ]


def _partitions(facts: RunFacts) -> list[Item]:
    """Return the items of partitions and sample size."""
    ran = {
        name: sorted(
            {fold for pair, runs in facts.runs.items() if pair[0] == name for fold, _ in runs}
        )
        for name in facts.datasets
    }
    held_out = {
        name: sum(len(one.splits[fold]["val"]) for fold in ran[name])
        for name, one in facts.datasets.items()
    }
    ways: dict[str, list[str]] = {}
    for name, one in facts.datasets.items():
        ways.setdefault(held_out_of(len(ran[name]), len(one.splits)), []).append(name)
    assigned = "; ".join(
        way if len(ways) == 1 else f"{facts.named(names)}: {way}" for way, names in ways.items()
    )
    sizes: dict[int, list[str]] = {}
    for name, count in held_out.items():
        sizes.setdefault(count, []).append(name)
    tested = listed(
        f"{counted(count, 'case')} of {'each of ' if len(names) > 1 else ''}{facts.named(names)}"
        for count, names in sizes.items()
    )
    return [
        Item(19, "assignment to partitions", assigned, ("Partitions",)),
        Item(
            20,
            "level at which partitions are disjoint",
            f"the case; whether each case is another patient: {FILL_IN}",
            ("Partitions",),
        ),
        Item(
            21, "intended sample size", f"held out: {tested}; rationale: {FILL_IN}", ("Partitions",)
        ),
    ]


def _model(facts: RunFacts) -> list[Item]:
    """Return the items of model and training."""
    ensembles = facts.config["ensembles"]
    fused = (
        f"{counted(len(ensembles), 'ensemble')} of experiments ({listed(ensembles)})"
        if ensembles
        else "none"
    )
    start = any(facts.settings(pair, "training")["pretrained"] for pair in facts.trained)
    return [
        Item(
            22, "description of the model", "planned by rule from the data", ("Network", "Slices")
        ),
        Item(23, "software", "all versions in report/provenance.json", ("Software and hardware",)),
        Item(
            24, "first weights", "pretrained for some" if start else "random, seeded", ("Training",)
        ),
        Item(
            25,
            "training",
            "loss, optimiser, schedule, patches",
            ("Training", "Sampling", "Augmentation"),
        ),
        Item(26, "selection of the final model", "the last epoch, no selection", ("Training",)),
        Item(27, "ensembling", fused, ("Inference",)),
    ]


def _scores(facts: RunFacts) -> list[Item]:
    """Return the items of evaluation and results."""
    seeds = {seed for runs in facts.runs.values() for _, seed in runs}
    studied = listed(facts.config["studies"])
    return [
        Item(28, "metrics", "Dice, IoU, HD95, ASSD, surface Dice", ("Evaluation",)),
        Item(
            29,
            "significance and uncertainty",
            "by bootstrap over cases and paired tests",
            ("Statistics",),
        ),
        Item(
            30,
            "robustness, sensitivity",
            f"{counted(len(seeds), 'seed')}; studies: {studied}",
            ("Studies",),
        ),
        Item(31, "explainability", "none by the pipeline; " + FILL_IN),
        Item(
            32, "evaluation on internal data", "every score is of a held-out case", ("Partitions",)
        ),
        Item(33, "testing on external data", "none by the pipeline; " + FILL_IN),
        Item(34, "registration of a clinical trial", FILL_IN),
        Item(
            35,
            "numbers of cases included and excluded",
            "given for each dataset and fold",
            ("Data", "Partitions"),
        ),
        Item(36, "demographic and clinical characteristics of each partition", FILL_IN),
        Item(
            37,
            "performance and its uncertainty",
            "tables/ of the run, for each class and dataset",
            ("Statistics",),
        ),
        Item(
            38,
            "estimates and their precision",
            "tables/ of the run, with intervals",
            ("Statistics",),
        ),
        Item(
            39,
            "failure analysis",
            f"best, median and worst slices, scores of every slice; {FILL_IN}",
            ("Evaluation",),
        ),
    ]


def _back() -> list[Item]:
    """Return the items of discussion and of other information."""
    return [
        Item(40, "limitations", f"of the comparisons: see there; {FILL_IN}", ("Limits",)),
        Item(41, "implications for practice", FILL_IN),
        Item(
            42,
            "protocol and technical details",
            "report/provenance.json holds the config",
            ("Repeatability",),
        ),
        Item(
            43,
            "availability of software, model, data",
            f"slicewise is under the MIT licence; model and data: {FILL_IN}",
        ),
        Item(44, "funding, role of funders", FILL_IN),
    ]


def metrics_reloaded(facts: RunFacts) -> Mapping[str, str]:
    """Return what Metrics Reloaded asks of a segmentation, and what the run did."""
    tolerance = facts.config["evaluation"]["surface_tolerance_mm"]
    return {
        "problem category": "semantic segmentation",
        "overlap-based metric": "Dice similarity coefficient (IoU beside it, of the same ranking)",
        "boundary-based metric": f"surface Dice at {tolerance:g} mm, HD95 and ASSD beside it",
        "tolerance of the boundary": f"{tolerance:g} mm; why: {FILL_IN}",
        "classes": "each by itself; means over classes are named as such",
        "empty reference or prediction": "both empty: no score; one empty: overlap 0, no distance",
        "aggregation": "seeds, and slices that truly show a class, within a case; then over cases",
        "false positives in slices": "counted for each case, beside the score",
        "uncertainty": "bootstrap over cases, for given networks and folds; seeds apart",
        "scores of single cases": "per_case.csv and per_slice.csv of every run",
        "quality of the reference": FILL_IN,
    }
