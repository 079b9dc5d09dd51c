"""Downloads from a server on this machine: the whole file with its checksum, or none."""

import errno
import hashlib
import json
import os
import socket
from types import SimpleNamespace

import pytest

import download_archive
from download_archive import main
from loopback import Manners, serving
from slicewise.archives import CHUNK, SPARE
from slicewise.problems import BadInput

CONTENT = os.urandom(2 * CHUNK + 7)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HALF = CHUNK + 3
TAG = '"first"'
DATE = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.fixture
def files():
    return {"/a.tar.gz": CONTENT, "/cut": CONTENT, "/endless": CONTENT}


@pytest.fixture
def moved():
    return {}


@pytest.fixture
def manners():
    return Manners(tags={"/a.tar.gz": TAG})


@pytest.fixture
def server(files, moved, manners):
    with serving(files, moved, manners) as address:
        yield address


@pytest.fixture
def archive(tmp_path):
    return tmp_path / "raw.download"


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """Let tries follow one another at once; return how long they would have waited."""
    waited = []
    monkeypatch.setattr(download_archive.time, "sleep", waited.append)
    return waited


def fetch(url, archive, checksum=SHA256):
    main(url=url, checksum=checksum, archive=str(archive))


def refused(url, archive, checksum=SHA256, left=()):
    """Return what is said of a download that is refused, and check what it leaves."""
    with pytest.raises(BadInput) as caught:
        fetch(url, archive, checksum)
    assert sorted(path.name for path in archive.parent.iterdir()) == sorted(left)
    return str(caught.value)


def stop_after(server, archive, manners, monkeypatch, *sizes):
    """Break off a download for good after so many bytes, as a lost connection would."""
    manners.cuts[:] = sizes
    with monkeypatch.context() as patch:
        patch.setattr(download_archive, "WAITS", ())
        said = refused(f"{server}/a.tar.gz", archive, left=LEFT)
    manners.asked.clear()
    return said


LEFT = ("raw.download.partial", "raw.download.partial.json")


@pytest.mark.parametrize("path", ["/a.tar.gz", "/endless"])
def test_a_file_with_its_checksum_is_kept(server, archive, path):
    fetch(server + path, archive, SHA256.upper())
    assert archive.read_bytes() == CONTENT
    assert [path.name for path in archive.parent.iterdir()] == ["raw.download"]


def test_an_md5_will_do(server, archive):
    fetch(f"{server}/a.tar.gz", archive, hashlib.md5(CONTENT).hexdigest())
    assert archive.read_bytes() == CONTENT
    archive.unlink()
    said = refused(f"{server}/a.tar.gz", archive, "0" * 32)
    assert f"found the checksum (md5) {hashlib.md5(CONTENT).hexdigest()}, expected 0000" in said


def test_another_checksum_is_named_and_the_file_deleted(server, archive, manners):
    said = refused(f"{server}/a.tar.gz", archive, "0" * 64)
    assert f"found the checksum (sha256) {SHA256}, expected {'0' * 64}" in said
    assert f"{server}/a.tar.gz" in said
    assert len(manners.asked) == 1


def test_a_file_that_is_not_there_is_named_at_once(server, archive, manners):
    said = refused(f"{server}/none", archive)
    assert f"{server}/none: found HTTP Error 404: Not Found, expected the whole file" in said
    assert len(manners.asked) == 1


@pytest.mark.parametrize("address", ["http://127.0.0.1:x/a", "http://127.0.0.1:9/\u00e4"])
def test_an_address_that_is_none_is_named_at_once(archive, waits, address):
    assert f"{address}: found " in refused(address, archive)
    assert waits == []


def test_a_server_that_is_not_there_is_named_after_waits_that_grow(archive, waits):
    assert "Connection refused" in refused("http://127.0.0.1:9/a", archive)
    assert waits == [1, 3, 9, 27]


def test_a_server_that_is_busy_is_asked_again(server, archive, manners, waits):
    manners.statuses[:] = [503, 429, 500]
    fetch(f"{server}/a.tar.gz", archive)
    assert archive.read_bytes() == CONTENT
    assert waits == [1, 3, 9]


def test_a_server_that_says_nothing_is_given_up(archive, monkeypatch, waits):
    monkeypatch.setattr(download_archive, "SILENCE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = refused(f"http://127.0.0.1:{silent.getsockname()[1]}/a", archive)
    assert "timed out" in said
    assert len(waits) == 4


def test_a_connection_that_breaks_goes_on_where_it_was(server, archive, manners, waits):
    manners.cuts[:] = [5, HALF, 5]
    fetch(f"{server}/a.tar.gz", archive)
    assert archive.read_bytes() == CONTENT
    assert [path.name for path in archive.parent.iterdir()] == ["raw.download"]
    assert [(at, since) for _, at, since in manners.asked] == [
        (None, None),
        ("bytes=5-", TAG),
        (f"bytes={HALF + 5}-", TAG),
        (f"bytes={HALF + 10}-", TAG),
    ]
    assert waits == [1, 1, 3]  # the second try was progress


def test_the_next_run_goes_on_from_what_it_is_told_of(server, archive, manners, monkeypatch):
    said = stop_after(server, archive, manners, monkeypatch, HALF)
    assert f"found {HALF:,} of {len(CONTENT):,} bytes before the connection broke" in said
    assert f"which goes on from the {HALF:,} bytes in {archive}.partial" in said
    fetch(f"{server}/a.tar.gz", archive)
    assert manners.asked == [("/a.tar.gz", f"bytes={HALF}-", TAG)]
    assert archive.read_bytes() == CONTENT
    assert [path.name for path in archive.parent.iterdir()] == ["raw.download"]


def test_a_file_that_changed_meanwhile_begins_anew(server, archive, files, manners, monkeypatch):
    files["/a.tar.gz"] = CONTENT[::-1]
    stop_after(server, archive, manners, monkeypatch, HALF)
    files["/a.tar.gz"] = CONTENT
    manners.tags["/a.tar.gz"] = '"second"'
    fetch(f"{server}/a.tar.gz", archive)
    assert manners.asked == [("/a.tar.gz", f"bytes={HALF}-", TAG)]
    assert archive.read_bytes() == CONTENT


@pytest.mark.parametrize(("tag", "date"), [("", DATE), ("W/" + TAG, DATE), ("", "")])
def test_a_weak_tag_is_no_proof_and_a_date_or_the_checksum_is(
    server, archive, manners, monkeypatch, tag, date
):
    manners.tags["/a.tar.gz"], manners.dates["/a.tar.gz"] = tag, date
    stop_after(server, archive, manners, monkeypatch, HALF)
    fetch(f"{server}/a.tar.gz", archive)
    assert manners.asked == [("/a.tar.gz", f"bytes={HALF}-", date or None)]
    assert archive.read_bytes() == CONTENT


def test_pieces_that_do_not_fit_are_downloaded_anew(server, archive, files, manners, monkeypatch):
    manners.tags["/a.tar.gz"] = ""
    files["/a.tar.gz"] = CONTENT[::-1]
    stop_after(server, archive, manners, monkeypatch, HALF)
    files["/a.tar.gz"] = CONTENT
    fetch(f"{server}/a.tar.gz", archive)
    assert [at for _, at, _ in manners.asked] == [f"bytes={HALF}-", None]
    assert archive.read_bytes() == CONTENT


def test_a_server_without_parts_begins_anew(server, archive, manners, monkeypatch):
    stop_after(server, archive, manners, monkeypatch, HALF)
    del manners.tags["/a.tar.gz"]
    fetch(f"{server}/a.tar.gz", archive)
    assert archive.read_bytes() == CONTENT


def test_a_server_that_cuts_every_time_is_given_up(server, archive, waits):
    said = refused(f"{server}/cut", archive, left=LEFT)
    assert f"{len(CONTENT) // 2:,} of {len(CONTENT):,} bytes" in said
    assert "run the command again" in said
    # The first try was progress, those that began anew were not.
    assert waits == [1, 3, 9, 27]
    fetch(f"{server}/a.tar.gz", archive)
    assert archive.read_bytes() == CONTENT


def test_a_download_that_was_killed_after_its_last_byte_is_whole(
    server, archive, manners, monkeypatch
):
    stop_after(server, archive, manners, monkeypatch, HALF)
    archive.with_name("raw.download.partial").write_bytes(CONTENT)
    fetch(f"{server}/a.tar.gz", archive)
    assert manners.asked == [("/a.tar.gz", f"bytes={len(CONTENT)}-", TAG)]
    assert archive.read_bytes() == CONTENT


def test_more_than_the_file_has_begins_anew(server, archive, manners, monkeypatch):
    stop_after(server, archive, manners, monkeypatch, HALF)
    archive.with_name("raw.download.partial").write_bytes(CONTENT + b"more")
    fetch(f"{server}/a.tar.gz", archive)
    assert [at for _, at, _ in manners.asked] == [f"bytes={len(CONTENT) + 4}-", None]
    assert archive.read_bytes() == CONTENT


@pytest.mark.parametrize("record", ["", "[]", '{"url": 1}', None])
def test_bytes_of_which_nobody_knows_what_they_are_begin_anew(
    server, archive, manners, monkeypatch, record
):
    stop_after(server, archive, manners, monkeypatch, HALF)
    path = archive.with_name("raw.download.partial.json")
    path.write_text(record) if record is not None else path.unlink()
    fetch(f"{server}/a.tar.gz", archive)
    assert manners.asked == [("/a.tar.gz", None, None)]
    assert archive.read_bytes() == CONTENT


def test_another_address_or_checksum_begins_anew(server, archive, files, manners, monkeypatch):
    stop_after(server, archive, manners, monkeypatch, HALF)
    assert json.loads(archive.with_name("raw.download.partial.json").read_text()) == {
        "url": f"{server}/a.tar.gz",
        "checksum": SHA256,
        "validator": TAG,
    }
    files["/b.tar.gz"] = CONTENT
    fetch(f"{server}/b.tar.gz", archive)
    assert manners.asked == [("/b.tar.gz", None, None)]


def test_an_address_may_lead_on_but_only_on_the_web(server, moved, archive, manners, tmp_path):
    secret = tmp_path.parent / "secret"
    secret.write_bytes(CONTENT)
    moved["/moved"] = f"{server}/a.tar.gz"
    manners.cuts[:] = [HALF]
    fetch(f"{server}/moved", archive)
    assert manners.asked[-1] == ("/a.tar.gz", f"bytes={HALF}-", TAG)
    archive.unlink()
    for address in (f"file://{secret}", "data:text/plain,a", "ftp://127.0.0.1:9/a"):
        moved["/moved"] = address
        assert "not allowed" in refused(f"{server}/moved", archive)


def test_an_address_that_is_protected_leads_to_no_other():
    asked = download_archive.request.Request("https://example.org/a")
    follow = download_archive.WebOnly().redirect_request
    assert follow(asked, None, 302, "", {}, "https://example.com/b").full_url.endswith("com/b")
    with pytest.raises(download_archive.HTTPError, match="leads on to http://example"):
        follow(asked, None, 302, "", {}, "http://example.com/b")


@pytest.mark.parametrize("path", ["/a.tar.gz", "/endless"])
def test_a_file_larger_than_the_disk_is_refused(server, archive, monkeypatch, path):
    usage = SimpleNamespace(free=SPARE + len(CONTENT) - 1)
    monkeypatch.setattr(download_archive.shutil, "disk_usage", lambda _: usage)
    assert "expected no more than the 2,097,158 that the disk" in refused(server + path, archive)


def test_a_disk_that_fills_up_is_named_and_what_there_is_kept(server, archive, monkeypatch):
    def full(self, _size):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download_archive.tqdm, "update", full)  # called after each write
    with pytest.raises(OSError, match="No space left on device") as caught:
        fetch(f"{server}/a.tar.gz", archive)
    assert caught.value.filename == f"{archive}.partial"
    monkeypatch.undo()
    fetch(f"{server}/a.tar.gz", archive)
    assert archive.read_bytes() == CONTENT


def test_the_log_shows_how_far_it_is(server, archive, manners, capsys, monkeypatch):
    stop_after(server, archive, manners, monkeypatch, HALF)
    capsys.readouterr()
    fetch(f"{server}/a.tar.gz", archive)
    said = capsys.readouterr().err
    assert "50%" in said  # where it goes on
    assert "100%" in said
    assert "2.10M/2.10M" in said


def test_what_a_killed_run_left_is_removed_and_a_link_not_followed(server, archive, tmp_path):
    mine = tmp_path.parent / "mine"
    mine.write_text("mine")
    for name in (".7.raw.download", "raw.download", *LEFT):
        archive.with_name(name).symlink_to(mine)
    fetch(f"{server}/a.tar.gz", archive)
    assert [path.name for path in tmp_path.iterdir()] == ["raw.download"]
    assert archive.read_bytes() == CONTENT
    assert mine.read_text() == "mine"
