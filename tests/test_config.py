import copy
import subprocess
import sys

import pytest
import yaml

from slicewise import config, schemas
from slicewise.planners import PLANNERS
from slicewise.runs import arrays_key

MINE = {"mine": {"raw": "scans/Dataset001_Mine"}}


def load(text="", **sections):
    return config.load({"datasets": MINE, **(yaml.safe_load(text) or {}), **sections})


def mistakes(text="", **sections):
    """Return the lines of the message that a wrong config stops with, less its head and foot."""
    with pytest.raises(ValueError, match="in the config") as raised:
        load(text, **sections)
    return [line.strip() for line in str(raised.value).splitlines()[1:-1]]


def test_a_dataset_is_all_that_must_be_given():
    assert load()["datasets"] == MINE


def test_no_dataset_stops_the_run():
    with pytest.raises(ValueError, match=r"datasets: missing; allowed: one or more names"):
        config.load({})


def test_the_defaults_are_nnunets():
    training = load()["training"]
    recipe = {
        "epochs": 1000,
        "iterations_per_epoch": 250,
        "validation_iterations": 50,
        "batch_size": None,
        "learning_rate": 0.01,
        "momentum": 0.99,
        "weight_decay": 3e-5,
        "gradient_clipping": 12,
        "oversample_foreground": 0.33,
    }
    assert {key: training[key] for key in recipe} == recipe


def test_phantoms_take_their_defaults():
    loaded = load(datasets={"heart": {"phantom": {"cases": 6}}})
    assert loaded["datasets"]["heart"] == {
        "phantom": {"cases": 6, "seed": 1, "thick_axis": "last", "spacing": None}
    }


def test_without_experiments_there_is_one_that_changes_nothing():
    loaded = load("training: {epochs: 3}")
    assert list(loaded["experiments"]) == ["baseline"]
    assert loaded["experiments"]["baseline"]["training"] == loaded["training"]


def test_an_experiment_changes_only_what_it_names():
    loaded = load("experiments: {slow: {training: {learning_rate: 0.001}}}\ntraining: {epochs: 7}")
    changed = loaded["experiments"]["slow"]["training"]
    assert changed == {**loaded["training"], "learning_rate": 0.001}
    assert changed["epochs"] == 7


def test_an_experiment_has_every_section_in_full():
    loaded = load("experiments: {plain: {}}")
    sections = ("planning", "training", "inference", "model")
    assert loaded["experiments"]["plain"] == {name: loaded[name] for name in sections}


def test_an_experiment_can_take_back_a_plan():
    loaded = load("planning: {plans: my.json}\nexperiments: {own: {planning: {plans: null}}}")
    assert loaded["experiments"]["own"]["planning"]["plans"] is None


THEIRS = "{theirs: {model: {nnunet: models/a__b__2d_x/, configuration: 2d_x}}}"


def test_an_imported_model_brings_its_plan():
    planning = load(f"experiments: {THEIRS}")["experiments"]["theirs"]["planning"]
    assert planning["plans"] == "models/a__b__2d_x/plans.json"
    assert planning["configuration"] == "2d_x"


def test_an_imported_model_has_no_other_plan():
    (line,) = mistakes("experiments: {theirs: {model: {nnunet: a}, planning: {plans: my.json}}}")
    assert line == (
        "experiments.theirs.planning.plans: found my.json; allowed: nothing, as the model's plan "
        "is a/plans.json"
    )


@pytest.mark.parametrize(
    "given", ["planning: {plans: my.json, patch_scale: 0.5}", "model: {nnunet: a}"]
)
def test_a_plan_that_is_given_has_no_patch_scale(given):
    (line,) = mistakes(f"{given}\nexperiments: {{half: {{planning: {{patch_scale: 0.5}}}}}}")
    assert line == (
        "experiments.half.planning.patch_scale: found 0.5; allowed: 1, as the plan that experiment "
        "half is given brings its own patch"
    )


@pytest.mark.parametrize("scale", [0, -0.5, 1.5])
def test_a_patch_scale_is_a_share(scale):
    (line,) = mistakes(f"planning: {{patch_scale: {scale}}}")
    assert line.startswith(f"planning.patch_scale: found {scale}")


def test_experiments_of_several_patch_scales_share_their_arrays():
    loaded = load("experiments: {whole: {}, half: {planning: {patch_scale: 0.5}}}")
    planning = [experiment["planning"] for experiment in loaded["experiments"].values()]
    assert len({arrays_key(section, loaded["preprocessing"]) for section in planning}) == 1


def test_the_users_config_is_left_as_it_is():
    given = {"datasets": copy.deepcopy(MINE), "experiments": {"a": {"training": {"epochs": "3"}}}}
    before = copy.deepcopy(given)
    config.load(given)
    assert given == before


def test_spelling_a_default_out_changes_nothing():
    spelt = load(
        "training: {momentum: 0.99, gradient_clipping: 12.0, epochs: 1000}\nresults: results/"
    )
    assert repr(spelt) == repr(load())


def test_a_loaded_config_loads_to_itself():
    for experiments in ("{slow: {training: {learning_rate: 0.001}}, plain: {}}", THEIRS):
        loaded = load(f"experiments: {experiments}")
        assert config.load(loaded) == loaded


def test_values_of_the_command_line_take_their_types():
    text = {
        "epochs": "3",
        "learning_rate": "1e-3",
        "deep_supervision": "false",
        "batch_size": "null",
    }
    training = load(training=text)["training"]
    assert [training[key] for key in text] == [3, 0.001, False, None]


def test_a_target_spacing_is_three_numbers_or_none():
    for given, found in (([3, "1", 0.5], [3.0, 1.0, 0.5]), ("null", None)):
        planning = load(planning={"overwrite_target_spacing": given})["planning"]
        assert planning["overwrite_target_spacing"] == found


def test_the_planners_of_the_config_are_those_there_are():
    schema = schemas.read_schema("config")["properties"]["planning"]["properties"]["planner"]
    assert schema["enum"] == list(PLANNERS)


def test_an_experiment_of_the_command_line_takes_its_types():
    loaded = load(experiments={"a": {"planning": {"slice_axis": "2"}, "training": {"epochs": "3"}}})
    assert loaded["experiments"]["a"]["planning"]["slice_axis"] == 2
    assert loaded["experiments"]["a"]["training"]["epochs"] == 3


def test_lists_of_the_command_line_take_their_types():
    assert load(cross_validation={"run": ["0", "2"]})["cross_validation"]["run"] == [0, 2]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "training: {epochs: ten}",
            'training.epochs: found "ten"; allowed: an integer, at least 1',
        ),
        ("training: {epochs: 0}", "training.epochs: found 0; allowed: an integer, at least 1"),
        ("training: {epochs: 2.5}", "training.epochs: found 2.5; allowed: an integer, at least 1"),
        (
            "training: {epochs: true}",
            "training.epochs: found true; allowed: an integer, at least 1",
        ),
        (
            "training: {learning_rate: .nan}",
            "training.learning_rate: found NaN; allowed: a number, above 0",
        ),
        (
            "training: {device: gpu}",
            'training.device: found "gpu"; allowed: auto, cpu, cuda or mps',
        ),
        (
            "training: {augmentation: off}",
            "training.augmentation: found false; allowed: default or none",
        ),
        (
            "inference: {tile_step: 1.5}",
            "inference.tile_step: found 1.5; allowed: a number, above 0, at most 1",
        ),
        (
            "planning: {slice_axis: 3}",
            "planning.slice_axis: found 3; allowed: coarsest, finest, axial, coronal, sagittal, "
            "0, 1 or 2",
        ),
        (
            "cross_validation: {run: [0, -1]}",
            "cross_validation.run[1]: found -1; allowed: an integer, at least 0",
        ),
        (
            "training:",
            "training: found null; allowed: a mapping of "
            + ", ".join(schemas.read_schema("config")["properties"]["training"]["properties"]),
        ),
        (
            "planning: {overwrite_target_spacing: [3, 1]}",
            "planning.overwrite_target_spacing: found [3.0, 1.0]; allowed: a list, 3 long, each of "
            "them a number, above 0, or null",
        ),
        (
            "planning: {overwrite_target_spacing: [3, 0, 1]}",
            "planning.overwrite_target_spacing[1]: found 0.0; allowed: a number, above 0",
        ),
        ("results: 'a{b}'", 'results: found "a{b}"; allowed: a path without braces'),
    ],
)
def test_a_wrong_value_is_named_with_its_key_and_what_is_allowed(text, line):
    assert mistakes(text) == [line]


@pytest.mark.parametrize("seeds", [[], [1, 1]])
def test_seeds_are_at_least_one_and_none_twice(seeds):
    (line,) = mistakes(cross_validation={"seeds": seeds})
    assert line.startswith(
        f"cross_validation.seeds: found {seeds}; allowed: a list, at least 1 long"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "training: {epoch: 3}",
            "training.epoch: unknown key (its value: 3); did you mean epochs?",
        ),
        ("planing: {}", "planing: unknown key (its value: {}); did you mean planning?"),
        ("epochs: 3", "epochs: unknown key (its value: 3); it belongs in training"),
        (
            "experiments: {a: {slice_axis: finest}}",
            'experiments.a.slice_axis: unknown key (its value: "finest"); it belongs in planning',
        ),
        (
            "evaluation: {quux: 1}",
            "evaluation.quux: unknown key (its value: 1); known here: slice_axis, "
            "slices, surface_tolerance_mm",
        ),
    ],
)
def test_an_unknown_key_is_named_with_what_it_may_have_meant(text, line):
    assert mistakes(text) == [line]


@pytest.mark.parametrize(
    "section", ["preprocessing", "cross_validation", "evaluation", "postprocessing"]
)
def test_experiments_share_what_makes_their_scores_pair(section):
    (line,) = mistakes(experiments={"a": {section: {}}})
    assert line.startswith(f"experiments.a.{section}: unknown key")
    assert line.endswith("shared by all experiments, so that their scores can be paired")


def test_all_mistakes_are_told_at_once():
    assert len(mistakes("training: {epochs: ten, momentum: 2}\nfigurs: {}")) == 3


@pytest.mark.parametrize(
    "name", ["a b", "a/b", "", "_a", "ä", "figures", "logs", "locks", "arrays"]
)
@pytest.mark.parametrize("section", ["datasets", "experiments", "ensembles"])
def test_names_that_cannot_be_folders_are_refused(section, name):
    content = {"datasets": {"raw": "x"}, "experiments": {}, "ensembles": ["a", "b"]}[section]
    (line,) = mistakes(**{section: {name: content}})
    assert line.startswith(f"{section}.{name}: ")
    assert "cannot be a name here; allowed: letters, digits" in line


@pytest.mark.parametrize("section", ["datasets", "experiments"])
def test_a_name_that_ends_with_a_line_break_is_refused(section):
    with pytest.raises(ValueError, match="cannot be a name here"):
        load(**{section: {"a\n": {"datasets": {"raw": "x"}, "experiments": {}}[section]}})


def test_keys_that_yaml_does_not_read_as_text_are_told():
    assert mistakes("experiments: {1: {}, no: {}}") == [
        "experiments.1: not a text key; put it in quotes",
        "experiments.False: not a text key; put it in quotes",
    ]


@pytest.mark.parametrize("kinds", [{}, {"raw": "x", "phantom": {}}])
def test_a_dataset_is_of_one_kind(kinds):
    (line,) = mistakes(datasets={"mine": kinds})
    assert line.startswith("datasets.mine: found ")
    assert line.endswith("a dataset is of exactly one kind, phantom, raw, archive or thicken")


SHA256 = "0123456789abcdef" * 4


def test_an_archive_needs_its_checksum_and_is_told_so():
    (line,) = mistakes(datasets={"mine": {"archive": "a.zip"}})
    assert line == "datasets.mine.sha256: missing; give sha256 or md5"
    (line,) = mistakes(datasets={"mine": {"sha256": SHA256}})
    assert line.startswith("datasets.mine.archive: missing beside sha256; give an address")
    both = {"archive": "https://example.org/a.tar?download=1", "sha256": SHA256}
    assert load(datasets={"mine": both})["datasets"] == {"mine": both}


def test_an_archive_has_one_checksum_which_may_be_an_md5():
    md5 = {"archive": "s3://bucket/spleen.tar", "md5": SHA256[:32]}
    assert load(datasets={"mine": md5})["datasets"] == {"mine": md5}
    (line,) = mistakes(datasets={"mine": {**md5, "sha256": SHA256}})
    assert line.endswith("allowed: one checksum of an archive, sha256 or else md5")
    (line,) = mistakes(datasets={"mine": {"md5": SHA256[:32]}})
    assert line.startswith("datasets.mine.archive: missing beside md5; give an address")
    (line,) = mistakes(datasets={"mine": {**md5, "md5": SHA256}})
    assert line.startswith("datasets.mine.md5: found ")


@pytest.mark.parametrize(
    ("archive", "sha256", "key"),
    [
        ("ftp://example.org/a.zip", SHA256, "archive"),
        ("file:///etc/passwd", SHA256, "archive"),
        ("https://example.org/a b", SHA256, "archive"),
        ("https://example.org/{a}", SHA256, "archive"),
        ("a.zip", SHA256[1:], "sha256"),
        ("a.zip", SHA256 + "\n", "sha256"),
        ("a.zip", "x" * 64, "sha256"),
    ],
)
def test_an_archive_is_on_the_web_or_a_path_and_its_checksum_is_one(archive, sha256, key):
    (line,) = mistakes(datasets={"mine": {"archive": archive, "sha256": sha256}})
    assert line.startswith(f"datasets.mine.{key}: found ")


def test_an_archive_is_a_kind_of_its_own():
    (line,) = mistakes(datasets={"mine": {"archive": "a", "sha256": SHA256, "raw": "x"}})
    assert line.endswith("a dataset is of exactly one kind, phantom, raw, archive or thicken")


def test_a_fold_to_run_is_one_of_the_folds():
    assert mistakes("cross_validation: {folds: 3, run: [0, 3]}") == [
        "cross_validation.run: found fold 3; allowed: 0 to 2, as cross_validation.folds is 3"
    ]


PLANES = "experiments: {axial: {}, coronal: {}}\n"


def test_an_ensemble_is_a_list_of_experiments():
    assert load(PLANES + "ensembles: {planes: [axial, coronal]}")["ensembles"] == {
        "planes": ["axial", "coronal"]
    }
    assert load()["ensembles"] == {}


@pytest.mark.parametrize(
    ("members", "line"),
    [
        ("[axial, saggital]", "found saggital; allowed: experiments, here axial, coronal"),
        ("[axial, planes]", "found planes; allowed: experiments, here axial, coronal"),
        ("[axial]", 'found ["axial"]; allowed: a list, at least 2 long, none twice'),
        ("[axial, axial]", 'found ["axial", "axial"]; allowed: a list, at least 2 long'),
        ("axial", 'found "axial"; allowed: a list, at least 2 long'),
    ],
)
def test_a_wrong_ensemble_is_named(members, line):
    (found,) = mistakes(f"{PLANES}ensembles: {{planes: {members}}}")
    assert found.startswith(f"ensembles.planes: {line}")


def test_members_of_an_ensemble_predict_the_same_images():
    other = PLANES.replace("axial: {}", "axial: {inference: {images: old}}")
    both = "ensembles: {planes: [axial, coronal]}\ninference: {images: new}"
    assert mistakes(other + both) == [
        "ensembles.planes: found members with the inference.images new, old; "
        "allowed: one folder for all of them"
    ]
    assert load(PLANES + both)["ensembles"]


def test_an_ensemble_has_a_name_of_its_own():
    assert mistakes(PLANES + "ensembles: {axial: [axial, coronal]}") == [
        "ensembles.axial: found the name of an experiment; allowed: a name of its own"
    ]


def test_phantoms_are_at_least_as_many_as_folds():
    (line,) = mistakes(datasets={"heart": {"phantom": {"cases": 4}}})
    assert line.startswith("datasets.heart.phantom.cases: found 4; allowed: at least 5")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "training: {empty_slices: 0.7}",
            "training.empty_slices: found 0.7; allowed: at most 0.67, the rest of the batch, as "
            "oversample_foreground is 0.33",
        ),
        (
            "training: {empty_slices: 0.5}\n"
            "experiments: {a: {}, b: {training: {oversample_foreground: 0.6}}}",
            "experiments.b.training.empty_slices: found 0.5; allowed: at most 0.4, the rest of the "
            "batch, as oversample_foreground is 0.6",
        ),
        (
            "training: {empty_slices: 0.2, slices: foreground}\nexperiments: {a: {}, b: {}}",
            "training.empty_slices: found 0.2; allowed: 0 or null, as slices are those with "
            "foreground",
        ),
        (
            "evaluation: {slices: middle 5}",
            'evaluation.slices: found "middle 5"; allowed: all, foreground, central N, every K, or '
            "A to B mm with numbers in their place, as in -20 to 35 mm",
        ),
    ],
)
def test_slices_that_contradict_each_other_are_told(text, line):
    assert mistakes(text) == [line]


def test_a_batch_gives_each_device_a_part():
    assert mistakes("training: {devices: 3, batch_size: 2}\nexperiments: {a: {}, b: {}}") == [
        "training.devices: found 3; allowed: at most 2, as batch_size is 2 and each device takes a "
        "part of every batch"
    ]
    assert load(training={"devices": 3, "batch_size": 3})["training"]["devices"] == 3


@pytest.mark.parametrize("empty", [None, 0, 0.67])
def test_a_share_of_empty_slices_leaves_room_for_the_forced_ones(empty):
    assert load(training={"empty_slices": empty})["training"]["empty_slices"] == empty


def test_slices_are_given_to_training_and_evaluation_each():
    loaded = load(
        "experiments: {a: {training: {slices: central 20}}}\nevaluation: {slices: -20 to 35 mm}"
    )
    assert loaded["experiments"]["a"]["training"]["slices"] == "central 20"
    assert loaded["training"]["slices"] == "all"
    assert loaded["evaluation"]["slices"] == "-20 to 35 mm"


@pytest.mark.parametrize("name", ["config.yaml", "nnunet_2d.yaml", "hippocampus.yaml"])
def test_the_config_files_of_the_repository_are_valid(root, name):
    given = yaml.safe_load((root / "config" / name).read_text())
    loaded = config.load({"datasets": MINE, **given})
    assert set(given.get("experiments", {})) <= set(loaded["experiments"])
    assert given.get("training", {}).items() <= loaded["training"].items()


CLAIMS = {"slice_axis", "patch_size", "anisotropy", "reading"}


@pytest.mark.parametrize("quick", ["false", "true"])
def test_the_paper_asks_its_four_questions_with_and_without_its_real_scans(root, tmp_path, quick):
    given = yaml.safe_load((root / "config/paper.yaml").read_text()) | {"quick": quick}
    (tmp_path / "there").mkdir()
    asked = {}
    for name in ("there", "gone"):
        given["datasets"]["hippocampus"]["raw"] = str(tmp_path / name)
        asked[name] = config.load(given)
        assert set(asked[name]["studies"]) >= CLAIMS
    gone = set(asked["there"]["datasets"]) - set(asked["gone"]["datasets"])
    assert {name.split("_")[0] for name in gone} == {"hippocampus"}
    thick = {name for name in asked["gone"]["datasets"] if name.startswith("cube_thick_")}
    assert len(thick) == (12 if quick == "false" else 4)
    assert config.load(asked["gone"]) == asked["gone"]


def test_what_the_paper_trains_twice_it_trains_once(root):
    """The reference of the sweep of patches is a network of the comparison of axes."""
    loaded = config.load(yaml.safe_load((root / "config/paper.yaml").read_text()))
    axis, size = (loaded["studies"][name] for name in ("slice_axis", "patch_size"))
    assert size["reference"] in axis["experiments"]
    assert set(size["folds"]) <= set(axis["folds"])
    assert set(size["seeds"]) <= set(axis["seeds"])


def test_the_default_run_compares_the_coarsest_with_the_finest_axis(root):
    loaded = config.load(yaml.safe_load((root / "config" / "config.yaml").read_text()))
    axes = {name: part["planning"]["slice_axis"] for name, part in loaded["experiments"].items()}
    assert axes == {"coarsest": "coarsest", "finest": "finest"}


def test_the_full_recipe_is_the_defaults_spelt_out(root):
    recipe = load((root / "config" / "nnunet_2d.yaml").read_text())
    plain = load("preprocessing: {reorient: never}")
    shared = [key for key in plain if key not in ("experiments", "studies")]
    assert [recipe[key] for key in shared] == [plain[key] for key in shared]
    assert recipe["experiments"]["nnunet"] == plain["experiments"]["baseline"]


def test_the_page_of_the_config_is_up_to_date(root):
    written = (root / "config" / "README.md").read_text(encoding="utf-8")
    assert written == config.page(), "config/README.md is out of date: run `make config-docs`"


def test_the_page_names_every_key():
    page = config.page()
    for section, schema in schemas.read_schema("config")["properties"].items():
        for key in schema.get("properties", {}):
            assert f"| `{section}.{key}` |" in page


def test_the_example_of_the_page_is_valid():
    example = config.INTRODUCTION.split("```yaml")[1].split("```")[0]
    assert set(config.load(yaml.safe_load(example))["experiments"]) == {"coarsest", "plain"}


def test_the_page_is_written_by_the_module_itself(root, tmp_path):
    page = tmp_path / "README.md"
    command = [sys.executable, "-m", "slicewise.config", str(page)]
    subprocess.run(command, cwd=root / "workflow" / "scripts", check=True)
    assert page.read_text(encoding="utf-8") == config.page()


def test_reading_a_config_loads_no_array_library(root):
    code = "import sys, slicewise.config; print({'numpy', 'torch', 'snakemake'} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=root / "workflow" / "scripts", check=True, capture_output=True
    )
    assert done.stdout.decode().strip() == "set()"
