"""Tables as LaTeX: what LaTeX would take for commands, numbers, groups, pages; and LaTeX itself."""

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from slicewise.latex import ROWS_ON_A_PAGE, Column, escape, latex, number, write_latex

ROWS = pd.DataFrame(
    {
        "class": ["left_ventricle", "R&D {50 %}"],
        "cases": [10, 1200],
        "difference": [-0.15849, np.nan],
        "low": [-0.197, np.nan],
        "high": [0.00004, np.nan],
        "p": [0.0004, 0.2],
    }
)
COLUMNS = {
    "class": "class",
    "n": "cases",
    "difference": ("difference", "low", "high"),
    "p": Column("p", p=True),
}


def body(rows, columns, **more):
    """Return the lines between the head and the end of a table."""
    lines = latex(rows, columns, "", "tab:x", **more).splitlines()
    return lines[lines.index(r"\midrule") + 1 : lines.index(r"\bottomrule")]


def test_numbers_stand_with_their_interval_and_a_minus_of_mathematics():
    first, second = body(ROWS, COLUMNS)
    assert first == (r"left\_ventricle & 10 & $-$0.158 [$-$0.197, 0.000] & $<$0.001 \\")
    assert second == r"R\&D \{50 \%\} & 1{,}200 & -- & 0.200 \\"


@pytest.mark.parametrize(
    ("value", "column", "text"),
    [
        (-0.00001, Column("x"), "0.000"),
        (0.25, Column("x", signed=True), "$+$0.250"),
        (0.125, Column("x", digits=1, percent=True), "12.5"),
        (np.int64(3), Column("x"), "3"),
        (2.0, Column("x", digits=0), "2"),
        (np.inf, Column("x"), r"$\infty$"),
        (0.0012, Column("x", p=True), "0.001"),
        (np.nan, Column("x", p=True), "--"),
    ],
)
def test_numbers_look_as_their_column_says(value, column, text):
    assert number(value, column) == text


def test_a_mean_without_interval_stands_alone():
    rows = ROWS.assign(low=np.nan, high=np.nan)
    assert body(rows, {"difference": ("difference", "low", "high")})[0] == r"$-$0.158 \\"


def test_names_are_text_and_never_commands():
    assert escape(r"\input{x}$^_~#&%" + "\n") == (
        r"\textbackslash{}input\{x\}\$\textasciicircum{}\_\textasciitilde{}\#\&\% "
    )


def test_numbers_are_aligned_to_the_right_and_text_to_the_left():
    assert r"\begin{tabular}{@{}lrrr@{}}" in latex(ROWS, COLUMNS, "", "tab:x")


def test_caption_and_label_are_there():
    text = latex(ROWS, COLUMNS, "100 % of n = 10", "tab:my data_1")
    assert r"\caption{100 \% of n = 10}" in text
    assert r"\label{tab:my-data_1}" in text


def test_equal_neighbours_of_a_group_are_printed_once():
    rows = pd.DataFrame(
        {"level": ["case", "case", "slice"], "name": ["a", "a", "a"], "x": [1, 2, 3]}
    )
    columns = {"level": "level", "name": "name", "x": "x"}
    assert body(rows, columns, groups=["level", "name"]) == [
        r"case & a & 1 \\",
        r" &  & 2 \\",
        r"\midrule",
        r"slice & a & 3 \\",
    ]


def test_a_group_that_is_no_column_stands_above_its_rows():
    rows = pd.DataFrame({"score": ["Dice", "Dice", "HD_95"], "x": [1, 2, 3]})
    assert body(rows, {"x": "x"}, groups=["score"]) == [
        r"\multicolumn{1}{@{}l}{\emph{Dice}} \\",
        r"1 \\",
        r"2 \\",
        r"\midrule",
        r"\multicolumn{1}{@{}l}{\emph{HD\_95}} \\",
        r"3 \\",
    ]


def test_a_table_longer_than_a_page_goes_on_with_its_head():
    rows = pd.concat([ROWS] * ROWS_ON_A_PAGE, ignore_index=True)
    text = latex(rows, COLUMNS, "", "tab:x")
    assert text.count(r"\toprule") == 2
    assert r"\begin{longtable}" in text
    assert r"\begin{table}" not in text


def test_a_missing_column_is_named():
    with pytest.raises(KeyError, match="median"):
        latex(ROWS, {"median": "median"}, "", "tab:x")


def test_two_runs_write_the_same_bytes(tmp_path):
    for name in ("a.tex", "b.tex"):
        write_latex(tmp_path / name, ROWS, COLUMNS, "n = 10", "tab:x")
    assert (tmp_path / "a.tex").read_bytes() == (tmp_path / "b.tex").read_bytes()


def typeset(folder, text):
    """Set a table on A4 with margins of 25 mm; return what LaTeX says of it."""
    head = r"\documentclass[a4paper]{article}\usepackage[margin=25mm]{geometry}"
    head += r"\usepackage{booktabs,longtable}\begin{document}"
    (folder / "table.tex").write_text(f"{head}\n{text}\\end{{document}}\n")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
@pytest.mark.parametrize("times", [1, ROWS_ON_A_PAGE])
def test_latex_typesets_every_character(tmp_path, times):
    """Every escaped character, a table that floats and one over pages."""
    odd = "".join(chr(c) for c in range(32, 127)) + "−×±·²³°≤≥≈→τµ–…é"
    rows = pd.concat([ROWS.assign(odd=odd[:60]), ROWS.assign(odd=odd[60:])] * times)
    rows["class"] = ["[1]", "*", *rows["class"][2:]]
    typeset(tmp_path, latex(rows, {**COLUMNS, odd: "odd"}, odd, "tab:x", groups=["class"]))
