"""Write the methods of a run in words, from its config, plans and records, with two checklists.

One paragraph a section, to be pasted into a paper, as Markdown and as LaTeX. Nothing is said that
the run did not do; behind each paragraph stands, as a comment, which files its numbers are from.
"""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from slicewise import (
    methods_augmentation,
    methods_data,
    methods_partitions,
    methods_scores,
    methods_studies,
    methods_training,
)
from slicewise.claim import claim, metrics_reloaded
from slicewise.dataset import open_dataset
from slicewise.files import read_json, write_text
from slicewise.job import run
from slicewise.latex import escape, latex
from slicewise.plans import read_plan
from slicewise.problems import read_tables
from slicewise.prose import Pair, Paragraph, differences, edges, referred
from slicewise.prose import as_markdown as markdown
from slicewise.records import read_folds, read_orientation
from slicewise.study_facts import DatasetFacts, RunFacts, read_grids

SECTIONS = (
    methods_data.data,
    methods_partitions.partitions,
    methods_data.preprocessing,
    methods_data.slicing,
    methods_training.network,
    methods_training.training,
    methods_training.sampling,
    methods_augmentation.augmentation,
    methods_training.inference,
    methods_scores.postprocessing,
    methods_scores.evaluation,
    methods_scores.statistics,
    methods_studies.studies,
    methods_studies.limits,
    methods_scores.software,
    methods_scores.repeatability,
)

PLAN_COLUMNS = (
    "dataset",
    "experiment",
    "across",
    "slices",
    "pixel",
    "image",
    "patch",
    "batch",
    "stages",
    "weights",
    "angle",
)
PLAN_LEGEND = (
    "Plans. Across: the sliced axis; slices: their target distance (mm); pixel: its edges (mm); "
    "image: the median slice (pixels); patch: its edges (pixels); batch: patches, in brackets how "
    "many of them are centred on a voxel of a class; angle: the largest rotation (degrees). Edges "
    "are rows × columns."
)
"""Columns of the table of plans, and what they hold."""

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Methods</title>
<style>
body {{ max-width: 46rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 sans-serif; }}
small {{ color: #595959; }}
table {{ border-collapse: collapse; font-size: 0.875rem; }}
th, td {{ border-bottom: 1px solid #d9d9d9; padding: 0.2rem 0.6rem; text-align: left; }}
</style>
{}
</html>
"""
"""The page that the report shows."""

CLAIM = "CLAIM, 2024 update (Tejani et al., Radiology: Artificial Intelligence, 2024)"
RELOADED = "Metrics Reloaded (Maier-Hein, Reinke et al., Nature Methods, 2024)"


def paragraphs(facts: RunFacts) -> list[Paragraph]:
    """Return the paragraphs of the methods, without those that have nothing to say."""
    said = [section(facts) for section in SECTIONS]
    written = [referred(paragraph) for paragraph in said]
    return [*filter(lambda one: one.sentences, written), *differences(said)]


def plans_table(facts: RunFacts) -> list[tuple[str, ...]]:
    """Return a row for each dataset and experiment, the names of the columns first."""
    return [PLAN_COLUMNS, *(_planned(facts, pair) for pair in facts.plans)]


def _planned(facts: RunFacts, pair: Pair) -> tuple[str, ...]:
    """Return the row of a dataset and an experiment in the table of plans."""
    plan, batch = facts.plans[pair], methods_training.batch_size(facts, pair)
    trained = pair in facts.trained
    return (
        *pair,
        methods_data.sliced_axis(facts, pair),
        methods_data.distance(facts, pair) or "--",
        edges(plan.spacing),
        edges(plan.median_image_size),
        edges(plan.patch_size),
        f"{batch} ({methods_training.centred(facts, pair)})" if trained else str(batch),
        str(plan.architecture.n_stages),
        f"{methods_training.weights(facts, pair):,}",
        f"±{methods_augmentation.rotation(facts, pair)}" if trained else "--",
    )


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose first row holds the names of its columns."""
    first, *others = ([markdown(cell) for cell in row] for row in rows)
    ruled = [first, ["---"] * len(first), *others]
    return "\n".join(f"| {' | '.join(row)} |" for row in ruled)


def latex_table(rows: Sequence[Sequence[str]]) -> str:
    """Return the table of plans as LaTeX, each dataset's name above its rows."""
    names, *others = rows
    table = pd.DataFrame(others, columns=list(names))
    shown = {name: name for name in names if name != "dataset"}
    return latex(table, shown, PLAN_LEGEND, "tab:plans", groups=["dataset"])


def checklists(facts: RunFacts) -> dict[str, list[tuple[str, ...]]]:
    """Return the tables of both checklists by their titles, each with the names of its columns."""
    items = [(str(i.number), i.asks, i.answer, ", ".join(i.see)) for i in claim(facts)]
    return {
        CLAIM: [("item", "asks for", "the run says", "see"), *items],
        RELOADED: [("about", "what was done"), *metrics_reloaded(facts).items()],
    }


def as_markdown(facts: RunFacts, found: Sequence[Paragraph]) -> str:
    """Return the methods, the table of plans and the checklists as Markdown."""
    parts = ["# Methods"]
    for paragraph in found:
        text = markdown(" ".join(paragraph.sentences))
        parts.append(f"## {paragraph.title}\n\n{text}")
        if paragraph.sources:
            parts.append(f"<!-- From {', '.join(paragraph.sources)} -->")
    parts += ["## Table of plans", PLAN_LEGEND, markdown_table(plans_table(facts))]
    parts.append("# Checklists")
    for title, rows in checklists(facts).items():
        parts += [f"## {title}", markdown_table(rows)]
    return "\n\n".join(parts) + "\n"


def as_html(facts: RunFacts, found: Sequence[Paragraph]) -> str:
    """Return the same as a page to read, with the files that numbers come from in sight."""
    parts = ["<h1>Methods</h1>"]
    for paragraph in found:
        text, sources = (html.escape(" ".join(paragraph.sentences)), ", ".join(paragraph.sources))
        parts.append(f"<h2>{paragraph.title}</h2>\n<p>{text}</p>")
        if sources:
            parts.append(f"<small>From {sources}</small>")
    parts.append(f"<h2>Table of plans</h2>\n<p>{PLAN_LEGEND}</p>\n{html_table(plans_table(facts))}")
    for title, rows in checklists(facts).items():
        parts.append(f"<h2>{title}</h2>\n{html_table(rows)}")
    return PAGE.format("\n".join(parts))


def html_table(rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose first row holds the names of its columns."""
    lines = []
    for row, kind in zip(rows, ["th", *["td"] * (len(rows) - 1)], strict=True):
        lines.append("<tr>" + "".join(f"<{kind}>{html.escape(cell)}</{kind}>" for cell in row))
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def as_latex(facts: RunFacts, found: Sequence[Paragraph]) -> str:
    """Return the methods as LaTeX, a paragraph a section, and the table of plans."""
    parts = []
    for paragraph in found:
        # Long names may be broken behind an underscore: LaTeX has no hyphenation for them.
        text = escape(" ".join(paragraph.sentences)).replace(r"\_", r"\_\allowbreak{}")
        if paragraph.sources:
            parts.append(f"% From {', '.join(paragraph.sources)}")
        parts.append(f"\\paragraph{{{paragraph.title}.}}\n{text}\n")
    return "\n".join([*parts, latex_table(plans_table(facts))])


def read_datasets(
    config: Mapping,
    datasets: Sequence[str],
    given_splits: Sequence[bool],
    files: Mapping[str, Sequence[str | Path]],
) -> dict[str, DatasetFacts]:
    """Return the facts of each dataset, of which `files` has one file of each kind, in order."""
    found = {}
    for i, name in enumerate(datasets):
        path = {kind: paths[i] for kind, paths in files.items()}
        spacing, shape = read_grids(path["spacing"])
        found[name] = DatasetFacts(
            name=name,
            kind=config["datasets"][name],
            source=open_dataset(path["dataset_json"]),
            spacing=spacing,
            shape=shape,
            orientation=read_orientation(path["orientation"], "orientations"),
            warnings=read_tables([path["validation"]]),
            splits=read_folds(path["splits"]),
            given_splits=given_splits[i],
        )
    return found


def kept_steps(postprocessing: Mapping) -> tuple[str, ...]:
    """Return the names of the steps that a postprocessing.json decided for."""
    return tuple(step["name"] for step in postprocessing["steps"] if step["kept"])


def gather(
    record: Mapping,
    datasets: Sequence[str],
    given_splits: Sequence[bool],
    files: Mapping[str, Sequence[str | Path]],
    plans: Mapping[Pair, str | Path],
    postprocessing: Mapping[Pair, str | Path],
) -> RunFacts:
    """Return the facts of a run from its provenance.json and its files; see `main` for these."""
    runs: dict[Pair, list[tuple[int, int]]] = {}
    for one in record["runs"]:
        pair = (one["dataset"], one["experiment"])
        runs.setdefault(pair, []).append((one["fold"], one["seed"]))
    return RunFacts(
        config=record["config"],
        datasets=read_datasets(record["config"], datasets, given_splits, files),
        plans={pair: read_plan(path) for pair, path in plans.items()},
        steps={pair: kept_steps(read_json(path)) for pair, path in postprocessing.items()},
        runs=runs,
        provenance=record,
    )


def main(
    *,
    provenance: str | Path,
    datasets: Sequence[str],
    given_splits: Sequence[bool],
    dataset_json: Sequence[str | Path],
    spacing: Sequence[str | Path],
    orientation: Sequence[str | Path],
    validation: Sequence[str | Path],
    splits: Sequence[str | Path],
    planned: Sequence[Pair],
    plans: Sequence[str | Path],
    decided: Sequence[Pair],
    postprocessing: Sequence[str | Path],
    methods: str | Path,
    latex: str | Path,
    page: str | Path,
) -> None:
    """Write the methods as Markdown and as a page, both with the checklists, and as LaTeX.

    dataset_json to splits: a file for each of `datasets`; planned, decided: dataset and experiment,
    or ensemble, that each of plans and postprocessing is of.
    """
    record = read_json(provenance)
    files = {
        "dataset_json": dataset_json,
        "spacing": spacing,
        "orientation": orientation,
        "validation": validation,
        "splits": splits,
    }
    facts = gather(
        record,
        datasets,
        given_splits,
        files,
        {tuple(pair): path for pair, path in zip(planned, plans, strict=True)},
        {tuple(pair): path for pair, path in zip(decided, postprocessing, strict=True)},
    )
    found = paragraphs(facts)
    write_text(methods, as_markdown(facts, found))
    write_text(latex, as_latex(facts, found))
    write_text(page, as_html(facts, found))


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
