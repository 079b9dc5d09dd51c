"""Downloads from a server on this machine: the whole file with its checksum, or none."""

import hashlib
import os
from types import SimpleNamespace

import pytest

import download_archive
from download_archive import main
from loopback import serving
from slicewise.archives import CHUNK, SPARE
from slicewise.problems import BadInput

CONTENT = os.urandom(2 * CHUNK + 7)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def files():
    return {"/a.tar.gz": CONTENT, "/cut": CONTENT, "/endless": CONTENT}


@pytest.fixture
def moved():
    return {}


@pytest.fixture
def server(files, moved):
    with serving(files, moved) as address:
        yield address


@pytest.fixture
def archive(tmp_path):
    return tmp_path / "raw.download"


@pytest.mark.parametrize("path", ["/a.tar.gz", "/endless"])
def test_a_file_with_its_checksum_is_kept(server, archive, path):
    main(url=server + path, sha256=SHA256.upper(), archive=str(archive))
    assert archive.read_bytes() == CONTENT


def refused(url, archive, sha256=SHA256):
    """Return what is said of a download that leaves nothing."""
    with pytest.raises(BadInput) as caught:
        main(url=url, sha256=sha256, archive=str(archive))
    assert list(archive.parent.iterdir()) == []
    return str(caught.value)


def test_another_checksum_is_named_and_the_file_deleted(server, archive):
    said = refused(f"{server}/a.tar.gz", archive, "0" * 64)
    assert f"found the checksum (sha256) {SHA256}, expected {'0' * 64}" in said
    assert f"{server}/a.tar.gz" in said


def test_a_file_that_is_not_there_is_named(server, archive):
    said = refused(f"{server}/none", archive)
    assert f"{server}/none: found HTTPError (HTTP Error 404: Not Found)" in said


def test_a_server_that_is_not_there_is_named(archive):
    assert "Connection refused" in refused("http://127.0.0.1:9/a", archive)


def test_a_connection_that_breaks_is_named_and_the_next_run_goes_on(server, files, archive):
    said = refused(f"{server}/cut", archive)
    assert f"{len(CONTENT) // 2:,} of {len(CONTENT):,} bytes" in said
    assert "run the command again" in said
    main(url=f"{server}/a.tar.gz", sha256=SHA256, archive=str(archive))
    assert archive.read_bytes() == CONTENT


def test_an_address_may_lead_on_but_only_on_the_web(server, moved, archive, tmp_path):
    secret = tmp_path.parent / "secret"
    secret.write_bytes(CONTENT)
    moved["/moved"] = f"{server}/a.tar.gz"
    main(url=f"{server}/moved", sha256=SHA256, archive=str(archive))
    archive.unlink()
    for address in (f"file://{secret}", "data:text/plain,a"):
        moved["/moved"] = address
        assert "is not allowed" in refused(f"{server}/moved", archive)
    moved["/moved"] = "ftp://127.0.0.1:9/a"
    assert "unknown url type: ftp" in refused(f"{server}/moved", archive)


@pytest.mark.parametrize("path", ["/a.tar.gz", "/endless"])
def test_a_file_larger_than_the_disk_is_refused(server, archive, monkeypatch, path):
    usage = SimpleNamespace(free=SPARE + len(CONTENT) - 1)
    monkeypatch.setattr(download_archive.shutil, "disk_usage", lambda _: usage)
    assert "expected no more than the 2,097,158 that the disk" in refused(server + path, archive)


def test_what_a_killed_run_left_is_removed_and_a_link_not_followed(server, archive, tmp_path):
    mine = tmp_path.parent / "mine"
    mine.write_text("mine")
    archive.with_name(".7.raw.download").symlink_to(mine)
    archive.symlink_to(mine)
    main(url=f"{server}/a.tar.gz", sha256=SHA256, archive=str(archive))
    assert [path.name for path in tmp_path.iterdir()] == ["raw.download"]
    assert archive.read_bytes() == CONTENT
    assert mine.read_text() == "mine"
