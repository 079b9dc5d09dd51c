"""The README's table of the benchmark, between two comments that mark its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from benchmarks.report import FAILED, MEASURED, NOT_MEASURED
from slicewise.files import write_text

BEGIN, END = "<!-- benchmark -->", "<!-- /benchmark -->"
HEAD = (
    "| | nnU-Net | slicewise | times as fast | target | CPU time | peak memory |\n"
    "|---|---|---|---|---|---|---|\n"
)
SENTENCE, EARLIER = "Median of ", "Rows from an earlier run: "


def number(value: float) -> str:
    """Return a number in three digits, thousands apart."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def memory(mib: float) -> str:
    """Return an amount of memory."""
    return f"{mib / 1024:.1f} GiB" if mib >= 1024 else f"{mib:.0f} MiB"


def seconds(value: float) -> str:
    """Return a time; CPU time of single patches is short."""
    if value >= 1:
        return f"{number(value)} s"
    return f"{number(1e3 * value)} ms" if value >= 1e-4 else f"{number(1e6 * value)} µs"


def both_of(row: pd.Series, name: str, words: Callable[[float], str]) -> list[str]:
    """Return a cell with what each program takes, empty where the line has none of it."""
    pair = [row[f"{program}_{name}"] for program in ("nnunet", "slicewise")]
    return ["" if pd.isna(pair).any() else " → ".join(map(words, pair))]


def target_of(row: pd.Series) -> str:
    """Return the target of a line in words; and whether it is reached."""
    if pd.isna(row["target"]):
        return ""
    if pd.notna(row["target_s"]):
        text = f"{row['target_s']:g} s"
    elif row["target"] < 1:
        text = f"at most {1 / row['target']:g} times the time"
    else:
        text = f"{row['target']:g} times" if row["target"] > 1 else "no slower"
    if pd.notna(row["memory_target"]):
        text += f", memory {row['memory_target']:g} times less"
    return f"{text}, reached" if row["reached"] else text


def row_of(row: pd.Series) -> str:
    """Return a line of the table."""
    if row["status"] != MEASURED:
        cells = [row["title"], row["status"], "", "", "", "", ""]
        return f"| {' | '.join(cells)} |\n"
    both = [f"{number(row[program])} {row['unit']}" for program in ("nnunet", "slicewise")]
    speed, low, high = (number(row[f"speed{end}"]) for end in ("", "_low", "_high"))
    cells = [
        row["title"],
        *both,
        f"**{speed}** ({low} to {high})",
        target_of(row),
        *both_of(row, "cpu_s", seconds),
        *both_of(row, "peak_mib", memory),
    ]
    return f"| {' | '.join(cells)} |\n"


def table(summary: pd.DataFrame, before: str = "") -> str:
    """Return the table in Markdown, and a sentence on what it was measured with.

    before: the table that this takes the place of. Lines that have no numbers here keep those that
    they have there, with the sentence of their own.
    """
    rows, kept = [], 0
    for _, row in summary.iterrows():
        old = row_before(before, row["title"]) if row["status"] in (NOT_MEASURED, FAILED) else ""
        rows.append(old or row_of(row))
        kept += bool(old)
    text, about = HEAD + "".join(rows), sentence(summary)
    earlier = [line.removeprefix(EARLIER) for line in before.splitlines() if SENTENCE in line]
    if about:
        earlier = [EARLIER + line for line in earlier if line != about]
    return "\n".join([text, *([about] if about else []), *(earlier if kept else [])]) + "\n"


def row_before(text: str, title: str) -> str:
    """Return the line with numbers that a table has of a title, nothing if it has none."""
    for line in text.splitlines(keepends=True):
        named = line.startswith((f"| {title} |", f"| {title} ("))
        if named and "**" in line:
            return line
    return ""


def sentence(summary: pd.DataFrame) -> str:
    """Return what the lines with numbers were measured with, nothing if there are none."""
    measured = summary[summary["status"] == MEASURED]
    if measured.empty:
        return ""
    about = " and ".join(
        f"{processor}, {cores:g} cores"
        for processor, cores in measured[["processor", "cores"]].drop_duplicates().to_numpy()
    )
    fewest, most = (int(measured["pairs"].agg(end)) for end in ("min", "max"))
    pairs = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    versions = [
        " or ".join(dict.fromkeys(measured[f"{side}_versions"])) for side in ("nnunet", "slicewise")
    ]
    return (
        f"{SENTENCE}{pairs} pairs of runs by turns after a warm-up, smallest and largest ratio in "
        f"brackets; {about}. nnU-Net's environment: {versions[0]}; ours: {versions[1]}."
    )


def write(readme: Path, summary: pd.DataFrame) -> None:
    """Put the table in its place in the README; numbers there stay where there are no new ones.

    Raises ValueError if the place is not marked.
    """
    put(readme, BEGIN, END, lambda before: table(summary, before))


def put(readme: Path, begin: str, end: str, filled: Callable[[str], str]) -> None:
    """Fill the place between two comments of a file with what is made of what stands there.

    Raises ValueError if the place is not marked.
    """
    text = readme.read_text(encoding="utf-8")
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"{readme}: expected {begin} and {end} once each, around the table")
    before = re.search(f"{re.escape(begin)}.*{re.escape(end)}", text, re.DOTALL)[0]
    write_text(readme, text.replace(before, f"{begin}\n\n{filled(before)}\n{end}"))
