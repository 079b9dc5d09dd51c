"""The step that unpacks an archive: its checksum before all else."""

import hashlib

import pytest

from hostile_archives import EVIL, tar_of
from slicewise.problems import BadInput
from unpack_archive import main


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "given.tar.gz"
    tar_of(path, "Task09_Spleen/dataset.json")
    return path


def test_an_archive_with_its_checksum_is_unpacked(tmp_path, archive):
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    main(archive=str(archive), checksum=sha256, raw=str(tmp_path / "results/raw"))
    assert (tmp_path / "results/raw/Task09_Spleen/dataset.json").read_bytes() == EVIL


def test_nothing_is_unpacked_of_an_archive_with_another(tmp_path, archive):
    with pytest.raises(BadInput, match=r"given\.tar\.gz: found the checksum \(sha256\)"):
        main(archive=str(archive), checksum="0" * 64, raw=str(tmp_path / "results/raw"))
    assert not (tmp_path / "results").exists()
