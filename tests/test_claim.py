"""The checklists."""

from dataclasses import replace

import pytest

import write_methods
from run_facts import gather_run
from slicewise import claim


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("claim")
    return gather_run(folder, cross_validation={"folds": 2, "run": [0]})


def answer(facts, number):
    (found,) = (item.answer for item in claim.claim(facts) if item.number == number)
    return found


def test_a_part_of_the_folds_is_no_cross_validation(facts, tmp_path):
    assert answer(facts, 19) == "hold-out of one of two folds"
    whole = gather_run(tmp_path, cross_validation={"folds": 2, "run": [0, 1]})
    assert answer(whole, 19) == "cross-validation"


def test_datasets_with_thicker_slices_come_from_others_not_from_the_authors(facts):
    own = facts.datasets["own"]
    thick = replace(own, name="thick", kind={"thicken": {"of": "own", "axis": 0, "factor": 2}})
    both = replace(facts, datasets={"own": own, "thick": thick})
    for number in (7, 14, 15, 16, 17):
        expected = f"thick: computed by slicewise from own; own: {claim.FILL_IN}"
        assert answer(both, number) == expected


def test_items_refer_to_paragraphs_that_are_there(facts):
    titles = {paragraph.title for paragraph in write_methods.paragraphs(facts)}
    assert {title for item in claim.claim(facts) for title in item.see} <= titles


def test_the_sample_is_what_was_held_out(facts):
    assert answer(facts, 21).startswith("held out: two cases of own;")


def test_what_no_run_can_know_is_left_to_the_authors(facts):
    left = {item.number for item in claim.claim(facts) if item.answer == claim.FILL_IN}
    assert {5, 11, 34, 36, 41, 44} <= left
    assert not {9, 19, 22, 25, 28, 29} & left


def test_metrics_reloaded_names_the_tolerance(facts):
    assert "1 mm" in claim.metrics_reloaded(facts)["boundary-based metric"]
