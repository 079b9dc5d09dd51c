"""The checklists."""

import pytest

import write_methods
from run_facts import write_run
from slicewise import claim
from slicewise.files import read_json


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    arguments = write_run(
        tmp_path_factory.mktemp("claim"), cross_validation={"folds": 2, "run": [0]}
    )
    files = ("dataset_json", "spacing", "orientation", "validation", "splits")
    return write_methods.gather(
        read_json(arguments["provenance"]),
        arguments["datasets"],
        arguments["given_splits"],
        {kind: arguments[kind] for kind in files},
        dict(zip(arguments["planned"], arguments["plans"], strict=True)),
        dict(zip(arguments["decided"], arguments["postprocessing"], strict=True)),
    )


def test_items_refer_to_paragraphs_that_are_there(facts):
    titles = {paragraph.title for paragraph in write_methods.paragraphs(facts)}
    assert {title for item in claim.claim(facts) for title in item.see} <= titles


def test_the_sample_is_what_was_held_out(facts):
    (sample,) = (item for item in claim.claim(facts) if item.number == 21)
    assert sample.answer.startswith("held out: two cases of own;")


def test_what_no_run_can_know_is_left_to_the_authors(facts):
    left = {item.number for item in claim.claim(facts) if item.answer == claim.FILL_IN}
    assert {5, 11, 34, 36, 40, 44} <= left
    assert not {9, 19, 22, 25, 28, 29} & left


def test_metrics_reloaded_names_the_tolerance(facts):
    assert "1 mm" in claim.metrics_reloaded(facts)["boundary-based metric"]
