"""nnU-Net's checkpoints, read without running code."""

import os
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from scans import peak_memory
from slicewise import nnunet_checkpoints
from slicewise.nnunet_checkpoints import read_checkpoint, read_weights

TRADE = Path(__file__).parent / "golden" / "trade"
PLAIN = TRADE / "plain/nnUNetTrainer_onlyMirror01__nnUNetPlans__2d_small/fold_0"


class RunsCode:
    """Calls a function while it is unpickled, as a malicious file would."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def save(tmp_path, **content):
    path = tmp_path / "checkpoint_final.pth"
    torch.save(content | {"network_weights": {}, "init_args": {}, "trainer_name": "any"}, path)
    return path


def test_a_checkpoint_of_nnunet_is_read():
    content = read_checkpoint(PLAIN / "checkpoint_final.pth")
    assert content["trainer_name"] == "nnUNetTrainer_onlyMirror01"
    assert content["init_args"]["configuration"] == "2d_small"
    assert content["inference_allowed_mirroring_axes"] == (0,)


def test_a_changed_byte_of_the_weights_is_found(tmp_path):
    """torch reads it without a word."""
    weights, path = torch.arange(100.0), tmp_path / "checkpoint_final.pt"
    torch.save({"network": {"a": weights}}, path)
    content = bytearray(path.read_bytes())
    content[content.index(weights.numpy().tobytes()) + 5] ^= 1
    path.write_bytes(content)
    assert not torch.equal(torch.load(path, weights_only=True)["network"]["a"], weights)
    with pytest.raises(ValueError, match=r"checkpoint_final\.pt: found .* other bytes than were"):
        read_weights(path)


def test_numpys_numbers_become_pythons(tmp_path):
    numbers = [np.float64(0.1), np.float32(2.5), np.int64(-7), np.bool_(True), np.float16(0.5)]
    path = save(tmp_path, logging=[*numbers, np.array([1.5], ">f8")[0]])
    found = read_checkpoint(path)["logging"]
    assert found == [0.1, 2.5, -7, True, 0.5, 1.5]
    assert [type(one) for one in found] == [float, float, int, bool, float, float]


def test_numbers_of_numpy_1_are_read_too(tmp_path):
    """It calls the module of its scalars by another name."""
    source, older = PLAIN / "checkpoint_final.pth", tmp_path / "checkpoint_final.pth"
    with zipfile.ZipFile(source) as file, zipfile.ZipFile(older, "w") as copy:
        for name in file.namelist():
            content = file.read(name)
            if name.endswith("data.pkl"):
                assert b"numpy._core.multiarray" in content
                content = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
            copy.writestr(name, content)
    assert read_checkpoint(older)["logging"] == read_checkpoint(source)["logging"]


def test_a_file_that_would_run_code_is_refused_by_name_and_does_not(tmp_path):
    written = tmp_path / "written"
    path = save(tmp_path, logging=RunsCode(os.system, f"touch {written}"))
    with pytest.raises(ValueError, match=r"final\.pth: found code to run, posix\.system, expected"):
        read_checkpoint(path)
    assert not written.exists()


@pytest.mark.parametrize("function", [eval, pickle.loads, np.load, getattr, torch.load])
def test_no_other_function_is_called(tmp_path, function):
    with pytest.raises(ValueError, match=r"found code to run, \w+"):
        read_checkpoint(save(tmp_path, logging=RunsCode(function, "x")))


def test_a_plain_pickle_is_refused(tmp_path):
    written, path = tmp_path / "written", tmp_path / "checkpoint_final.pth"
    path.write_bytes(pickle.dumps(RunsCode(os.system, f"touch {written}"), protocol=2))
    with pytest.raises(ValueError, match=r"checkpoint_final\.pth: found (code|what torch)"):
        read_checkpoint(path)
    assert not written.exists()


@pytest.mark.parametrize("value", [np.array([1.0, 2.0]), np.datetime64("2020-01-01")])
def test_other_values_of_numpy_are_refused(tmp_path, value):
    with pytest.raises(ValueError, match=r"checkpoint_final\.pth: found (code|what torch)"):
        read_checkpoint(save(tmp_path, logging=value))


def test_a_number_whose_bytes_do_not_fit_is_refused():
    with pytest.raises(struct.error):
        nnunet_checkpoints.number(nnunet_checkpoints.NumberType("f8"), b"123")


def test_reading_allows_nothing_afterwards(tmp_path):
    before = set(torch.serialization.get_safe_globals())  # torch lists them in no order
    read_checkpoint(PLAIN / "checkpoint_final.pth")
    assert set(torch.serialization.get_safe_globals()) == before


def test_a_file_that_is_not_nnunets_says_what_is_missing(tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"state_dict": {}}, path)
    with pytest.raises(
        ValueError,
        match=r"other\.pth: found no network_weights, .* trainer_name, logging",
    ):
        read_checkpoint(path)


def test_a_missing_file_and_a_broken_one_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"none\.pth: found no such file"):
        read_checkpoint(tmp_path / "none.pth")
    (tmp_path / "half.pth").write_bytes((PLAIN / "checkpoint_final.pth").read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"half\.pth: found what torch cannot read"):
        read_checkpoint(tmp_path / "half.pth")


def test_a_text_that_claims_to_be_longer_than_the_file_takes_no_memory(tmp_path):
    path = tmp_path / "checkpoint.pth"
    torch.save({"a": "text"}, path, _use_new_zipfile_serialization=False)
    content, text = path.read_bytes(), b"X\4\0\0\0text"
    assert text in content
    path.write_bytes(content.replace(text, b"X\xff\xff\xff\x3ftext"))

    def read():
        with pytest.raises(ValueError, match=r"checkpoint\.pth"):
            nnunet_checkpoints.read_torch(path)

    assert peak_memory(read) < 2**20


def test_weights_are_found_in_both_kinds_of_checkpoint(tmp_path):
    theirs = read_weights(PLAIN / "checkpoint_final.pth")
    torch.save({"network": theirs, "plan": "{}"}, tmp_path / "ours.pt")
    ours = read_weights(tmp_path / "ours.pt")
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    torch.save([], tmp_path / "neither.pt")
    with pytest.raises(ValueError, match=r"neither\.pt: found no weights"):
        read_weights(tmp_path / "neither.pt")
