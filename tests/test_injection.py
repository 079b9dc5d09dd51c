"""Names and texts of a dataset end as what they are: in tables, figures, reports and commands."""

import ast
import re
import subprocess

import pytest

from slicewise.case_names import name_problems
from slicewise.files import atomic, write_text
from slicewise.labels import parse_labels
from slicewise.problems import BadInput
from slicewise.runs import predict_command

FORMULAS = ["=cmd|'/C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "a\n=1", "a;=1", "a, -1"]
"""Texts that a spreadsheet runs when it opens a table with them, each by itself or in a part."""


@pytest.mark.parametrize("name", FORMULAS)
def test_a_label_is_no_formula_in_a_spreadsheet(name):
    with pytest.raises(BadInput, match="which a spreadsheet runs as a formula"):
        parse_labels({"background": 0, name: 1})


@pytest.mark.parametrize("name", ["ET+NET", "T2-FLAIR", "left (>50%)", "a=b", "a, b", "Ä@home"])
def test_a_label_may_hold_what_is_no_formula(name):
    assert list(parse_labels({"background": 0, name: 1}).classes) == [name]


@pytest.mark.parametrize("name", ["=1", "+1", "-1", "@a"])
def test_a_case_is_no_formula_in_a_spreadsheet(name):
    (problem,) = name_problems("dataset.json", [name])
    assert f"starts with {name[0]}" in problem.found


HOSTILE = ["$(touch ran)", "`touch ran`", "'; touch ran; '", '"; touch ran; "', "a\ntouch ran", "*"]


@pytest.mark.parametrize("text", HOSTILE)
def test_the_command_that_is_told_runs_nothing_else(tmp_path, text):
    """Users paste it into a shell; paths and values of their config are in it."""
    command = predict_command(f"results/{text}", [tmp_path / text], {"datasets": {"a": text}})
    said = subprocess.run(
        ["sh", "-c", command.replace("snakemake", "printf '%s\\0'", 1)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    words = said.stdout.split("\0")
    assert f"results/{text}" in words
    assert str(tmp_path / text) in words
    assert list(tmp_path.iterdir()) == []


QUOTED = {
    *("wildcards.dataset", "wildcards.source", "wildcards.study", "config"),
    *("params.datasets", "params.experiments", "params.reference", "params.confidence"),
    *("params.resamples", "params.bins", "params.cases", "params.runs", "input.made"),
    *("params.margin_mm", "params.image_edge", "params.page_mb"),
}
"""What captions take over: names that the config's schema has checked, numbers, and lists that they
count. A caption is a template, so the name of a label or a case could become markup in it."""


def test_captions_quote_no_name_from_a_dataset(root):
    for path in (root / "workflow/report").glob("*.rst"):
        text = path.read_text(encoding="utf-8")
        found = set(
            re.findall(r"snakemake[.]((?:wildcards|params|input|output)[.][a-z_]+|config)", text)
        )
        assert found <= QUOTED, path
        assert re.findall(r"(?:params[.]cases|input[.]made)(?! \| length)", text) == [], path
        assert "| safe" not in text, path


OWN_VARIABLES = {
    "locks.py": "a run names itself to its jobs",
    "device.py": "set for cuBLAS",
    "launch.py": "torchrun tells each rank its number; set for where ranks listen",
}
"""Which files use the environment, and what for."""


def test_no_setting_is_taken_from_the_environment(root):
    """What a run does, its config says: nothing that another program sets changes it."""
    using = set()
    for path in (root / "workflow/scripts").rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        named = {getattr(node, "attr", getattr(node, "id", "")) for node in nodes}
        if named & {"environ", "environb", "getenv", "putenv"}:
            using.add(path.name)
    assert using == set(OWN_VARIABLES)


def test_a_link_in_the_place_of_a_result_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "results.csv").symlink_to(tmp_path / "mine")
    write_text(tmp_path / "results.csv", "theirs")
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "results.csv").is_symlink()


def test_results_may_lie_behind_a_link(tmp_path):
    """A folder of results on another disk is the user's choice; files are written beside theirs."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "disk")
    with atomic(tmp_path / "results" / "a.txt") as temporary:
        temporary.write_text("a")
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["a.txt"]
