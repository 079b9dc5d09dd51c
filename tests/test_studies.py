"""What the studies of a config ask for, and the config's own words for them."""

import re

import pytest
import yaml

from slicewise import config, studies

PHANTOMS = {name: {"phantom": {"cases": 10}} for name in ("a", "b")}
BASE = {
    "datasets": PHANTOMS,
    "experiments": {name: {} for name in ("axial", "coronal", "other")},
    "ensembles": {"planes": ["axial", "coronal"]},
    "cross_validation": {"folds": 5, "run": [0, 1], "seeds": [0]},
}


def load(text="", **sections):
    return config.load({**BASE, **(yaml.safe_load(text) or {}), **sections})


def mistakes(text="", **sections):
    with pytest.raises(ValueError, match="in the config") as raised:
        load(text, **sections)
    return [line.strip() for line in str(raised.value).splitlines()[1:-1]]


def test_without_studies_there_is_one_that_compares_everything():
    assert load()["studies"] == {
        "comparison": {
            "kind": "comparison",
            "datasets": ["a", "b"],
            "experiments": ["axial", "coronal", "other", "planes"],
            "reference": "axial",
            "folds": [0, 1],
            "seeds": [0],
        }
    }


def test_a_study_says_what_runs_on_a_dataset():
    loaded = load("studies: {s: {datasets: [b], experiments: [other], folds: [2], seeds: [3, 4]}}")
    assert studies.models_of(loaded, "a") == []
    assert studies.models_of(loaded, "b") == ["other"]
    assert studies.runs_of(loaded, "b", "other") == [(2, 3), (2, 4)]
    assert studies.runs_of(loaded, "b", "axial") == []


def test_members_of_an_ensemble_run_and_are_scored_with_it():
    loaded = load("studies: {s: {datasets: [a], experiments: [planes, other], folds: [3]}}")
    assert studies.models_of(loaded, "a") == ["axial", "coronal", "other", "planes"]
    assert studies.experiments_of(loaded, "a") == ["axial", "coronal", "other"]
    for model in ("axial", "coronal", "planes"):
        assert studies.runs_of(loaded, "a", model) == [(3, 0)]


def test_studies_with_other_folds_and_seeds_share_their_runs():
    loaded = load(
        "studies:\n"
        "  wide: {datasets: [a], experiments: [axial, other], folds: [0, 1], seeds: [0, 1]}\n"
        "  narrow: {datasets: [a], experiments: [axial, coronal], folds: [1, 2]}"
    )
    assert studies.runs_of(loaded, "a", "axial") == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
    assert studies.runs_of(loaded, "a", "other") == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert studies.runs_of(loaded, "a", "coronal") == [(1, 0), (2, 0)]
    assert studies.folds_of(loaded, "axial") == [0, 1, 2]


def test_a_study_of_reading_plans_but_trains_nothing():
    loaded = load("studies: {memory: {kind: reading, datasets: [a], experiments: [axial]}}")
    assert studies.experiments_of(loaded, "a") == ["axial"]
    assert studies.models_of(loaded, "a") == []
    assert studies.runs_of(loaded, "a", "axial") == []


def test_figures_of_a_dataset_show_the_first_comparison():
    loaded = load(
        "studies:\n"
        "  memory: {kind: reading, datasets: [a, b], experiments: [axial]}\n"
        "  size: {kind: patch_size, datasets: [a, b]}\n"
        "  first: {datasets: [a]}\n"
        "  second: {datasets: [a]}"
    )
    assert studies.main_study(loaded, "a") == "first"
    assert studies.main_study(loaded, "b") == "size"


def test_a_dataset_that_is_in_no_study_has_no_main_one():
    assert studies.main_study(load("studies: {s: {datasets: [a]}}"), "b") is None


@pytest.mark.parametrize(
    ("study", "line"),
    [
        ("{datasets: [c]}", "datasets: found c; allowed: datasets, here a, b"),
        (
            "{experiments: [axial, sagital]}",
            "experiments: found sagital; allowed: experiments and ensembles, here axial, coronal, "
            "other, planes",
        ),
        (
            "{experiments: [axial, other], reference: planes}",
            "reference: found planes; allowed: one of its experiments, axial, other",
        ),
        (
            "{reference: none}",
            "reference: found none; allowed: one of its experiments, axial, coronal, other, planes",
        ),
        ("{folds: [4, 5]}", "folds: found fold 5; allowed: 0 to 4, as cross_validation.folds is 5"),
        (
            "{kind: reading, experiments: [axial, planes]}",
            "experiments: found the ensemble planes; allowed: experiments, as an ensemble has no "
            "arrays of its own",
        ),
        (
            "{kind: patch_size, experiments: [axial, planes]}",
            "experiments: found the ensemble planes; allowed: experiments, as an ensemble has no "
            "patch of its own",
        ),
        ("{kind: size}", 'kind: found "size"; allowed: comparison, patch_size, anisotropy or'),
        ("{seeds: [0, 0]}", "seeds: found [0, 0]; allowed: a list, at least 1 long, none twice"),
        ("{datasets: []}", "datasets: found []; allowed: a list, at least 1 long, none twice"),
        ("{dataset: [a]}", 'dataset: unknown key (its value: ["a"]); did you mean datasets?'),
    ],
)
def test_what_is_wrong_with_a_study_is_named(study, line):
    (found,) = mistakes(f"studies: {{s: {study}}}")
    assert found.startswith(f"studies.s.{line}")


def test_there_is_at_least_one_study():
    (line,) = mistakes("studies: {}")
    assert line.startswith("studies: found {}; allowed: one or more names")


@pytest.mark.parametrize("name", ["spacing", "dice_profile", "Gallery", "configurations"])
def test_a_study_is_not_called_as_a_figure_of_datasets_is(name):
    lines = mistakes(f"studies: {{{name}: {{}}}}")
    assert lines[0] == (
        f"studies.{name}: found a name by which its figure of a is called as the figure "
        f"{name.lower()} of a; allowed: another"
    )


def test_no_two_studies_write_the_same_file():
    datasets = {name: {"phantom": {"cases": 10}} for name in ("a", "a_b")}
    (line,) = mistakes(
        "studies: {c: {datasets: [a_b]}, b_c: {datasets: [a]}, c2: {datasets: [a]}}",
        datasets=datasets,
    )
    assert line == (
        "studies.b_c: found a name by which its figure of a is called as c of a_b; allowed: another"
    )


@pytest.mark.parametrize("order", [("c", "c_ranking"), ("c_ranking", "c")])
def test_no_study_is_called_as_the_ranking_of_another(order):
    given = ", ".join(f"{name}: {{}}" for name in order)
    (line,) = mistakes(f"studies: {{{given}}}", datasets={"a": {"phantom": {"cases": 10}}})
    assert line == (
        f"studies.{order[1]}: found a name by which its figure of a is called as {order[0]} of a; "
        "allowed: another"
    )


def test_a_study_may_name_what_thickened_datasets_come_from():
    thick = {"thicken": {"of": "a", "axis": [0, 2], "factor": [2, 4], "profile": "box"}}
    names = ["thick_0x2", "thick_0x4", "thick_2x2", "thick_2x4"]
    assert list(studies.expanded("thick", thick)) == names
    assert studies.expanded("thick", thick)["thick_2x4"]["thicken"] == {
        "of": "a",
        "axis": 2,
        "factor": 4,
        "profile": "box",
    }
    one = {"thicken": {"of": "a", "axis": 0, "factor": 2, "profile": "box"}}
    assert studies.expanded("thick", one) == {"thick": one}
    study = load("studies: {s: {datasets: [a]}}")["studies"]["s"]
    given = {**load(), "datasets": {"a": {}, "thick": thick}}
    given["studies"] = {"s": {**study, "datasets": ["a", "thick", "thick_0x2"]}}
    completed = studies.completed(given)
    assert completed["studies"]["s"]["datasets"] == ["a", *names]
    assert list(completed["datasets"]) == ["a", *names]


@pytest.fixture
def scans(tmp_path):
    """Return a place where scans may be and are not yet."""
    return tmp_path / "Dataset001_Real"


def optional(scans):
    return {**PHANTOMS, "real": {"raw": str(scans), "optional": True}}


def test_an_optional_dataset_that_is_not_there_is_left_out(scans):
    text = "studies: {both: {datasets: [real, b]}, rest: {datasets: [real]}, all: {}}"
    loaded = load(text, datasets=optional(scans))
    assert list(loaded["datasets"]) == ["a", "b"]
    assert {name: study["datasets"] for name, study in loaded["studies"].items()} == {
        "both": ["b"],
        "all": ["a", "b"],
    }


def test_an_optional_dataset_that_is_there_runs(scans):
    scans.mkdir()
    loaded = load("studies: {both: {datasets: [real, b]}}", datasets=optional(scans))
    assert loaded["studies"]["both"]["datasets"] == ["real", "b"]
    assert loaded["datasets"]["real"] == {"raw": str(scans), "optional": True}


def test_what_is_made_of_a_missing_dataset_is_missing_too(scans):
    datasets = {
        "thick": {"thicken": {"of": "real", "axis": [0, 1], "factor": 2}},
        **optional(scans),
    }
    assert studies.missing(datasets) == {"real": str(scans), "thick": str(scans)}


def test_only_missing_datasets_are_told(scans):
    real = {"real": {"raw": str(scans), "optional": True}}
    assert mistakes(datasets=real) == [
        f"datasets: found no folder {scans}; allowed: at least one dataset that is there"
    ]
    assert mistakes("studies: {s: {datasets: [real]}}", datasets=optional(scans)) == [
        "studies: found none whose datasets are there, but a, b; allowed: at least one study of a "
        "dataset that is there"
    ]


def test_a_dataset_is_optional_where_it_is_a_folder(scans):
    for kind in ({"phantom": {"cases": 10}}, {"archive": "a.zip", "sha256": "0" * 64}):
        lines = mistakes(datasets={"a": {**kind, "optional": True}})
        assert any("datasets.a.raw: missing beside" in line for line in lines)
    (line,) = mistakes(
        datasets={"a": {"raw": "x", "optional": True, "archive": "y", "md5": "0" * 32}}
    )
    assert line.endswith("a dataset is of exactly one kind, phantom, raw, archive or thicken")


QUICK = """
training: {epochs: 100, momentum: 0.9}
experiments: {axial: {planning: {slice_axis: axial}, training: {epochs: 7}}, other: {}}
ensembles: {}
studies: {s: {datasets: [a, b], folds: [0, 1]}}
when_quick:
  training: {epochs: 2}
  experiments: {other: {training: {epochs: 3}}}
  studies: {s: {datasets: [b]}}
"""


@pytest.mark.parametrize("quick", [True, "true", "True", "TRUE"])
def test_a_quick_run_differs_in_what_when_quick_names_and_in_nothing_else(quick):
    loaded = load(QUICK, quick=quick)
    assert loaded["training"] | {"epochs": 2, "momentum": 0.9} == loaded["training"]
    assert loaded["experiments"]["axial"]["training"]["epochs"] == 7
    assert loaded["experiments"]["axial"]["planning"]["slice_axis"] == "axial"
    assert loaded["experiments"]["other"]["training"]["epochs"] == 3
    assert loaded["studies"]["s"]["datasets"] == ["b"]
    assert loaded["studies"]["s"]["folds"] == [0, 1]
    assert config.load(loaded) == loaded


@pytest.mark.parametrize("quick", [{}, {"quick": False}, {"quick": "false"}])
def test_a_run_that_is_not_quick_is_as_if_nothing_were_said_of_it(quick):
    loaded = load(QUICK, **quick)
    plain = load(QUICK, when_quick={})
    assert {**loaded, "when_quick": {}} == plain
    assert config.load(loaded) == loaded


def test_the_command_line_has_the_last_word_in_a_quick_run():
    quick = {"results": "quick", "training": {"epochs": 2, "momentum": 0.9}}
    said = {"quick": "true", "results": "mine", "training": {"epochs": 9}}
    found = config.validated({**BASE, "when_quick": quick, **said}, overrides=said)
    assert found["results"] == "mine"
    assert found["training"]["epochs"] == 9
    assert found["training"]["momentum"] == 0.9


@pytest.mark.parametrize("kind", ["patch_size", "reading"])
def test_all_experiments_of_a_question_that_ensembles_have_no_part_in_are_no_ensembles(kind):
    loaded = load(f"studies: {{s: {{kind: {kind}}}}}", ensembles={"both": ["axial", "coronal"]})
    assert "both" not in loaded["studies"]["s"]["experiments"]
    assert loaded["studies"]["s"]["experiments"] == list(loaded["experiments"])


def test_mistakes_of_a_quick_run_are_told_before_anyone_asks_for_one():
    (line,) = mistakes("when_quick: {training: {epoch: 2}}")
    assert line == "when quick, training.epoch: unknown key (its value: 2); did you mean epochs?"
    (line,) = mistakes("when_quick: {studies: {s: {folds: [9]}}}")
    assert line.startswith("when quick, studies.s.folds: found fold 9; allowed: 0 to 4")


@pytest.mark.parametrize("given", ["maybe", 1, None])
def test_quick_is_true_or_false(given):
    (line,) = mistakes(quick=given)
    assert line.startswith("quick: found ")
    assert line.endswith("allowed: true or false")


@pytest.mark.parametrize("given", [[1], "text", None])
def test_when_quick_is_a_mapping(given):
    (line,) = mistakes(when_quick=given, quick=True)
    assert line.startswith("when_quick: found ")


def test_when_quick_says_nothing_of_itself():
    (line,) = mistakes("when_quick: {quick: true}")
    assert line.startswith("when_quick.quick: ")


def test_the_names_of_a_datasets_figures_are_known_so_that_no_study_takes_one(root):
    rules = "\n".join(path.read_text() for path in (root / "workflow/rules").glob("*.smk"))
    written = set(re.findall(r'drawn\(\s*"([a-z_]+)"|\{\{dataset\}\}_([a-z_]+)[.]', rules))
    names = {drawn or file for drawn, file in written}
    assert names == set(studies.OF_A_DATASET)


def test_colours_go_to_experiments_in_the_order_in_which_studies_name_them():
    loaded = load(
        "studies:\n"
        "  memory: {kind: reading, datasets: [a], experiments: [axial]}\n"
        "  patches: {kind: patch_size, datasets: [a], experiments: [axial, other]}\n"
        "  first: {datasets: [a], experiments: [planes, other]}\n"
        "  second: {datasets: [b], experiments: [coronal, other]}"
    )
    assert studies.palette(loaded) == ["planes", "other", "coronal", "axial"]


TWINS = """
experiments:
  coarsest: {}
  sagittal: {planning: {slice_axis: sagittal}}
  plain: {training: {augmentation: none}, planning: {slice_axis: sagittal}}
  axial: {planning: {slice_axis: axial}}
studies:
  thickness: {kind: anisotropy, datasets: [a, thick], experiments: [coarsest], seeds: [0, 1]}
  others: {datasets: [a], experiments: [sagittal, planes, plain], seeds: [0, 1]}
  fewer: {datasets: [a], experiments: [axial]}
datasets:
  a: {phantom: {cases: 10}}
  thick: {thicken: {of: a, axis: 0, factor: 2}}
ensembles: {planes: [sagittal, plain]}
"""


def test_twins_differ_in_the_sliced_axis_alone():
    loaded = load(TWINS)
    assert studies.twins(loaded, "sagittal") == ["sagittal", "coarsest", "axial"]
    assert studies.twins(loaded, "plain") == ["plain"]
    assert studies.twins(loaded, "planes") == ["planes"]


def test_twins_count_where_they_run_with_the_folds_and_seeds_of_the_study():
    loaded = load(TWINS)
    study = loaded["studies"]["thickness"]
    assert studies.twins_on(loaded, study, "a") == ["coarsest", "sagittal"]
    assert studies.twins_on(loaded, study, "thick") == ["coarsest"]
