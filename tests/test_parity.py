"""The report of `make parity`; what it compares needs nnunetv2 and is not run here."""

import csv
import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from golden.datasets import save
from parity import inference, oracle, preprocessing, run
from parity.comparison import Comparison, exit_code, summary, write_table

GOOD, BAD = Comparison("images", 1e-5, 1e-3, "voxels"), Comparison("labels", 3, 0)


@pytest.mark.parametrize("largest", [0, 1e-3])
def test_a_difference_up_to_its_bound_is_within(largest):
    assert Comparison("images", largest, 1e-3).within


@pytest.mark.parametrize("largest", [1.001e-3, np.inf, np.nan])
def test_a_difference_above_its_bound_or_not_a_number_is_not(largest):
    assert not Comparison("images", largest, 1e-3).within


def test_a_line_says_name_difference_bound_and_verdict():
    assert GOOD.line().split() == ["ok", "images", "1e-05", "bound", "0.001", "voxels"]
    assert BAD.line().split() == ["OUT", "OF", "BOUND", "labels", "3", "bound", "0"]


def test_the_summary_counts():
    assert summary([GOOD, BAD, GOOD]) == "3 comparisons, 2 within bounds"


@pytest.mark.parametrize(("rows", "code"), [([GOOD], 0), ([GOOD, BAD], 1), ([], 1)])
def test_the_exit_code_is_zero_only_where_all_are_within(rows, code):
    assert exit_code(rows) == code


def test_the_table_has_a_row_for_each_comparison(tmp_path):
    write_table(tmp_path / "new" / "parity.csv", [GOOD, BAD])
    with (tmp_path / "new" / "parity.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["images", "labels"]
    assert [row["within"] for row in rows] == ["True", "False"]
    assert float(rows[0]["largest"]) == GOOD.largest


@pytest.mark.parametrize("name", run.MODULES)
def test_every_module_can_compare(name):
    assert callable(importlib.import_module(f"parity.{name}").compare)


def answer(monkeypatch, rows):
    """Let the comparisons of the module `inference` be these rows."""

    def compare(python, folder, data):
        assert folder.is_dir()
        if isinstance(rows, Exception):
            raise rows
        return rows

    monkeypatch.setattr(inference, "compare", compare)


@pytest.mark.parametrize(("rows", "code"), [([GOOD], 0), ([GOOD, BAD], 1), (RuntimeError("x"), 1)])
def test_the_program_ends_with_the_exit_code(rows, code, monkeypatch, tmp_path, capsys):
    answer(monkeypatch, rows)
    table = tmp_path / "parity.csv"
    assert run.main(["--nnunet", "python", "--table", str(table), "inference"]) == code
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1].endswith(" within bounds")
    assert len(printed) == len(table.read_text().splitlines())


def test_a_module_that_breaks_down_is_named_and_out_of_bound(monkeypatch, tmp_path, capsys):
    answer(monkeypatch, RuntimeError("nnunetv2 is not there"))
    run.main(["--nnunet", "python", "--table", str(tmp_path / "parity.csv"), "inference"])
    printed = capsys.readouterr()
    assert "inference: failed" in printed.out
    assert "OUT OF BOUND" in printed.out
    assert "nnunetv2 is not there" in printed.err


def test_an_unknown_module_is_refused(capsys):
    with pytest.raises(SystemExit):
        run.main(["--nnunet", "python", "elsewhere"])
    assert "found elsewhere, expected of preprocessing, " in capsys.readouterr().err


def test_what_a_failed_oracle_printed_is_shown(tmp_path):
    with pytest.raises(RuntimeError, match=r"parity\.nowhere"):
        oracle.run(Path(sys.executable), "nowhere", tmp_path)


@pytest.mark.parametrize(
    ("ours", "theirs", "count"),
    [
        ({"a": [1, 2]}, {"a": [1, 2]}, 0),
        ({"a": [1, 2]}, {"a": [1, 3]}, 1),
        ({"a": [1, 2]}, {"a": [1]}, 1),
        ({"a": 1, "b": 2}, {"a": 1, "c": 2}, 2),
        ({"a": 1}, {"a": 1.0}, 1),
        ({"a": {"b": None}}, {"a": {"b": False}}, 1),
    ],
)
def test_values_of_json_that_differ_are_counted(ours, theirs, count):
    assert preprocessing.differing(json.loads(json.dumps(ours)), theirs) == count


def test_statistics_are_compared_whatever_their_order():
    ours, theirs = {"0": {"mean": 2.0, "std": 1.0}}, {"0": {"std": 1.0, "mean": 2.5}}
    assert preprocessing.relative_difference(ours, theirs) == pytest.approx(0.2)


def test_missing_statistics_are_out_of_any_bound():
    assert preprocessing.relative_difference({"0": {"mean": 1.0}}, {"0": {}}) == np.inf


@pytest.fixture
def files(tmp_path):
    """Return three segmentations: one, one with a voxel more, and one on another grid."""
    voxels = np.zeros((2, 5, 5), np.uint8)
    more = voxels.copy()
    more[0, 0, 0] = 1
    save(tmp_path / "one.nii.gz", voxels, np.eye(4))
    save(tmp_path / "more.nii.gz", more, np.eye(4))
    save(tmp_path / "moved.nii.gz", voxels, np.diag([1, 1, 2, 1]))
    return tmp_path


@pytest.mark.parametrize(("other", "share"), [("one", 0), ("more", 0.02), ("moved", np.inf)])
def test_segmentations_differ_in_a_share_of_their_voxels(files, other, share):
    found = inference.disagreement(files / "one.nii.gz", files / f"{other}.nii.gz")
    assert found == pytest.approx(share)
