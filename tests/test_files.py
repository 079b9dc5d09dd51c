"""Whole files or none."""

import errno
import os
import subprocess
import sys
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch

from disk import inode_of, watch_disk
from slicewise import files


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "plans.json"
    files.write_text(path, "old")

    def fail():
        with files.atomic(path) as temporary:
            temporary.write_text("half of the new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("flush", [True, False])
def test_the_name_appears_only_when_the_file_is_whole(tmp_path, flush):
    path = tmp_path / "sub" / "case.nii.gz"
    with files.atomic(path, flush=flush) as temporary:
        temporary.write_bytes(b"whole")
        assert not path.exists()
        assert temporary.name.endswith(".nii.gz")
    assert path.read_bytes() == b"whole"


WRITERS = {
    "x.txt": lambda path, **flush: files.write_text(path, "x", **flush),
    "x.json": lambda path, **flush: files.write_json(path, {}, **flush),
    "x.npy": lambda path, **flush: files.write_npy(path, np.zeros(3), **flush),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_is_flushed_before_its_name_appears_and_then_the_name(tmp_path, monkeypatch, name):
    events = watch_disk(monkeypatch)
    WRITERS[name](tmp_path / name)
    path = tmp_path / name
    assert events == [
        ("flushed", inode_of(path)),
        ("named", inode_of(path)),
        ("flushed", inode_of(tmp_path)),
    ]


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_is_flushed_with_others_is_not_by_itself(tmp_path, monkeypatch, name):
    events = watch_disk(monkeypatch)
    WRITERS[name](tmp_path / name, flush=False)
    assert events == [("named", inode_of(tmp_path / name))]


def test_files_are_flushed_together(tmp_path, monkeypatch):
    paths = [tmp_path / name for name in WRITERS]
    for path in paths:
        WRITERS[path.name](path, flush=False)
    events = watch_disk(monkeypatch)
    files.flush_files(paths)
    assert events == [("flushed", inode_of(path)) for path in [*paths, tmp_path]]


def test_names_are_flushed_where_the_system_can(tmp_path, monkeypatch):
    def fail_with(number):
        def fail(*_):
            raise OSError(number, "on purpose")

        return fail

    for number in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
        monkeypatch.setattr(os, "fsync", fail_with(number))
        files._flush_folder(tmp_path)
    monkeypatch.setattr(os, "fsync", fail_with(errno.EIO))
    with pytest.raises(OSError, match="on purpose"):
        files._flush_folder(tmp_path)
    monkeypatch.setattr(os, "open", fail_with(errno.EACCES))
    files._flush_folder(tmp_path)


KILLED = """
import os, signal, sys
from slicewise.files import atomic
with atomic(sys.argv[1]) as temporary:
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def kill_while_writing(path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", KILLED, path], env=environment, check=False)


def test_what_a_killed_process_left_of_a_file_goes_when_it_is_written_again(tmp_path):
    path = tmp_path / "checkpoint_latest.pt"
    for _ in range(2):
        kill_while_writing(path)
    left = list(tmp_path.iterdir())
    assert len(left) == 1, "the second of the two removes what the first has left"
    assert not path.exists()
    files.write_text(path, "whole")
    assert list(tmp_path.iterdir()) == [path]


def test_only_leftovers_of_the_same_file_go(tmp_path):
    """Others may be files that another job is writing, or a user's own."""
    kept = {".12.b.csv", ".a.csv", "12.a.csv", ".12.a.csv.gz", ".x12.a.csv", ".1.2", ".12.3.a.csv"}
    for name in {*kept, ".12.a.csv", ".345.a.csv"}:
        (tmp_path / name).write_text("")
    files.write_text(tmp_path / "a.csv", "")
    assert {path.name for path in tmp_path.iterdir()} == {*kept, "a.csv"}


def test_a_writer_whose_file_was_taken_away_fails_and_the_name_stays_whole(tmp_path):
    """Two at once are refused elsewhere; if they come, neither half is taken for a whole."""
    path = tmp_path / "history.csv"

    def write_slowly():
        with files.atomic(path) as temporary:
            temporary.write_text("half")
            temporary.unlink()
            path.write_text("whole, of another process")

    with pytest.raises(FileNotFoundError):
        write_slowly()
    assert path.read_text() == "whole, of another process"


def test_json_survives_with_its_order_of_keys(tmp_path):
    content = {"b": [1, 2.5], "a": {"nested": None}}
    files.write_json(tmp_path / "x.json", content)
    assert list(files.read_json(tmp_path / "x.json").items()) == list(content.items())


def test_what_is_not_json_is_named(tmp_path):
    (tmp_path / "dataset.json").write_text('{"labels": ')
    with pytest.raises(ValueError, match=r"dataset\.json: not a JSON file"):
        files.read_json(tmp_path / "dataset.json")


def test_csv_floats_are_read_back_exactly(tmp_path):
    values = np.random.default_rng(0).normal(size=100)
    files.write_csv(tmp_path / "x.csv", pd.DataFrame({"value": values}))
    read = pd.read_csv(tmp_path / "x.csv")["value"]
    np.testing.assert_array_equal(read, values)


def test_a_table_is_written_as_a_frame_is(tmp_path):
    columns = ["name", "count", "value", "missing"]
    rows = [("a,b", 1, 0.1, 1.5), ('"', -2, 1e-17, None), ("c", 3, 1e22, 0.30000000000000004)]
    files.write_table(tmp_path / "table.csv", columns, rows)
    files.write_csv(tmp_path / "frame.csv", pd.DataFrame(rows, columns=columns))
    assert (tmp_path / "table.csv").read_bytes() == (tmp_path / "frame.csv").read_bytes()


def test_arrays_are_stored_contiguous_and_without_pickles(tmp_path):
    array = np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1)
    files.write_npy(tmp_path / "x.npy", array)
    read = np.load(tmp_path / "x.npy", mmap_mode="r", allow_pickle=False)
    assert read.flags.c_contiguous
    np.testing.assert_array_equal(read, array)


def test_tensors_are_read_back_with_weights_only(tmp_path):
    files.write_torch(tmp_path / "x.pt", {"w": torch.ones(2), "epoch": 3})
    assert torch.load(tmp_path / "x.pt", weights_only=True)["epoch"] == 3


def test_equal_tensors_give_equal_bytes_whatever_the_file_is_called(tmp_path, monkeypatch):
    for number, name in enumerate(("a.pt", "b.pt")):
        monkeypatch.setattr(os, "getpid", lambda number=number: number)
        files.write_torch(tmp_path / name, {"w": torch.ones(2), "epoch": 3})
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


def test_equal_images_give_equal_bytes(tmp_path):
    image = nib.Nifti1Image(np.arange(8.0).reshape(2, 2, 2), np.eye(4))
    for name in ("a", "b"):
        files.write_nifti(tmp_path / name / "x.nii.gz", image)
    assert (tmp_path / "a/x.nii.gz").read_bytes() == (tmp_path / "b/x.nii.gz").read_bytes()


def test_a_folder_appears_with_all_its_files(tmp_path):
    with files.whole_folder(tmp_path / "predictions") as folder:
        files.write_text(folder / "a.txt", "a")
        assert not (tmp_path / "predictions").exists()
        files.write_text(folder / "b.txt", "b")
    assert sorted(path.name for path in (tmp_path / "predictions").iterdir()) == ["a.txt", "b.txt"]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_failed_leaves_nothing(tmp_path):
    def fail():
        with files.whole_folder(tmp_path / "predictions") as folder:
            files.write_text(folder / "a.txt", "a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_takes_the_place_of_an_older_one_and_of_what_was_left_of_others(tmp_path):
    for name in ("predictions", ".123.predictions"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "old.txt").write_text("old")
    with files.whole_folder(tmp_path / "predictions") as folder:
        files.write_text(folder / "new.txt", "new")
    assert [path.name for path in tmp_path.rglob("*")] == ["predictions", "new.txt"]


def test_a_failed_write_says_of_which_file(tmp_path):
    def fail():
        with files.atomic(tmp_path / "case.npy"):
            raise OSError("12 requested and 3 written")

    with pytest.raises(OSError, match=r"12 requested and 3 written: .*case\.npy") as failed:
        fail()
    assert failed.value.filename == str(tmp_path / "case.npy")


@pytest.mark.parametrize("error", [OSError("3 written"), RuntimeError("unexpected pos")])
def test_a_full_disk_is_named_whatever_the_library_says(tmp_path, monkeypatch, error):
    full = SimpleNamespace(free=0)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: full)

    def fail():
        with files.atomic(tmp_path / "case.pt"):
            raise error

    with pytest.raises(OSError, match="No space left on device") as failed:
        fail()
    assert failed.value.filename == str(tmp_path / "case.pt")
