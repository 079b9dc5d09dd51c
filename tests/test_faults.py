"""How faults are counted; what they break is tested in the files named for it."""

import pytest

import promises
from faults.figures import Figure


def test_a_promise_holds_only_if_it_was_kept_each_time_it_was_tried():
    assert Figure("kept", 3, 3, "kills").holds
    assert not Figure("broken once", 2, 3, "kills").holds
    assert not Figure("never tried", 0, 0, "kills").holds


def test_a_line_says_what_was_promised_and_how_often_it_was_kept():
    figure = Figure("a killed training goes on", 19, 20, "kills", "seed 7")
    said = "FAILED a killed training goes on: 19 of 20 kills (seed 7)"
    assert figure.line() == said


def test_a_broken_promise_is_a_failure_of_the_run(tmp_path, monkeypatch, capsys):
    found = {"x.one": [Figure("a", 2, 2, "runs")], "x.two": [Figure("b", 1, 2, "runs")]}
    monkeypatch.setattr(promises, "run_module", found.get)
    table = tmp_path / "x.csv"
    assert promises.main("x", ("one", "two"), "", ["--table", str(table), "one"]) == 0
    assert promises.main("x", ("one", "two"), "", ["--table", str(table)]) == 1
    assert "1 of 2 promises kept" in capsys.readouterr().out
    assert table.read_text().splitlines() == [
        "promise,kept,tried,unit,note",
        "a,2,2,runs,",
        "b,1,2,runs,",
    ]


def test_a_run_in_which_nothing_was_tried_is_a_failure(tmp_path, monkeypatch):
    """Some faults need rights that not every user has."""
    monkeypatch.setattr(promises, "run_module", lambda _name: [])
    assert promises.main("x", ("one",), "", ["--table", str(tmp_path / "x.csv")]) == 1


def test_a_module_that_breaks_down_is_a_broken_promise(monkeypatch):
    def broken(_name):
        raise RuntimeError("on purpose")

    monkeypatch.setattr(promises, "import_module", broken)
    (figure,) = promises.run_module("x.anything")
    assert not figure.holds


def test_an_unknown_module_is_refused(capsys):
    with pytest.raises(SystemExit):
        promises.main("x", ("one",), "", ["nothing"])
    assert "found nothing" in capsys.readouterr().err
