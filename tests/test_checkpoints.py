"""What a killed training goes on from: to which training it belongs, and whether it is whole."""

import copy
import logging
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from defaults import training_settings
from networks import SQUARE
from scans import labels_of
from slicewise import checkpoints, network
from slicewise.checkpoints import identity, resume, save
from slicewise.files import write_torch
from slicewise.loss import Loss
from slicewise.nnunet_checkpoints import read_torch
from slicewise.problems import BadInput
from slicewise.training import Training

OWN = {
    "training.epochs": 1000,
    "plans.json": "a digest",
    "device type, fold or seed": ["cpu", 0, 0],
}


def training_of(seed: int) -> Training:
    unet = network.UNet(SQUARE, input_channels=1, num_classes=3)
    network.initialise(unet, seed)
    settings = training_settings(momentum=0.9)
    training = Training(unet, settings, torch.device("cpu"), Loss(labels_of(2)))
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(2, 1, 16, 16, generator=generator)
    training.step((image, torch.randint(0, 3, (2, 16, 16), generator=generator)))
    return training


@pytest.fixture
def latest(tmp_path):
    """Return the checkpoint of a training within its third epoch."""
    training = training_of(seed=0)
    training.history = [{"epoch": epoch} for epoch in range(2)]
    save(training, tmp_path / "checkpoint_latest.pt", OWN)
    return tmp_path / "checkpoint_latest.pt"


def resumed(latest, own=OWN) -> Training:
    """Return a training with weights of its own that was to go on from a checkpoint."""
    training = training_of(seed=1)
    resume(training, latest, own)
    return training


def test_a_training_goes_on_from_its_own_checkpoint(latest, caplog):
    with caplog.at_level(logging.INFO, "slicewise"):
        found = resumed(latest)
    assert found.history == [{"epoch": 0}, {"epoch": 1}]
    expected = training_of(seed=0).network.state_dict()
    assert all(torch.equal(found.network.state_dict()[name], expected[name]) for name in expected)
    assert "epoch 2, step 1" in caplog.text
    assert "WARNING" not in caplog.text


def test_without_a_checkpoint_a_training_begins(tmp_path):
    assert resumed(tmp_path / "checkpoint_latest.pt").history == []


def test_what_has_changed_is_named_and_the_epochs_that_it_costs(latest, caplog):
    """Who sets it back in time loses nothing."""
    changed = OWN | {"training.epochs": 1500, "plans.json": "another"}
    assert resumed(latest, changed).history == []
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "with 2 complete epochs" in record.message
    assert "training.epochs (was 1000, is 1500); plans.json" in record.message
    assert latest.exists()


def test_a_setting_that_an_older_version_did_not_have_is_named(latest, caplog):
    resumed(latest, OWN | {"training.new": True})
    assert "training.new (was None, is True)" in caplog.text


def test_another_processor_is_worth_a_warning_but_no_days(latest, caplog, monkeypatch):
    elsewhere = {"torch": "9.9", "numpy": "1", "processor": "an abacus"}
    monkeypatch.setattr(checkpoints, "surroundings", lambda _: elsewhere)
    assert len(resumed(latest).history) == 2
    assert "an abacus" in caplog.text
    assert "not be to the byte" in caplog.text


class Danger:
    """What runs a command where it is read by a pickle."""

    def __reduce__(self):
        return os.mkdir, ("was_here",)


def cut(share):
    return lambda content: content[: int(share * len(content))]


def flip_in_the_weights(content):
    """Change one byte of a tensor, which torch reads without a word."""
    weights = training_of(seed=0).network.state_dict()
    found = content.index(max(weights.values(), key=torch.numel).numpy().tobytes()) + 5
    return content[:found] + bytes([content[found] ^ 255]) + content[found + 1 :]


BYTES = {
    "empty": cut(0),
    "cut in the head": cut(0.001),
    "cut in the middle": cut(0.5),
    "cut at the end": cut(0.999),
    "zeros": lambda content: bytes(len(content)),
    "text": lambda _: b"not a checkpoint",
    "a flipped byte": flip_in_the_weights,
}


@pytest.mark.parametrize("damage", BYTES)
def test_a_damaged_file_is_named_with_what_is_lost_and_what_to_do(latest, damage):
    damaged = BYTES[damage](latest.read_bytes())
    latest.write_bytes(damaged)
    with pytest.raises(BadInput) as raised:
        resumed(latest)
    said = str(raised.value)
    assert said.startswith(f"{latest}: found a checkpoint that is damaged (")
    assert "what this fold has been trained so far cannot be read" in said
    assert "delete it to train this fold anew" in said
    assert "\n" not in said
    assert said.count(str(latest)) == 1
    assert latest.read_bytes() == damaged


def without(key):
    return lambda state: {name: value for name, value in state.items() if name != key}


def other_shape(state):
    name = next(iter(state["network"]))
    state["network"][name] = torch.zeros(3)
    return state


def other_momentum(state):
    state["optimizer"]["state"][0]["momentum_buffer"] = torch.zeros(3)
    return state


CONTENTS = {
    "a list": lambda state: [1, 2],
    "a tensor": lambda state: torch.zeros(3),
    "no identity": without("identity"),
    "no history": without("history"),
    "no weights": without("network"),
    "no momentum": without("optimizer"),
    "no losses": without("losses"),
    "no surroundings": without("surroundings"),
    "weights of other shapes": other_shape,
    "momentum of other shapes": other_momentum,
    "a history that is a number": lambda state: state | {"history": 3},
    "code": lambda state: state | {"history": Danger()},
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_a_file_with_other_content_is_named(latest, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_torch(latest, CONTENTS[kind](copy.deepcopy(read_torch(latest))))
    with pytest.raises(BadInput, match="found a checkpoint that is damaged") as raised:
        resumed(latest)
    assert "only if you trust" not in str(raised.value)
    assert not (tmp_path / "was_here").exists()


def test_a_file_that_may_not_be_read_is_not_called_damaged(latest, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError("on purpose")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError):
        resumed(latest)


def identity_of(tmp_path, settings=None, key=("cpu", 0, 0), manifest="as exported"):
    planned = SimpleNamespace(raw={"patch_size": [16, 16]})
    path = tmp_path / "manifest.json"
    path.write_text(manifest)
    settings = training_settings() | (settings or {})
    return identity(planned, labels_of(2), settings, {"train": ["a"], "val": ["b"]}, key, [path])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"settings": {"epochs": 3}}, "training.epochs"),
        ({"settings": {"threads": 7}}, "training.threads"),
        ({"settings": {"devices": 2}}, "training.devices"),
        ({"settings": {"deterministic": False}}, "training.deterministic"),
        ({"key": ("cpu", 0, 1)}, "device type, fold or seed"),
        ({"key": ("cuda", 0, 0)}, "device type, fold or seed"),
        ({"manifest": "exported anew"}, "the arrays or the pretrained weights"),
    ],
)
def test_what_changes_results_makes_another_training(tmp_path, change, named):
    before, after = identity_of(tmp_path), identity_of(tmp_path, **change)
    assert {name for name in before if before[name] != after[name]} == {named}


@pytest.mark.parametrize("settings", [{"device": "cpu"}, {"pretrained": "elsewhere/first.pt"}])
def test_settings_that_count_by_what_they_lead_to_do_not_by_themselves(tmp_path, settings):
    assert identity_of(tmp_path) == identity_of(tmp_path, settings)


def test_files_may_be_moved_but_not_change_places(tmp_path):
    """A dataset's groups have an order, whatever the folders that hold them are called."""
    for name, content in (("a", "first"), ("z", "first"), ("m", "second")):
        (tmp_path / name).write_text(content)

    def of(*names):
        given = {"train": []}, ("cpu", 0, 0), [tmp_path / name for name in names]
        planned = SimpleNamespace(raw={})
        return identity(planned, labels_of(2), training_settings(), *given)

    assert of("a", "m") == of("z", "m") != of("m", "a")


def test_an_identity_survives_a_checkpoint(tmp_path):
    own = identity_of(tmp_path)
    save(training_of(0), tmp_path / "checkpoint_latest.pt", own)
    assert read_torch(tmp_path / "checkpoint_latest.pt")["identity"] == own
