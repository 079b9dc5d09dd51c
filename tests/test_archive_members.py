"""The members of an archive one by one, whichever of three kinds it is."""

import gzip

import pytest

from hostile_archives import EVIL, tar_of, zip_of
from slicewise.archive_members import Refused, damaged, members

KINDS = ("tar", "tar.gz", "zip")


def packed(path, kind):
    """Write an archive of two files whose name does not say its kind."""
    (zip_of if kind == "zip" else tar_of)(path, "a", "folder/b")
    if kind == "tar":
        path.write_bytes(gzip.decompress(path.read_bytes()))
    return path


def contents(path):
    """Return the content of each file by its name, and its size as stated."""
    found = {}
    for member in members(path, most=10):
        with member.open() as content:
            found[member.name] = content.read(), member.size
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_files_are_read_in_turn_by_what_the_archive_begins_with(tmp_path, kind):
    path = packed(tmp_path / "download", kind)
    assert contents(path) == dict.fromkeys(("a", "folder/b"), (EVIL, len(EVIL)))


def test_a_file_of_another_kind_is_refused_by_its_first_bytes(tmp_path):
    (tmp_path / "page").write_text("<!DOCTYPE html>")
    with pytest.raises(Refused, match="begins with b'<!DOCTYP'"):
        contents(tmp_path / "page")


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_that_is_cut_off_within_its_files_is_refused(tmp_path, kind):
    path = packed(tmp_path / "download", kind)
    whole = path.read_bytes()
    path.write_bytes(whole[: 3 * 512 + 5 if kind == "tar" else len(whole) // 2])
    with pytest.raises(Refused, match="a damaged archive"), damaged():
        contents(path)
