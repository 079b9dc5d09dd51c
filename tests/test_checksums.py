"""Checksums of files, in sha256sum's own form."""

import hashlib
import shutil
import subprocess

import pytest

from slicewise.checksums import read_checksums, sha256, write_checksums


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "imagesTr").mkdir()
    (tmp_path / "imagesTr/b.nii.gz").write_bytes(b"b" * 3_000_000)
    (tmp_path / "a.nii.gz").write_bytes(b"")
    return tmp_path


def test_a_checksum_is_that_of_the_whole_file(folder):
    expected = hashlib.sha256(b"b" * 3_000_000).hexdigest()
    assert sha256(folder / "imagesTr/b.nii.gz") == expected


def test_what_is_written_is_read_in_the_order_of_names(folder):
    files = [folder / "imagesTr/b.nii.gz", folder / "a.nii.gz"]
    write_checksums(folder / "list", files, folder)
    found = read_checksums(folder / "list")
    assert list(found) == ["a.nii.gz", "imagesTr/b.nii.gz"]
    assert found["a.nii.gz"] == hashlib.sha256().hexdigest()


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="a program of GNU")
def test_sha256sum_checks_them(folder):
    write_checksums(folder / "list", [folder / "imagesTr/b.nii.gz"], folder)
    check = ["sha256sum", "--check", "--status", "list"]
    assert subprocess.run(check, cwd=folder, check=False).returncode == 0
    (folder / "imagesTr/b.nii.gz").write_bytes(b"c")
    assert subprocess.run(check, cwd=folder, check=False).returncode != 0
