"""Threats of tests/faults/threats.py in a short form; test_archives.py tries hostile archives."""

from faults import threats
from hostile_archives import tar_of


def test_damaged_archives_are_refused_or_stay_within_their_folder(tmp_path):
    figure = threats.damaged_archives(tmp_path / "a", 150)
    assert figure.holds, figure.line()


def test_wrong_downloads_leave_nothing(tmp_path):
    figure = threats.wrong_downloads(tmp_path / "a")
    assert figure.holds, figure.line()


def test_hostile_names_are_refused(tmp_path):
    figure = threats.hostile_names(tmp_path / "a")
    assert figure.holds, figure.line()


def test_a_run_stops_at_a_hostile_archive(tmp_path):
    figure = threats.through_snakemake(tmp_path / "a", 1)
    assert figure.holds, figure.line()


def test_what_is_let_through_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(threats, "TRIES", {"harmless": lambda path: tar_of(path, "a")})
    figure = threats.hostile_archives(tmp_path)
    assert (figure.kept, figure.tried, figure.note) == (0, 1, "first not refused: harmless")
