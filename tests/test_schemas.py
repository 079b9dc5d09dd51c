import copy
import json
import math

import jsonschema
import pytest

from slicewise import schemas

NNUNET = {
    "channel_names": {"0": "T1", "1": "T2"},
    "labels": {"background": 0, "tumour": 1},
    "numTraining": 4,
    "file_ending": ".nii.gz",
}
DECATHLON = {
    "name": "BRAIN",
    "tensorImageSize": "4D",
    "modality": {"0": "T1", "1": "T2"},
    "labels": {"0": "background", "1": "tumour"},
    "numTraining": 1,
    "training": [{"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}],
    "test": ["./imagesTs/b.nii.gz"],
}


def problems(document, name="dataset"):
    return schemas.problems(document, schemas.read_schema(name))


def without(document, key):
    return {name: value for name, value in document.items() if name != key}


@pytest.fixture(scope="module")
def plan(root):
    """Return a plan that nnU-Net wrote."""
    return json.loads(next((root / "tests" / "golden").glob("*/plans.json")).read_text())


@pytest.mark.parametrize("document", [NNUNET, DECATHLON], ids=["nnU-Net", "Decathlon"])
def test_both_layouts_of_datasets_pass(document):
    assert problems(document) == []


def test_further_keys_of_a_dataset_are_left_alone():
    assert problems({**NNUNET, "licence": "CC-BY", "training": 3}) == []


def test_a_dataset_may_list_its_files():
    entry = {"images": ["a_t1.nii.gz", "a_t2.nii.gz"], "label": "a.nii.gz"}
    assert problems({**NNUNET, "dataset": {"a": entry}}) == []


def test_a_listed_case_needs_its_label():
    (line,) = problems({**NNUNET, "dataset": {"a": {"images": ["a.nii.gz"]}}})
    assert line == "dataset.a.label: missing; allowed: text"


def test_a_dataset_needs_channels_under_either_name():
    (line,) = problems(without(NNUNET, "channel_names"))
    assert line == "channel_names: missing; give channel_names or modality"


@pytest.mark.parametrize("key", ["labels", "numTraining"])
def test_a_dataset_needs(key):
    (line,) = problems(without(NNUNET, key))
    assert line.startswith(f"{key}: missing; allowed: ")


def test_a_region_is_a_list_of_labels():
    labels = {"background": 0, "whole": [1, 2], "core": 2}
    assert problems({**NNUNET, "labels": labels, "regions_class_order": [1, 2]}) == []
    (line,) = problems({**NNUNET, "labels": {**labels, "whole": [1, "2"]}})
    assert line.startswith('labels.whole[1]: found "2"; allowed: ')


def test_only_nifti_is_read():
    (line,) = problems({**NNUNET, "file_ending": ".nrrd"})
    assert line == 'file_ending: found ".nrrd"; allowed: .nii.gz or .nii'


def test_a_channel_is_known_by_its_number():
    (line,) = problems({**NNUNET, "channel_names": {"T1": "T1"}})
    assert line.startswith('channel_names.T1: "T1" cannot be a name here; allowed: the number')


def test_a_document_of_the_wrong_shape_is_told_apart():
    (line,) = problems([1, 2])
    assert line.startswith("top level: found [1, 2]; allowed: a mapping of ")


def test_plans_of_nnunet_pass(root):
    plans = sorted((root / "tests" / "golden").glob("*/plans.json"))
    assert plans
    for path in plans:
        assert problems(json.loads(path.read_text()), "plans") == [], path


def test_a_plan_without_a_2d_configuration_is_refused(plan):
    (line,) = problems({**plan, "configurations": {"3d_fullres": {}}}, "plans")
    assert line.startswith("configurations.2d: missing; allowed: a mapping of ")


def test_a_patch_of_a_3d_plan_is_refused(plan):
    plan = copy.deepcopy(plan)
    plan["configurations"]["2d"]["patch_size"] = [16, 320, 320]
    (line,) = problems(plan, "plans")
    assert line.startswith("configurations.2d.patch_size: found [16, 320, 320]; allowed: a list, 2")


def test_a_network_of_another_kind_is_refused_by_name(plan):
    plan = copy.deepcopy(plan)
    plan["configurations"]["2d"]["architecture"]["network_class_name"] = "x.SwinUNETR"
    (line,) = problems(plan, "plans")
    assert 'network_class_name: found "x.SwinUNETR"; allowed: ' in line


def test_a_residual_network_counts_its_blocks(plan):
    plan = copy.deepcopy(plan)
    architecture = plan["configurations"]["2d"]["architecture"]
    path = architecture["network_class_name"].rsplit(".", 1)[0]
    architecture["network_class_name"] = f"{path}.ResidualEncoderUNet"
    kwargs = architecture["arch_kwargs"]
    kwargs["n_blocks_per_stage"] = kwargs.pop("n_conv_per_stage")
    assert problems(plan, "plans") == []
    del kwargs["n_blocks_per_stage"]
    (line,) = problems(plan, "plans")
    assert line.endswith("missing; give n_conv_per_stage or n_blocks_per_stage")


def test_transpose_forward_names_every_axis_once(plan):
    (line,) = problems({**plan, "transpose_forward": [0, 0, 1]}, "plans")
    assert line.startswith(
        "transpose_forward: found [0, 0, 1]; allowed: a list, 3 long, none twice"
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, True, "1.0"])
def test_only_finite_numbers_are_numbers(value):
    assert schemas.problems(value, {"type": "number", "minimum": 0}) != []


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("true", "boolean", True),
        ("False", "boolean", False),
        ("3", "integer", 3),
        ("-3", "integer", -3),
        (3.0, "integer", 3),
        (9007199254740993, "integer", 9007199254740993),
        ("3e-5", "number", 3e-5),
        (12, "number", 12.0),
        ("null", ["integer", "null"], None),
        ("null", ["string", "null"], None),
    ],
)
def test_values_take_the_type_that_is_asked_for(value, kind, expected):
    typed = schemas.with_types(value, {"type": kind}, {})
    assert (typed, type(typed)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("3.5x", "number"),
        ("yes", "boolean"),
        (1, "boolean"),
        (True, "integer"),
        (2.5, "integer"),
        ("7", "string"),
        ("text", ["string", "null"]),
        (None, "integer"),
    ],
)
def test_values_that_do_not_fit_stay_as_they_are(value, kind):
    typed = schemas.with_types(value, {"type": kind}, {})
    assert (typed, type(typed)) == (value, type(value))


@pytest.mark.parametrize("value", [2, "2", 2.0])
def test_a_member_of_an_enumeration_is_found_in_any_writing(value):
    typed = schemas.with_types(value, {"enum": ["finest", 0, 1, 2]}, {})
    assert (typed, type(typed)) == (2, int)


def test_a_truth_is_no_member_of_an_enumeration_of_numbers():
    assert schemas.with_types(True, {"enum": [0, 1]}, {}) is True


def test_defaults_of_a_parent_open_those_of_its_children():
    schema = {"properties": {"a": {"default": {}, "properties": {"b": {"default": 3}}}}}
    assert schemas.with_defaults({}, schema) == {"a": {"b": 3}}


def test_filling_leaves_document_and_schema_as_they_were():
    schema = {"properties": {"a": {"default": {}, "properties": {"b": {"default": [1]}}}}}
    before = copy.deepcopy(schema)
    document = {"a": {}}
    filled = schemas.with_types(schemas.with_defaults(document, schema), schema, schema)
    filled["a"]["b"].append(2)
    assert (schema, document) == (before, {"a": {}})


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1}, "an integer, at least 1"),
        ({"type": ["integer", "null"], "minimum": 1}, "an integer, at least 1, or null"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "a number, above 0, at most 1"),
        ({"type": "boolean"}, "true or false"),
        ({"type": "null"}, "null"),
        ({"enum": ["a", "b", 2]}, "a, b or 2"),
        ({"type": "array", "items": {"type": "string"}}, "a list, each of them text"),
        ({}, "any value"),
    ],
)
def test_what_is_allowed_is_said_in_words(schema, words):
    assert schemas.allowed(schema, {}) == words


@pytest.mark.parametrize("name", ["config", "dataset", "plans"])
def test_the_schemas_are_valid_themselves(name):
    jsonschema.Draft202012Validator.check_schema(schemas.read_schema(name))
