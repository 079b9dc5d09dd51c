"""What a run costs as its cases grow in number: CPU time and memory at 100, 1,000 and 10,000.

The cases are tiny, so that what is measured is the work of each case and each job beside that of
its voxels. nnU-Net's preparation is measured on the same files, up to 1,000 of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks import many, measuring, table
from benchmarks.measuring import Measurement
from benchmarks.programs import SCRIPTS, TESTS, Bench, Scans
from slicewise import style

SIZES = (100, 1_000, 10_000)
NNUNET_UP_TO = 1_000
"""Cases beyond which nnU-Net is not run: it would take the longest part of the benchmark."""

CASES_PER_JOB = 32
"""So few that 10,000 cases are as many groups as there ever are, as with scans of usual size."""

BEGIN, END = "<!-- scale -->", "<!-- /scale -->"


@dataclass(frozen=True)
class Task:
    """Something that a run does: its name, a title for table and figure, and whose it is."""

    name: str
    title: str
    program: str = "slicewise"


TASKS = (
    Task("dry_run", "parsing, DAG and dry run of 45 trainings"),
    Task("job", "start and end of one job"),
    Task("nnunet", "fingerprint, plan, arrays: nnU-Net", "nnU-Net"),
    Task("prepare", "fingerprint, plan, arrays: slicewise"),
    Task("merge", "validation, fingerprint and plan from the groups"),
    Task("start", "start of a training: its cases opened, first batch"),
    Task("evaluate", "scores of a fold"),
    Task("decide", "post-processing decided"),
    Task("figures", "figures of all scores"),
)
IN_PARTS = ("merge", "start", "evaluate", "decide", "figures")
"""Tasks that are functions of scale_part.py."""

LOOKS = ("dry_run", "job", "prepare", "merge", "start", "evaluate", "decide")
"""Tasks in the order of the house's colours, of which the third is black."""

OWN_LOOKS = {
    "nnunet": {
        "color": style.BLACK,
        "linestyle": "--",
        "marker": "^",
        "markerfacecolor": "white",
    },
    "figures": {"color": style.GREY, "linestyle": "-", "marker": "*"},
}
TARGETS = {"cpu_s": 60, "peak_mib": 2048}
"""What parsing, DAG and dry run of 10,000 cases may take."""

TARGET = {
    "color": style.line_style(0)["color"],
    "marker": "_",
    "markersize": 9,
    "markeredgewidth": 1.4,
}
WHOLE_RUN = {
    "experiments": {name: {"planning": {"slice_axis": name}} for name in many.EXPERIMENTS},
    "cross_validation": {"folds": 5, "run": [0, 1, 2, 3, 4], "seeds": [0, 1, 2]},
    "execution": {"cases_per_job": CASES_PER_JOB},
}
JOB = [
    *("--target-jobs", "split_folds:dataset=scans", "--allowed-rules", "split_folds"),
    *("--mode", "subprocess", "--nolock", "--force", "--rerun-triggers", "mtime"),
]
"""What Snakemake starts for each job that it runs."""


def measure(bench: Bench, sizes: Sequence[int] = SIZES) -> Iterator[dict]:
    """Yield a row for each task and number of cases, as soon as it is measured."""
    for cases in sizes:
        scans = Scans(bench, bench.folder / f"many-{cases}", "Dataset006_Many")
        many.write_many(scans.raw, cases)
        for task in TASKS:
            if task.name == "nnunet" and cases > NNUNET_UP_TO:
                continue
            found = measure_task(task.name, scans, cases)
            about = {"task": task.name, "program": task.program, "cases": cases}
            yield about | {k: v for k, v in asdict(found).items() if k != "told"}


def measure_task(name: str, scans: Scans, cases: int) -> Measurement:
    """Measure a task on a dataset; those before it in TASKS are done."""
    if name == "nnunet":
        return scans.plan_with_nnunet()
    if name == "prepare":
        return scans.plan_here()
    if name in IN_PARTS:
        target = scans.folder / "parts" / name
        target.mkdir(parents=True)
        if name == "figures":
            many.write_scores(target, cases)
        command = scans.own_half("scale_part", name, scans.raw, scans.results, target)
    else:
        command = scans.snakemake(WHOLE_RUN, *(["--dry-run"] if name == "dry_run" else JOB))
    environment = scans.environment(1, (TESTS, SCRIPTS))
    return measuring.run(command, environment, scans.log(name))


def amounts(row: pd.Series | dict) -> str:
    """Return CPU time and peak memory in words."""
    return f"{table.seconds(row['cpu_s'])}, {table.memory(row['peak_mib'])}"


def target_of(task: Task, rows: pd.DataFrame) -> str:
    """Return the target of a task in words, and whether it is reached; rows: by task and cases."""
    largest = (task.name, SIZES[-1])
    if task.name != "dry_run" or largest not in rows.index:
        return ""
    row = rows.loc[largest]
    reached = all(row[name] <= most for name, most in TARGETS.items())
    return f"at most {amounts(TARGETS)}{', reached' if reached else ''}"


def markdown(frame: pd.DataFrame) -> str:
    """Return the table in Markdown: CPU time and peak memory of each task at each size."""
    sizes = sorted(frame["cases"].unique())
    lines = [
        f"| | {' | '.join(f'{size:,} cases' for size in sizes)} | target at {SIZES[-1]:,} |",
        "|---" * (len(sizes) + 2) + "|",
    ]
    rows = frame.set_index(["task", "cases"])
    for task in TASKS:
        cells = [task.title]
        for size in sizes:
            row = rows.loc[task.name, size] if (task.name, size) in rows.index else None
            cells.append("not measured" if row is None else amounts(row))
        cells.append(target_of(task, rows))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def write_table(readme: Path, frame: pd.DataFrame, about: dict[str, object]) -> None:
    """Put the table in its place in the README; raises ValueError if that is not marked."""
    sentence = (
        f"CPU time of all processes of a task, and the most memory that they held at once; "
        f"{about['processor']}, {about['cores']} cores."
    )
    table.put(readme, BEGIN, END, lambda _: f"{markdown(frame)}\n{sentence}\n")


def draw(frame: pd.DataFrame, path: str | Path) -> None:
    """Write the figure to `path` and to its other ending, of .svg and .png."""
    path = Path(path)
    style.save_figure(figure_of(frame), path.with_suffix(".svg"), path.with_suffix(".png"))


@style.journal()
def figure_of(frame: pd.DataFrame) -> Figure:
    """Return CPU time and memory over the number of cases, a line for each task."""
    figure = style.new_figure(style.TWO_COLUMNS, 88)
    panels = figure.subplots(1, 2, subplot_kw={"xscale": "log", "yscale": "log"})
    for axes, column, title, text in zip(
        panels, ("cpu_s", "peak_mib"), ("CPU time (s)", "peak memory (MiB)"), "ab", strict=True
    ):
        draw_lines(axes, frame, column)
        axes.set(xlabel="cases", ylabel=title)
        style.letter(axes, text)
    handles = [style.handle(task.title, **looks(task), markersize=3.5) for task in TASKS]
    handles.append(style.handle("target of the dry run", linestyle="none", **TARGET))
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def looks(task: Task) -> dict:
    """Return colour, dashes and marker of a task; both preparations are black triangles."""
    return OWN_LOOKS.get(task.name) or style.line_style([*LOOKS].index(task.name))


def draw_lines(axes: Axes, frame: pd.DataFrame, column: str) -> None:
    """Draw one quantity of all tasks over the number of cases."""
    for task in TASKS:
        rows = frame[frame["task"] == task.name].sort_values("cases")
        axes.plot(rows["cases"], rows[column], **looks(task), markersize=3.5)
    axes.plot(SIZES[-1], TARGETS[column], **TARGET)
    axes.set_xticks(sorted(frame["cases"].unique()))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:,.7g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
