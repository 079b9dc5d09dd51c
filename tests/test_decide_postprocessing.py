"""Which components go, decided on cross-validated cases: nnU-Net's decisions on the same cases."""

import json
from tempfile import TemporaryFile

import nibabel as nib
import numpy as np
import pytest

import decide_postprocessing
from golden import record_segmentation as record
from scans import peak_memory
from slicewise.files import read_json, write_nifti

GOLDEN = json.loads((record.FOLDER / "postprocessing.json").read_text())
AFFINE = np.diag([1.0, 1.0, 4.0, 1.0])


def save(path, voxels):
    write_nifti(path, nib.Nifti1Image(voxels, AFFINE))


def run(folder, cases, labels, order=None, runs=((0, 0),), **settings):
    """Decide on `cases`, all of them in fold 0; runs: (fold, seed), a folder of predictions each.

    cases: name -> truth and one prediction for each run.
    """
    for name, (truth, *predictions) in cases.items():
        save(folder / f"labelsTr/{name}.nii.gz", truth)
        save(folder / f"imagesTr/{name}_0000.nii.gz", np.zeros(truth.shape, np.float32))
        for (fold, seed), prediction in zip(runs, predictions, strict=True):
            save(folder / f"predictions_{fold}_{seed}/{name}.nii.gz", prediction)
    content = {"channel_names": {"0": "MRI"}, "labels": labels, "numTraining": len(cases)}
    if order:
        content["regions_class_order"] = order
    (folder / "dataset.json").write_text(json.dumps(content))
    (folder / "splits.json").write_text(json.dumps([{"train": [], "val": list(cases)}]))
    spacing = {"spacings": [[4.0, 1.0, 1.0]], "shapes_after_crop": [[5, 12, 8]]}
    (folder / "fingerprint.json").write_text(json.dumps(spacing))
    (folder / "orientation.json").write_text('{"reorient": false}')
    return decide(folder, runs, **settings)


def decide(folder, runs=((0, 0),), largest_component="auto", slices="all"):
    decide_postprocessing.main(
        dataset_json=folder / "dataset.json",
        splits=folder / "splits.json",
        fingerprint=folder / "fingerprint.json",
        orientation=folder / "orientation.json",
        predictions=[folder / f"predictions_{fold}_{seed}" for fold, seed in runs],
        experiment="planes",
        runs=runs,
        slice_axis="coarsest",
        slices=slices,
        largest_component=largest_component,
        postprocessing=folder / "postprocessing.json",
    )
    return read_json(folder / "postprocessing.json")


def of_scenario(folder, name, **settings):
    scenario = record.SCENARIOS[name]
    return run(folder, record.volumes(name), scenario.labels, scenario.order, **settings)


def as_recorded(means):
    """Return mean Dice as nnU-Net writes it, nan for None."""
    scores = [means["foreground_mean"], *means["mean"].values()]
    return np.array(scores, float)


@pytest.mark.parametrize("name", record.SCENARIOS)
def test_the_steps_kept_are_nnunets(tmp_path, name):
    kept = [step["labels"] for step in of_scenario(tmp_path, name)["steps"] if step["kept"]]
    assert kept == [np.atleast_1d(values).tolist() for values in GOLDEN[name]["kept"]]


@pytest.mark.parametrize("name", record.SCENARIOS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_dice_before_and_after_is_nnunets(tmp_path, name, when):
    found = of_scenario(tmp_path, name)[when]
    expected = as_recorded(GOLDEN[name][when])
    np.testing.assert_allclose(as_recorded(found), expected, rtol=1e-12)


def test_all_labels_together_come_first_and_one_class_has_no_step_of_its_own(tmp_path):
    steps = of_scenario(tmp_path / "several", "regions")["steps"]
    assert [step["name"] for step in steps] == ["foreground", "whole", "core", "dot"]
    assert [step["name"] for step in of_scenario(tmp_path / "one", "one_class")["steps"]] == [
        "foreground"
    ]


def test_a_class_may_be_called_foreground(tmp_path):
    labels = {"background": 0, "foreground": 1, "b": 2}
    steps = run(tmp_path, record.volumes("strays"), labels)["steps"]
    assert [step["labels"] for step in steps] == [[1, 2], [1], [2]]


def test_a_step_tells_the_dice_it_was_decided_on(tmp_path):
    steps = of_scenario(tmp_path, "noise")["steps"]
    for step in steps:
        assert step["kept"] == (step["dice_after"] > step["dice_before"])


def test_a_class_that_gets_worse_forbids_the_step_for_all(tmp_path):
    steps = of_scenario(tmp_path, "gain_and_loss")["steps"]
    assert steps[0]["dice_after"] > steps[0]["dice_before"]
    assert [(step["name"], step["kept"]) for step in steps] == [
        ("foreground", False),
        ("a", True),
        ("b", False),
    ]


def test_never_tries_nothing(tmp_path):
    found = of_scenario(tmp_path, "strays", largest_component="never")
    assert found["steps"] == []
    assert found["before"] == found["after"]


def test_a_dice_that_does_not_exist_is_null(tmp_path):
    found = of_scenario(tmp_path, "absent_class")
    assert found["before"]["mean"]["c"] is None
    assert found["before"]["foreground_mean"] is None


def test_every_seed_of_a_case_counts(tmp_path):
    (truth, strays), *_ = record.volumes("strays").values()
    runs = [(0, 0), (0, 4)]
    found = run(tmp_path, {"a": (truth, strays, truth)}, record.PLAIN, runs=runs)
    alone = run(tmp_path / "alone", {"a": (truth, strays)}, record.PLAIN)
    assert (found["folds"], found["seeds"], found["cases"]) == ([0], [0, 4], 1)
    expected = (alone["before"]["foreground_mean"] + 1) / 2
    assert found["before"]["foreground_mean"] == pytest.approx(expected)


def test_the_result_names_what_it_was_decided_for(tmp_path):
    found = of_scenario(tmp_path, "strays")
    assert (found["experiment"], found["largest_component"]) == ("planes", "auto")


def test_slices_that_are_not_evaluated_do_not_count(tmp_path):
    """The strays lie in the first and the last slice, 0 and 16 mm from the origin."""
    found = of_scenario(tmp_path, "strays", slices="4 to 12 mm")
    assert found["before"]["foreground_mean"] == 1
    assert not any(step["kept"] for step in found["steps"])
    every = of_scenario(tmp_path, "strays", slices="every 4")
    assert every["before"]["foreground_mean"] < 1


def test_a_case_of_background_alone_counts_for_nothing(tmp_path):
    cases = record.volumes("strays")
    empty = np.zeros((4, 4, 4), np.uint8)
    found = run(tmp_path, {**cases, "empty": (empty, empty)}, record.PLAIN)
    assert found["cases"] == 3
    np.testing.assert_allclose(as_recorded(found["after"]), as_recorded(GOLDEN["strays"]["after"]))


def test_a_missing_prediction_is_named(tmp_path):
    of_scenario(tmp_path, "strays")
    (tmp_path / "predictions_0_0/case_1.nii.gz").unlink()
    with pytest.raises(
        ValueError, match=r"case case_1: .*predictions_0_0/case_1.nii.gz: found no such file"
    ):
        decide(tmp_path)


def test_the_label_maps_of_all_cases_are_in_a_file_and_not_in_memory():
    rng = np.random.default_rng(0)

    def keep_and_look(count):
        with TemporaryFile() as file:
            spool = decide_postprocessing.Spool(file)
            kept = [spool.put(rng.integers(0, 3, (20, 50, 50))) for _ in range(count)]
            return [packed.open().sum() for packed in kept]

    assert peak_memory(keep_and_look, 100) < 1.5 * peak_memory(keep_and_look, 2)


def test_a_label_map_comes_back_as_it_was():
    labels = [np.arange(24).reshape(2, 3, 4) * size for size in (1, 20)]
    with TemporaryFile() as file:
        spool = decide_postprocessing.Spool(file)
        kept = [spool.put(label) for label in labels]
        for label, packed in zip(labels, kept, strict=True):
            np.testing.assert_array_equal(packed.open(), label)
