"""The machine that a job runs on."""

import json

import pytest

from slicewise import hardware

INFORMATION = "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 16\n"


def test_a_machine_is_the_same_on_every_look_and_fits_in_json():
    found = hardware.machine()
    assert json.loads(json.dumps(hardware.machine())) == found
    assert found["cores"] >= 1
    assert found["processor"]


def test_gpus_are_those_that_the_driver_lists(tmp_path):
    for number in range(2):
        (tmp_path / f"0000:0{number}:00.0").mkdir()
        (tmp_path / f"0000:0{number}:00.0" / "information").write_text(INFORMATION)
    assert hardware.gpus(tmp_path) == ["NVIDIA H100 80GB HBM3"] * 2
    assert hardware.gpus(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("cores", "memory", "gpus", "said"),
    [
        (1, None, [], "X, 1 core and no GPU (Y)"),
        (8, 64, ["A", "A"], "X, 8 cores, 64 GiB of memory, 2 A (Y)"),
    ],
)
def test_a_machine_in_words(cores, memory, gpus, said):
    found = {"processor": "X", "cores": cores, "memory_gib": memory, "gpus": gpus, "system": "Y"}
    assert hardware.in_words(found) == said
