"""What the methods say of studies, of their tests and of what they cannot tell."""

from dataclasses import replace

import pytest

from run_facts import gather_run
from slicewise.methods_data import data
from slicewise.methods_partitions import held_out_of
from slicewise.methods_scores import evaluation, statistics
from slicewise.methods_studies import limits

EXPERIMENTS = {
    "coarsest": {},
    "finest": {"planning": {"slice_axis": "finest"}},
    "half": {"planning": {"patch_scale": 0.5}},
}


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    """A run whose datasets are called own and thick, as if the slices of thick were made of own."""
    folder = tmp_path_factory.mktemp("studies")
    raw = {"raw": str(folder / "raw")}
    found = gather_run(
        folder,
        datasets={"own": raw, "thick": raw},
        experiments=EXPERIMENTS,
        cross_validation={"folds": 2, "run": [0]},
    )
    thick = replace(
        found.datasets["thick"], kind={"thicken": {"of": "own", "axis": 0, "factor": 2}}
    )
    return replace(found, datasets={"own": found.datasets["own"], "thick": thick})


def of_study(facts, **study):
    """Return the facts with one study, of the dataset own."""
    whole = {"datasets": ["own"], "reference": "coarsest", "folds": [0], "seeds": [0]}
    return replace(facts, config=facts.config | {"studies": {"one": whole | study}})


def said(paragraph):
    return " ".join(paragraph.sentences)


def test_thick_slices_are_scored_on_the_thin_ones_below_a_ceiling(facts):
    text = said(evaluation(facts))
    assert "Those of thick were scored on the thin slices of own" in text
    assert "a bound in practice, not in theory" in text
    own = replace(facts, datasets={"own": facts.datasets["own"]})
    assert "thin slices" not in said(evaluation(own))


def test_datasets_with_thicker_slices_are_named(facts):
    text = said(data(facts))
    assert text.count("One dataset was used, and one dataset made from own.") == 1
    assert (
        "The dataset thick held the scans of own with voxels made 2 times as long along z" in text
    )


def test_slices_count_that_show_the_class(facts):
    assert "the slices that truly show it, averaged within each case" in said(evaluation(facts))


@pytest.mark.parametrize(
    ("kind", "family"),
    [
        ("comparison", "of one metric and level"),
        ("anisotropy", "over all thicknesses along all axes"),
        ("patch_size", "the sizes of structures"),
    ],
)
def test_each_kind_of_study_has_its_family_of_tests(facts, kind, family):
    text = said(statistics(of_study(facts, kind=kind, experiments=["coarsest", "finest"])))
    assert family in text
    assert sum(word in text for word in ("in a comparison", "thicker", "smaller patches")) == 1


def test_tests_hold_for_what_was_trained_alone(facts):
    text = said(statistics(of_study(facts, kind="comparison", experiments=["coarsest"])))
    assert "for the networks that were trained and for this division into folds" in text
    assert "Holm" not in text


def test_what_differs_beside_the_axis_is_what_the_plans_say(facts):
    one, two = (facts.plans["own", name] for name in ("coarsest", "finest"))
    assert one.spacing != two.spacing
    assert "in the pixels" in said(limits(facts))
    alone = replace(facts, plans={("own", "coarsest"): one})
    assert "axes" not in said(limits(alone))
    cut = replace(facts, plans=alone.plans | {("own", "half"): replace(one, patch_size=(8, 8))})
    assert "axes" not in said(limits(cut))


def test_patches_differ_in_no_more_than_their_plans(facts):
    study = of_study(facts, kind="patch_size", experiments=["coarsest", "half"])
    whole = facts.plans["own", "coarsest"]
    plans = {("own", name): replace(whole, patch_size=(8, 8)) for name in ("coarsest", "half")}
    assert "smaller patches" not in said(limits(replace(study, plans=plans)))
    plans["own", "half"] = replace(whole, batch_size=1 + whole.batch_size)
    assert "smaller patches also differ in the batch:" in said(limits(replace(study, plans=plans)))


def test_a_plane_and_a_thickness_are_said_to_go_together(facts):
    study = of_study(facts, kind="anisotropy", experiments=["coarsest", "finest"])
    assert "anatomical plane as well as in the thickness" in said(limits(study))


@pytest.mark.parametrize(
    ("ran", "folds", "words"),
    [
        (5, 5, "cross-validation"),
        (1, 5, "hold-out of one of five folds"),
        (3, 10, "hold-out of three of 10 folds"),
        (1, 1, "hold-out"),
    ],
)
def test_only_all_folds_are_a_cross_validation(ran, folds, words):
    assert held_out_of(ran, folds) == words


def test_many_datasets_with_thicker_slices_are_named_by_the_first_and_the_last(facts):
    thick = {f"thick_{i}": facts.datasets["thick"] for i in range(6)}
    many = replace(facts, datasets={"own": facts.datasets["own"]} | thick)
    assert many.named(["own", *thick]) == "own and thick_0 to thick_5"
    assert many.named(["own", "thick_0", "thick_5"]) == "own, thick_0 and thick_5"
    assert facts.named(["own", "thick"]) == "own and thick"
