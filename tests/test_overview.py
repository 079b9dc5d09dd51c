"""What a run says of itself before it begins."""

import pytest

from models import PLAIN
from slicewise import config, inputs, overview
from slicewise.unpacked import Datasets

HEARTS = {"hearts": {"phantom": {"cases": 24}}}
THEIRS = {"model": {"nnunet": str(PLAIN.folder), "configuration": PLAIN.configuration}}


def lines(module=None, **given):
    filled = config.load({"datasets": HEARTS, "experiments": {"a": {}, "b": {}}, **given})
    datasets = Datasets(filled, inputs.open_inputs(filled), pytest.fail)
    return [
        " ".join(line.split()) for line in overview.of_run(module, filled, datasets).split("\n")
    ]


def test_datasets_experiments_networks_and_the_place_of_results_are_named():
    assert lines(results="out", ensembles={"both": ["a", "b"]}) == [
        "slicewise",
        "datasets: hearts (24 cases)",
        "experiments: a, b",
        "ensembles: both of a and b",
        "networks: 10, of 1 dataset, 2 experiments, 5 of 5 folds, 1 seed; "
        "epochs: 1,000, iterations in each: 250",
        "results: out",
    ]


def test_networks_are_counted_over_datasets_experiments_folds_and_seeds():
    both = HEARTS | {"more": {"phantom": {"cases": 6}}}
    folds = {"folds": 5, "run": [0, 1], "seeds": [0, 1, 2]}
    said = lines(datasets=both, cross_validation=folds)
    assert "datasets: hearts (24 cases), more (6 cases)" in said
    assert "networks: 24, of 2 datasets, 2 experiments, 2 of 5 folds, 3 seeds;" in said[3]


def test_a_network_that_is_brought_in_is_not_trained():
    run = {"folds": 5, "run": [0]}
    assert lines(experiments={"theirs": THEIRS}, cross_validation=run)[3] == (
        "networks: none to train"
    )
    mixed = lines(experiments={"theirs": THEIRS, "own": {}}, cross_validation=run)
    assert mixed[3].startswith("networks: 1, of 1 dataset, 1 experiment, 1 of 5 folds, 1 seed;")


def test_experiments_that_train_for_other_times_give_a_range():
    said = lines(experiments={"a": {"training": {"epochs": 5}}, "b": {}})
    assert said[3].endswith("epochs: 5 to 1,000, iterations in each: 250")


def test_an_archive_is_not_unpacked_to_count_its_cases():
    spleen = {"archive": "https://example.org/a.tar", "sha256": "0" * 64}
    assert lines(datasets={"spleen": spleen})[1] == "datasets: spleen (an archive)"


def test_nor_to_count_those_with_thick_slices_of_its_scans():
    spleen = {"archive": "https://example.org/a.tar", "sha256": "0" * 64}
    thick = {"thicken": {"of": "spleen", "axis": 0, "factor": 2}}
    said = lines(datasets={"spleen": spleen, "thick": thick})
    assert said[1] == "datasets: spleen (an archive), 1 of spleen thickened"


def test_a_module_says_by_which_name_it_was_taken_in():
    assert lines("cardiac")[0] == "slicewise, as the module cardiac"


def test_studies_are_listed_and_their_networks_counted_once():
    both = HEARTS | {"more": {"phantom": {"cases": 6}}, "rest": {"phantom": {"cases": 6}}}
    asked = {
        "wide": {"datasets": ["hearts"], "folds": [0, 1], "seeds": [0, 1]},
        "narrow": {"datasets": ["hearts", "more"], "experiments": ["b"], "folds": [1, 2]},
        "memory": {"kind": "reading", "datasets": ["hearts", "more"], "experiments": ["a"]},
    }
    said = lines(datasets=both, studies=asked)
    assert said[1:3] == [
        "datasets: hearts (24 cases), more (6 cases)",
        "in no study: rest (6 cases)",
    ]
    assert said[4] == (
        "studies: wide (comparison of 2 experiments on 1 dataset), narrow (comparison of 1 "
        "experiment on 2 datasets), memory (reading of 1 experiment on 2 datasets)"
    )
    # a: 4 on hearts; b: 4 and fold 2 there, folds 1 and 2 on the other.
    assert said[5].startswith("networks: 11, of 2 datasets, 2 experiments, 3 of 5 folds, 2 seeds;")


def test_what_is_left_out_and_a_quick_run_are_told():
    given = {"datasets": HEARTS, "quick": "true", "when_quick": {"training": {"epochs": 3}}}
    filled = config.load(given)
    datasets = Datasets(filled, inputs.open_inputs(filled), pytest.fail)
    said = overview.of_run(None, filled, datasets, {"real": "data/Real"})
    assert [" ".join(line.split()) for line in said.split("\n")][1:4] == [
        "quick: as when_quick says",
        "datasets: hearts (24 cases)",
        "left out: real, as there is no folder data/Real",
    ]
    assert "epochs: 3, iterations" in said


def test_many_thicknesses_of_the_same_scans_are_told_by_their_number():
    thick = {"thicken": {"of": "hearts", "axis": [0, 2], "factor": [2, 3, 4]}}
    said = lines(datasets=HEARTS | {"thick": thick})
    assert said[1] == "datasets: hearts (24 cases), 6 of hearts thickened"
    asked = {"s": {"datasets": ["hearts", "thick_0x2"]}}
    said = lines(datasets=HEARTS | {"thick": thick}, studies=asked)
    assert said[1:3] == [
        "datasets: hearts (24 cases), 1 of hearts thickened",
        "in no study: 5 of hearts thickened",
    ]
