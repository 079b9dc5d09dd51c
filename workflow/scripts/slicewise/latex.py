"""Tables as LaTeX in the manner of booktabs, ready to paste: text escaped, numbers rounded."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

import pandas as pd

from slicewise.files import write_text

MISSING = "--"
"""What stands where a number does not exist: a dash."""

ROWS_ON_A_PAGE = 45
"""Rows beyond which a table goes over several pages, as a longtable."""

SIZE = r"\footnotesize\setlength{\tabcolsep}{3pt}"
"""How every table is set: with intervals in it, most are too wide for A4 with margins of 25 mm in
larger type, and a paper's tables should look alike."""

SMALLEST_P = 0.001
"""p values below are given as such (APA's Publication Manual, 7th edition, section 6.36)."""

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "−": "$-$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "·": r"$\cdot$",
    "²": r"\textsuperscript{2}",
    "³": r"\textsuperscript{3}",
    "°": r"$^\circ$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "→": r"$\rightarrow$",
    "τ": r"$\tau$",
    "µ": r"$\mu$",
    "–": "--",
    "…": r"\ldots{}",
}
"""Characters that LaTeX takes for commands, that its default font lacks or that need its maths."""


@dataclass(frozen=True)
class Column:
    """What stands in a column: names of columns of the data frame, and how its numbers look.

    names: one name, or three: an estimate and the ends of its interval; digits: behind the point
    (whole numbers have none); signed: with a plus before positive numbers; p: the numbers are p
    values, the smallest given as < 0.001; percent: numbers are shares, printed times 100.
    """

    names: str | tuple[str, str, str]
    digits: int = 3
    signed: bool = False
    p: bool = False
    percent: bool = False


def write_latex(
    path: str | Path,
    rows: pd.DataFrame,
    columns: Mapping[str, str | tuple[str, str, str] | Column],
    caption: str,
    label: str,
    *,
    groups: Sequence[str] = (),
) -> None:
    r"""Write rows as a LaTeX table with the packages booktabs, and longtable if it fills pages.

    columns: heading -> the column of `rows` that stands under it, or three of them (mean, low and
    high, printed as mean [low, high]), or a Column that says more. groups: columns of `rows`, by
    name, whose equal neighbours are printed once; where the first of them changes there is a line,
    and if it is none of `columns`, what it holds stands above its rows, across the table.
    Caption and headings are plain text; the caption should say what n is. label: what \ref takes,
    for example tab:phantom_comparison. Letters of other scripts are left as they are, for XeLaTeX
    or LuaLaTeX. Raises KeyError for a column that `rows` does not have.
    """
    write_text(path, latex(rows, columns, caption, label, groups=groups))


def latex(
    rows: pd.DataFrame,
    columns: Mapping[str, str | tuple[str, str, str] | Column],
    caption: str,
    label: str,
    *,
    groups: Sequence[str] = (),
) -> str:
    """Return the text of `write_latex`."""
    given = {heading: _column(column) for heading, column in columns.items()}
    cells = pd.DataFrame(
        {heading: _cells(rows, column) for heading, column in given.items()}, index=rows.index
    )
    for heading, column in given.items():
        if column.names in groups:
            keys = list(groups)[: list(groups).index(column.names) + 1]
            repeated = (rows[keys] == rows[keys].shift()).all(axis=1)
            cells[heading] = cells[heading].mask(repeated, "")
    begins = rows[groups[0]] != rows[groups[0]].shift() if groups else [False] * len(rows)
    above = bool(groups) and groups[0] not in [column.names for column in given.values()]
    lines = []
    for place, (line, begin) in enumerate(zip(cells.itertuples(index=False), begins, strict=True)):
        lines += [r"\midrule"] if begin and place else []
        if begin and above:
            name = escape(str(rows[groups[0]].iloc[place]))
            lines.append(rf"\multicolumn{{{len(given)}}}{{@{{}}l}}{{\emph{{{name}}}}} \\")
        # Behind the end of a row LaTeX takes a bracket or a star for a part of that end.
        guard = "{}" if line[0].startswith(("[", "*")) else ""
        lines.append(guard + " & ".join(line) + r" \\")
    head = [
        r"\toprule",
        " & ".join(map(escape, given)) + r" \\",
        r"\midrule",
    ]
    kinds = "".join("l" if _is_text(rows, column) else "r" for column in given.values())
    titles = [rf"\caption{{{escape(caption)}}}", rf"\label{{{_label(label)}}}"]
    frame = _pages if len(rows) > ROWS_ON_A_PAGE else _float
    return "\n".join(frame(titles, rf"@{{}}{kinds}@{{}}", head, lines)) + "\n"


def _float(titles: list[str], kinds: str, head: list[str], lines: list[str]) -> list[str]:
    """Return the lines of a table that floats to the top or the bottom of a page."""
    return [
        r"% \usepackage{booktabs}",
        r"\begin{table}[tb]",
        r"\centering",
        *titles,
        SIZE,
        rf"\begin{{tabular}}{{{kinds}}}",
        *head,
        *lines,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


def _pages(titles: list[str], kinds: str, head: list[str], lines: list[str]) -> list[str]:
    """Return the lines of a table that goes on over pages, its head repeated on each."""
    return [
        r"% \usepackage{booktabs,longtable}",
        rf"\begingroup{SIZE}\setlength{{\LTcapwidth}}{{\linewidth}}",
        rf"\begin{{longtable}}{{{kinds}}}",
        "".join(titles) + r"\\",
        *head,
        r"\endfirsthead",
        *head,
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
        *lines,
        r"\end{longtable}",
        r"\endgroup",
    ]


def escape(text: str) -> str:
    """Return plain text so that LaTeX prints it; what cannot be seen becomes a space."""
    return "".join(SPECIAL.get(c, c if c.isprintable() else " ") for c in text)


def number(value: float, column: Column) -> str:
    """Return a number in the digits of its column, with the minus sign of mathematics."""
    if pd.isna(value):
        return MISSING
    if column.p and value < SMALLEST_P:
        return f"$<${SMALLEST_P:g}"
    value = 100 * value if column.percent else value
    if math.isinf(value):
        return r"$-\infty$" if value < 0 else r"$\infty$"
    digits = 0 if isinstance(value, Integral) else column.digits
    # "z": what rounds to zero has no sign.
    text = f"{value:{'+' if column.signed else ''}z,.{digits}f}".replace(",", "{,}")
    return f"${text[0]}${text[1:]}" if text[0] in "+-" else text


def _column(given: str | tuple[str, str, str] | Column) -> Column:
    """Return what a caller says of a column as a Column."""
    return given if isinstance(given, Column) else Column(given)


def _is_text(rows: pd.DataFrame, column: Column) -> bool:
    """Say whether a column holds anything but numbers."""
    one = isinstance(column.names, str)
    return one and not pd.api.types.is_numeric_dtype(rows[column.names])


def _cells(rows: pd.DataFrame, column: Column) -> list[str]:
    """Return what stands in the rows of a column."""
    if _is_text(rows, column):
        return [MISSING if pd.isna(text) else escape(str(text)) for text in rows[column.names]]
    if isinstance(column.names, str):
        return [number(value, column) for value in rows[column.names]]
    return [
        number(mean, column)
        + ("" if pd.isna(low) else f" [{number(low, column)}, {number(high, column)}]")
        for mean, low, high in zip(*(rows[name] for name in column.names), strict=True)
    ]


def _label(text: str) -> str:
    r"""Return a name for \ref, of letters, digits and signs that mean nothing to LaTeX."""
    return re.sub(r"[^A-Za-z0-9:._-]", "-", text)
