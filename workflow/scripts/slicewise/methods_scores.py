"""Methods in words: post-processing, scores, statistics, software and repeatability."""

from __future__ import annotations

from slicewise import hardware
from slicewise.prose import Pair, Paragraph, counted, listed, stated
from slicewise.study_facts import RunFacts

NAMED = ("torch", "numpy", "scipy", "nibabel", "pandas", "matplotlib", "snakemake")
"""The packages that a paper names, as they are called in provenance.json."""

CALLED = {
    "torch": "PyTorch",
    "numpy": "NumPy",
    "scipy": "SciPy",
    "nibabel": "NiBabel",
    "matplotlib": "Matplotlib",
    "snakemake": "Snakemake",
}
DEVICES = {"cpu": "the CPU", "cuda": "a GPU (CUDA)", "mps": "a GPU (Apple's MPS)"}

FAMILIES = {
    "comparison": "in a comparison, over the mean foregrounds of all experiments, or over all "
    "their classes, of one metric and level",
    "anisotropy": "with thicker slices, over all thicknesses along all axes, or over these and "
    "the classes, of one experiment, differences and their changes apart",
    "patch_size": "with smaller patches, over all experiments, and over the classes, or the sizes "
    "of structures, of one level",
}
"""Over which tests of a study of each kind p values are adjusted."""


def postprocessing(facts: RunFacts) -> Paragraph:
    """Return the paragraph about what cross-validation decided to do to new segmentations."""
    if facts.config["postprocessing"]["largest_component"] == "never":
        sentences = ("Segmentations were not post-processed.",)
    else:
        decided = stated(
            "The reductions that raised the Dice, and are applied to new images, are {}",
            "the reductions that raised the Dice, and are applied to new images",
            {pair: _kept(steps) for pair, steps in facts.steps.items()},
        )
        sentences = (
            "Held-out segmentations were scored without post-processing. Whether new images are "
            "reduced to the largest connected component (26 neighbours), first of all structures "
            "together and then of each, was decided on the Dice of the same held-out cases "
            "(nnU-Net's rule).",
            decided,
        )
    sources = tuple(f"{dataset}/{model}/postprocessing.json" for dataset, model in facts.steps)
    return Paragraph("Post-processing", sentences, sources)


def _kept(steps: tuple[str, ...]) -> str:
    """Return which components are reduced."""
    if not steps:
        return "none"
    named = ["all structures together" if name == "foreground" else name for name in steps]
    return f"those of {listed(named)}"


def evaluation(facts: RunFacts) -> Paragraph:
    """Return the paragraph about metrics and their conventions."""
    settings = facts.config["evaluation"]
    tolerance = settings["surface_tolerance_mm"]
    axis = settings["slice_axis"]
    slices = f"the {axis} axis" if isinstance(axis, str) else f"axis {axis}"
    only = settings["slices"]
    sentences = (
        "Segmentations were scored on the grid of the input files, for each class, in 3D for every "
        f"case and in 2D for every slice across {slices} of the scan"
        + ("." if only == "all" else f", of these slices only: {only}."),
        *_thin_grid(facts),
        "Overlap was measured by the Dice similarity coefficient and the intersection over union; "
        "agreement of boundaries by the 95th percentile of the Hausdorff distance (the larger of "
        "both directions), the average symmetric surface distance and the surface Dice at a "
        f"tolerance of {tolerance:g} mm (Nikolov et al., 2021), with surface elements weighted by "
        "their area.",
        "Where truth and prediction were both empty there is no score, and it entered no mean; "
        "where one of them was empty, overlap scores were 0 and distances do not exist.",
        "The score of a class in slices is that of the slices that truly show it, averaged within "
        "each case and then over cases; slices in which it was found although it is not there were "
        "counted beside it.",
        "Scores of several seeds of one case or slice were averaged first.",
    )
    return Paragraph("Evaluation", sentences, ("config: evaluation", "*/*/fold-*_seed-*/per_*.csv"))


def _thin_grid(facts: RunFacts) -> list[str]:
    """Return what scores of datasets with thicker slices are of, nothing where there are none."""
    thick = facts.thickened
    if not thick:
        return []
    sources = listed(dict.fromkeys(thick.values()))
    return [
        f"Those of {facts.named(thick)} were scored on the thin slices of {sources}, against their "
        "labels; a thin slice took the label of the thick one that it lies in. The ceiling is what "
        "a network scores there that predicts the thick labels without a mistake: a bound in "
        "practice, not in theory."
    ]


def statistics(facts: RunFacts) -> Paragraph:
    """Return the paragraph about intervals and tests."""
    drawn, studies = facts.config["figures"], facts.config["studies"].values()
    compared = [one for one in studies if one["kind"] == "comparison"]
    sentences = [
        "The case was the unit of analysis, as slices and runs of a case are not independent.",
        f"Intervals are {100 * drawn['confidence']:g} % intervals of a bootstrap over whole cases "
        f"({drawn['resamples']:,} resamples, seeded; percentiles expanded for few cases: "
        "Hesterberg, 2015); none is given below five cases.",
    ]
    kinds = {one["kind"] for one in studies if len(one["experiments"]) > 1}
    families = [words for kind, words in FAMILIES.items() if kind in kinds]
    if families:
        sentences += [
            "Experiments were paired with the reference case by case; differences were tested by "
            "the two-sided Wilcoxon signed-rank test and described by the matched-pairs "
            "rank-biserial correlation.",
            "Pairs of which one side has no score entered no difference.",
            f"p values were adjusted by Holm's method: {'; '.join(families)}.",
        ]
    if any(len(one["experiments"]) > 1 for one in compared):
        sentences.append(
            "Comparisons also give Cohen's d_z and the smallest difference that the design could "
            "detect: that which a paired t test with these cases finds with a power of 0.8 at 0.05."
        )
    sentences.append(
        "Intervals and tests hold for the networks that were trained and for this division into "
        "folds; they tell nothing of other trainings or other divisions."
    )
    if any(len(one["experiments"]) > 2 for one in compared):
        sentences.append(
            "Rankings were repeated in the resamples, their stability given as Kendall's tau "
            "(after challengeR: Wiesenfarth et al., 2021). In a ranking, an experiment without a "
            "score where others have one counts as the worst: with an overlap of 0, or with the "
            "last rank of the case and the largest distance. A case in which one experiment "
            "rightly found nothing of a class was left out of that class for all."
        )
    if any(len(one["seeds"]) > 1 for one in compared):
        sentences.append(
            "The variance between seeds was told from that between cases by a crossed analysis of "
            "variance within folds."
        )
    return Paragraph("Statistics", tuple(sentences), ("config: figures, studies",))


def software(facts: RunFacts) -> Paragraph:
    """Return the paragraph about versions and machines."""
    found, packages = facts.provenance["slicewise"], facts.provenance["packages"]
    version = f" {found['version']}" if found["version"] else ""
    commit = (
        f" (commit {found['commit'][:10]}{', changed' if found['changed'] else ''})"
        if found["commit"]
        else ""
    )
    others = [f"{CALLED.get(name, name)} {packages[name]}" for name in NAMED if packages.get(name)]
    sentences = [
        f"Everything was run by slicewise{version}{commit}, which repeats the 2D mode of nnU-Net "
        f"(Isensee et al., 2021), with Python {facts.provenance['python']}, {listed(others)}.",
        *_machines(facts),
    ]
    return Paragraph("Software and hardware", tuple(sentences), ("report/provenance.json",))


def _machines(facts: RunFacts) -> list[str]:
    """Return a sentence for each machine that trained, or one for that which wrote this."""
    said = [
        f"Networks were trained on {DEVICES.get(one['device'], one['device'])} of a machine with "
        f"{hardware.in_words(one)}."
        for one in facts.provenance["trained_on"]
    ]
    if not said:
        machine = hardware.in_words(facts.provenance["machine"])
        said = [f"This was written on a machine with {machine}."]
    settings = {pair: facts.settings(pair, "training") for pair in facts.trained}
    threads = {
        pair: counted(one["threads"], "thread")
        + (f" on {counted(one['devices'], 'device')}" if one["devices"] > 1 else "")
        for pair, one in settings.items()
    }
    return [
        *said,
        *filter(None, [stated("Each training had {}", "the threads of a training", threads)]),
    ]


def repeatability(facts: RunFacts) -> Paragraph:
    """Return the paragraph about seeds and determinism."""
    seeds = {pair: sorted({seed for _, seed in facts.runs.get(pair, ())}) for pair in facts.trained}
    sentences = [
        stated(
            "Networks were trained with {}",
            "the seeds",
            {
                pair: f"{counted(len(own), 'seed')} ({listed(own)})" if own else ""
                for pair, own in seeds.items()
            },
        ),
        "Every random draw follows from seed, fold, purpose and iteration alone; on the CPU of one "
        "machine, with the same number of threads, results repeat to the byte.",
        stated(
            "GPUs computed {}",
            "the precision of GPUs",
            {pair: _determinism(facts, pair) for pair in facts.trained},
        ),
        "report/provenance.json holds the config, the checksums of all inputs and of the networks, "
        "and a digest of the code behind each step.",
    ]
    return Paragraph("Repeatability", tuple(filter(None, sentences)), ("report/provenance.json",))


def _determinism(facts: RunFacts, pair: Pair) -> str:
    """Return what holds where a training ran on a GPU; on the CPU nothing has to be said."""
    on = {one["device"] for one in facts.provenance["trained_on"]}
    if "cuda" not in on:
        return ""
    settings = facts.settings(pair, "training")
    kind = "deterministic" if settings["deterministic"] else "not all deterministic"
    precision = "16-bit mixed" if settings["mixed_precision"] else "32-bit"
    return f"by {kind} methods in {precision} precision"
