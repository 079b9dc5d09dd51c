"""Trainings that are killed end with the bytes of those that are not."""

from itertools import cycle

import pytest

from faults import training_kills
from faults.training_kills import MOMENTS, RANDOM_TIME, kills, make_trainings, terms


@pytest.fixture(scope="module")
def trainings(tmp_path_factory):
    return make_trainings(tmp_path_factory.mktemp("kills"), seed=3)


def test_a_training_that_is_killed_again_and_again_ends_with_the_same_bytes(trainings, tmp_path):
    chosen = ("inside a checkpoint", "when the weights changed")
    places = [RANDOM_TIME, *(moment for moment in MOMENTS if moment.words in chosen)]
    figure = kills(trainings, cycle(places), 3, tmp_path)
    assert figure.holds, figure.line()


def test_a_training_that_is_told_to_end_goes_on_to_the_same_bytes(trainings, tmp_path):
    figure = terms(trainings, 1, tmp_path)
    assert figure.holds, figure.line()


def test_bytes_that_differ_are_a_broken_promise(trainings, tmp_path, monkeypatch):
    monkeypatch.setattr(trainings, "expected", trainings.expected | {"history.csv": b"other"})
    figure = kills(trainings, cycle([RANDOM_TIME]), 1, tmp_path)
    assert (figure.kept, figure.tried) == (0, 1)
    assert "history.csv differ" in figure.note


def test_every_moment_is_one_of_a_function_that_is_there():
    for moment in training_kills.MOMENTS:
        owner = training_kills.import_module(moment.module)
        for part in moment.function.split("."):
            owner = getattr(owner, part)
        assert callable(owner)
