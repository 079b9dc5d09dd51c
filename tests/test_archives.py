"""Archives of datasets: what is unpacked, and that what tries more leaves nothing behind."""

import os
import stat
import tarfile
import zipfile
from types import SimpleNamespace

import pytest

from hostile_archives import EVIL, TRIES, of_type, tar_of, with_mode, zip_of
from slicewise import archives
from slicewise.archives import check_digest, dataset_json, is_address, is_on_the_web, unpack
from slicewise.problems import BadInput


def tree(folder):
    """Return the files below a folder with their content, and its folders with none."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def small_limits(monkeypatch):
    monkeypatch.setattr(archives, "MAX_MEMBERS", 100)
    monkeypatch.setattr(archives, "SMALL", 1 << 20)


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("tried", TRIES)
def test_what_an_archive_must_not_do_is_refused_and_nothing_is_left(tmp_path, tried):
    archive = tmp_path / "given" / "archive"
    archive.parent.mkdir()
    TRIES[tried](archive)
    before = tree(tmp_path)
    with pytest.raises(BadInput, match=r"given/archive: found .*, expected .*nothing of it was"):
        unpack(archive, tmp_path / "results" / "raw")
    assert tree(tmp_path) == before | {"results": None}


@pytest.mark.parametrize(
    ("tried", "said"),
    [
        ("tar: path upwards", r"the member '\.\./evil' with a path that leads upwards"),
        ("tar: symbolic link", "the member 'a', a symbolic link"),
        ("tar: escape sequence in a name", r"'a\\x1b\[2J' with an invisible character"),
        ("tar: same name in upper case", "the member 'A/c' beside 'a'"),
        ("zip: encrypted", "the member 'a', encrypted"),
        ("zip: larger than stated", "a damaged archive .*CRC"),
        ("tar: header larger than the memory", "found headers of more bytes than"),
        ("zip: directory larger than the memory", "found headers of more bytes than"),
        ("a web page", r"begins with b'<!DOCTYP', expected a \.tar, \.tar\.gz or \.zip file"),
    ],
)
def test_the_reason_is_named(tmp_path, tried, said):
    TRIES[tried](tmp_path / "archive")
    with pytest.raises(BadInput, match=said):
        unpack(tmp_path / "archive", tmp_path / "raw")


def test_an_archive_larger_than_the_disk_is_refused(tmp_path, monkeypatch):
    tar_of(tmp_path / "a.tar.gz", "a")
    usage = SimpleNamespace(free=archives.SPARE + len(EVIL) - 1)
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(BadInput, match="of 21 bytes, expected no more than the 20 that the disk"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "raw")
    usage.free += 1
    unpack(tmp_path / "a.tar.gz", tmp_path / "raw")


def pack(folder, archive):
    """Pack a folder by the kind that the name of the archive says."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for path in sorted(folder.rglob("*")):
                packed.write(path, path.relative_to(folder))
    else:
        with tarfile.open(archive, "w:gz" if archive.suffix == ".gz" else "w") as tar:
            tar.add(folder, ".")


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.zip"])
def test_files_and_folders_are_unpacked_as_they_are(tmp_path, name):
    source = tmp_path / "source"
    (source / "Task09_Spleen/imagesTr").mkdir(parents=True)
    (source / "empty").mkdir()
    (source / "Task09_Spleen/dataset.json").write_text("{}")
    for size in (0, 1, 511, 512, 513, 10_240, 3 * archives.CHUNK + 5):
        content = os.urandom(size)
        (source / "Task09_Spleen/imagesTr" / f"größe {size}.nii.gz").write_bytes(content)
    pack(source, tmp_path / name)
    unpack(tmp_path / name, tmp_path / "raw")
    assert tree(tmp_path / "raw") == tree(source)
    assert dataset_json(tmp_path / "raw") == tmp_path / "raw/Task09_Spleen/dataset.json"


def test_an_archive_within_an_archive_stays_one(tmp_path):
    tar_of(tmp_path / "inner.tar.gz", "../evil")
    with tarfile.open(tmp_path / "outer.tar", "w") as tar:
        tar.add(tmp_path / "inner.tar.gz", "inner.tar.gz")
    unpack(tmp_path / "outer.tar", tmp_path / "raw")
    inner = (tmp_path / "inner.tar.gz").read_bytes()
    assert tree(tmp_path / "raw") == {"inner.tar.gz": inner}


def test_files_have_the_rights_of_new_files_whatever_the_archive_says(tmp_path):
    header = tarfile.TarInfo("program")
    header.mode, header.uid = 0o6777, 12345
    tar_of(tmp_path / "a.tar.gz", header, of_type("folder", tarfile.DIRTYPE))
    zip_of(tmp_path / "a.zip", with_mode("program", stat.S_IFREG | 0o6777))
    (tmp_path / "new").touch()
    mine = (tmp_path / "new").stat()
    for name in ("a.tar.gz", "a.zip"):
        unpack(tmp_path / name, tmp_path / f"{name}.raw")
        unpacked = (tmp_path / f"{name}.raw/program").stat()
        assert (unpacked.st_mode, unpacked.st_uid) == (mine.st_mode, mine.st_uid)


def test_what_macos_adds_is_left_out(tmp_path):
    zip_of(tmp_path / "a.zip", "a/b", "__MACOSX/a/._b", "a/._b", "a/.DS_Store")
    unpack(tmp_path / "a.zip", tmp_path / "raw")
    assert tree(tmp_path / "raw") == {"a": None, "a/b": EVIL}


def test_what_a_killed_run_left_is_replaced_and_a_link_not_followed(tmp_path):
    (tmp_path / "results/.7.raw").mkdir(parents=True)
    (tmp_path / "results/.7.raw/half").write_text("half a file")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "results/raw").symlink_to(tmp_path / "elsewhere")
    tar_of(tmp_path / "a.tar.gz", "a")
    with pytest.raises(OSError, match="symbolic link"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "results/raw")
    (tmp_path / "results/raw").unlink()
    unpack(tmp_path / "a.tar.gz", tmp_path / "results/raw")
    assert tree(tmp_path / "results") == {"raw": None, "raw/a": EVIL}
    assert tree(tmp_path / "elsewhere") == {}


def test_each_part_of_a_path_is_compared_once(tmp_path, monkeypatch):
    """A quarter of a million files deep in folders would otherwise take half an hour."""
    seen = []
    monkeypatch.setattr(
        archives,
        "unicodedata",
        SimpleNamespace(normalize=lambda _, part: seen.append(part) or part),
    )
    tar_of(tmp_path / "a.tar.gz", *("a/" * 400 + str(number) for number in range(3)))
    unpack(tmp_path / "a.tar.gz", tmp_path / "raw")
    assert len(seen) == 3 * 401


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("a/b/dataset.json",), "found none"),
        (("a/dataset.json", "b/dataset.json"), "found one in each of 2 folders"),
    ],
)
def test_a_dataset_json_that_is_not_found_is_named(tmp_path, names, said):
    tar_of(tmp_path / "a.tar.gz", *names)
    unpack(tmp_path / "a.tar.gz", tmp_path / "raw")
    with pytest.raises(BadInput, match=said):
        dataset_json(tmp_path / "raw")


def test_a_dataset_json_in_the_root_is_taken_before_others(tmp_path):
    tar_of(tmp_path / "a.tar.gz", "dataset.json", "other/dataset.json")
    unpack(tmp_path / "a.tar.gz", tmp_path / "raw")
    assert dataset_json(tmp_path / "raw") == tmp_path / "raw/dataset.json"


def test_an_address_is_no_path_and_not_every_one_is_on_the_web():
    given = ["https://a/b.tar", "http://a/b.tar", "s3://a/b.tar", "b.tar", "a/s3://b.tar"]
    assert [is_address(archive) for archive in given] == [True, True, True, False, False]
    assert [is_on_the_web(archive) for archive in given] == [True, True, False, False, False]


def test_the_checksum_is_compared(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    right = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"  # FIPS 180-2, B.1
    check_digest(tmp_path / "a", right)
    with pytest.raises(BadInput, match=rf"sha256\) {right.lower()}, expected {'0' * 64}"):
        check_digest(tmp_path / "a", "0" * 64)
