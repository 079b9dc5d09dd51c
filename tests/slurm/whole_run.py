"""The default workflow through Slurm: where its jobs ran, with what, and what came of it."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from checkouts import TINY
from faults.figures import Figure
from faults.repeat import clean_run, compared, digests, prepared
from slicewise.resources import STARTED_MB
from slurm import runs

DEFAULT = {
    "cross_validation": {"folds": 2, "run": [0]},
    "ensembles": {},
    "training": TINY["training"],
}
"""Both experiments of config.yaml on one fold: each rule of the default run."""


def rules_that_are_submitted(folder: Path) -> set[str]:
    """Return the rules of a folder that run where Slurm says: they have a script, and are heavy."""
    text = "".join(path.read_text() for path in folder.glob("*.smk"))
    pattern = r"^(?:use rule \w+ as|rule|checkpoint) (\w+)(?: with)?:\n((?:    .*\n|\n)+)"
    blocks = dict(re.findall(pattern, text, re.MULTILINE))
    local = {name for name, block in blocks.items() if "localrule: True" in block}
    return {name for name, block in blocks.items() if "    output:" in block} - local


def taken(results: Path) -> dict[str, float]:
    """Return the most memory in MB that jobs of each rule took, as their benchmarks say."""
    most: dict[str, float] = {}
    for path in (results / "benchmarks").rglob("*.tsv"):
        rule = path.relative_to(results / "benchmarks").parts[0]
        with path.open() as file:
            (row,) = csv.DictReader(file, delimiter="\t")
        if row["max_rss"] != "NA":
            most[rule] = max(most.get(rule, 0), float(row["max_rss"]))
    return most


def measure(folder: Path) -> list[Figure]:
    """Run the default workflow through the cluster and without it."""
    local = clean_run(folder / "local", **DEFAULT)
    made = prepared(folder / "slurm", **DEFAULT)
    expected = rules_that_are_submitted(made.folder / "workflow/rules") & set(made.jobs())
    made.without_messages()
    told = runs.asked_for(runs.run(made))
    jobs = runs.jobs(made.folder)
    completed = [job for job in jobs if job.state == "COMPLETED"]
    ran = {told[job.number][0] for job in completed}
    missing = expected - ran
    as_asked = [job for job in jobs if job.given == told[job.number][1]]
    other = next((f"{told[j.number]}, given {j}" for j in jobs if j not in as_asked), "")
    least = {rule: min(a.memory for r, a in told.values() if r == rule) for rule in ran}
    used = {rule: mb for rule, mb in taken(made.folder / "results").items() if rule in ran}
    fitted = [rule for rule, mb in used.items() if mb + STARTED_MB <= least[rule]]
    return [
        Figure("jobs submitted to Slurm end there", len(completed), len(told), "jobs"),
        Figure(
            "each rule but the light ones is submitted",
            len(expected & ran),
            len(expected),
            "rules",
            ", ".join(sorted(missing)),
        ),
        Figure(
            "each with the cores, memory, minutes and GPUs that it asked for",
            len(as_asked),
            len(told),
            "jobs",
            other,
        ),
        Figure(
            "and takes no more memory than that, its script and two Snakemakes",
            len(fitted),
            len(used),
            "rules",
            ", ".join(
                f"{rule} {mb:.0f} + {STARTED_MB} of {least[rule]} MB"
                for rule, mb in sorted(used.items())
            ),
        ),
        compared("with the bytes of a run without Slurm", local, digests(made.folder / "results")),
    ]
