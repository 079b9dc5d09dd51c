"""What files from elsewhere try: archives, downloads, datasets and configs that mean harm.

Each goes through the function that a job or a run begins with, in a folder of its own; it is
refused if it ends in BadInput or a ValueError, and nothing beside the folder of results changed.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import download_archive
import unpack_archive
from faults.figures import Figure
from hostile_archives import TRIES, tar_of
from loopback import serving
from scans import write_dataset
from slicewise import archives, config
from slicewise.files import read_json, write_json
from slicewise.problems import BadInput
from slicewise.unpacked import open_unpacked

ROOT = Path(__file__).resolve().parents[2]

NAMES = (
    "../up",
    "/root",
    "a/b",
    "a b",
    "a\n",
    "-rf",
    ".a",
    "$(touch a)",
    "{a}",
    "<b>",
    "logs",
    "a_",
)
CASES = (
    "../up",
    "/root",
    "a\0b",
    "a b",
    "a\nb",
    "-rf",
    ".a",
    "$(a)",
    "`a`",
    "{a}",
    "<b>",
    "=1",
    "@a",
)
LABELS = ("=cmd|'/C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "a;=1")
FILES = ("../../up.nii.gz", "/etc/passwd", "labelsTr/../../../up.nii.gz")

MUTATIONS = 5000
"""Archives with random damage at full length."""

FEW_MEMBERS = 1000
"""The most members of an archive while it is tried: removing a quarter of a million takes long."""


def measure(folder: Path) -> list[Figure]:
    """Return how many threats were refused at full length."""
    return [
        hostile_archives(folder / "archives"),
        damaged_archives(folder / "damaged", MUTATIONS),
        wrong_downloads(folder / "downloads"),
        hostile_names(folder / "names"),
        through_snakemake(folder / "runs"),
    ]


def hostile_archives(folder: Path, **limits: int) -> Figure:
    """Return how many archives that must be refused were, and left nothing.

    limits: other values for constants of slicewise.archives.
    """
    with patch.multiple(archives, **{"MAX_MEMBERS": FEW_MEMBERS, **limits}):
        return _figure(
            "an archive that tries more than files in a folder is refused, and leaves nothing",
            ((name, lambda at, name=name: _unpacked(at, TRIES[name])) for name in TRIES),
            folder,
            "archives",
        )


def _unpacked(folder: Path, write: Callable[[Path], None]) -> bool:
    """Say whether an archive is refused by the job that unpacks it, and nothing of it is left."""
    archive = folder / "given" / "archive"
    archive.parent.mkdir(parents=True)
    write(archive)
    before = names_below(folder)
    try:
        raw = folder / "results" / "raw"
        unpack_archive.main(archive=archive, checksum=sha256_of(archive), raw=raw)
    except BadInput:
        return names_below(folder) - {"results"} == before
    return False


def damaged_archives(folder: Path, count: int, seed: int = 0) -> Figure:
    """Return how many archives with random damage were unpacked within their folder or refused."""
    rng, whole = random.Random(seed), [_tar(), _zip(zipfile.ZIP_STORED), _zip(zipfile.ZIP_DEFLATED)]
    kept, failed = 0, ""
    for number in range(count):
        content = _damaged(rng, rng.choice(whole))
        if content[257:262] == b"ustar" and rng.random() < 0.5:
            # Damage within, which gzip's own checksum does not see.
            content = gzip.compress(content, 1)
        archive = folder / "try" / "archive"
        archive.parent.mkdir(parents=True)
        archive.write_bytes(content)
        try:
            with suppress(BadInput):
                archives.unpack(archive, folder / "try" / "raw")
            held = {path.name for path in folder.iterdir()} == {"try"}
            held &= {path.name for path in archive.parent.iterdir()} <= {"archive", "raw"}
        except Exception as error:
            held, failed = False, failed or f"number {number}: {error!r}"
        kept += held
        shutil.rmtree(archive.parent)
    promise = "a damaged archive is refused or unpacked within its folder, without another error"
    return Figure(promise, kept, count, "archives", failed)


def wrong_downloads(folder: Path) -> Figure:
    """Return how many downloads that are not the file that was meant left nothing."""
    meant = b"meant" * 1000
    files = {"/other": b"other" * 1000, "/cut": meant, "/longer": meant + b"."}
    secret = folder / "secret"
    secret.parent.mkdir(parents=True)
    secret.write_bytes(meant)
    moved = {"/to-a-file": secret.as_uri(), "/round": "/round"}
    with serving(files, moved) as server, patch.object(download_archive, "WAITS", ()):
        tries = [
            (path, lambda at, path=path: _downloaded(at, server + path, meant))
            for path in (*files, *moved, "/none")
        ]
        return _figure(
            "a download that is not the file that was meant leaves nothing",
            tries,
            folder,
            "downloads",
        )


def _downloaded(folder: Path, url: str, meant: bytes) -> bool:
    """Say whether a download is refused and nothing of it is left."""
    folder.mkdir()
    sha256 = hashlib.sha256(meant).hexdigest()
    try:
        download_archive.main(url=url, checksum=sha256, archive=folder / "raw.download")
    except BadInput:
        # Half of a file waits, under another name, for the run that goes on with it.
        waiting = {f"raw.download.partial{ending}" for ending in ("", ".json")}
        return names_below(folder) == (waiting if url.endswith("/cut") else set())
    return False


def hostile_names(folder: Path) -> Figure:
    """Return how many names that would become paths, formulas or markup were refused.

    Of datasets and experiments in a config, of cases and labels in a dataset.json that otherwise
    serves, and of files that it lists.
    """
    tries = [(f"name in a config: {name!r}", lambda _, n=name: _refused_name(n)) for name in NAMES]
    for kind, texts in (("case", CASES), ("label", LABELS), ("file", FILES)):
        tries += [
            (f"{kind}: {text!r}", lambda at, k=kind, t=text: _refused_in_dataset(at, k, t))
            for text in texts
        ]
    return _figure("a name that means harm is refused", tries, folder, "names")


def _refused_name(name: str) -> bool:
    """Say whether a name is refused for a dataset and for an experiment."""
    mine = {"mine": {"phantom": {}}}
    refused = 0
    for given in (
        {"datasets": {name: {"phantom": {}}}},
        {"datasets": mine, "experiments": {name: {}}},
    ):
        try:
            config.load(given)
        except ValueError:
            refused += 1
    return refused == 2


def _refused_in_dataset(folder: Path, kind: str, text: str) -> bool:
    """Say whether a text is refused in an archive's dataset that would serve without it."""
    path = write_dataset(folder / "raw", [(4, 4, 4)])
    entry = {"images": ["imagesTr/case_00_0000.nii.gz"], "label": "labelsTr/case_00.nii.gz"}
    content = read_json(path)

    def serves(case: str, label: str, file: str) -> bool:
        names = content["labels"] | {label: 3}
        listed = {case: {**entry, "label": file}}
        write_json(path, content | {"labels": names, "dataset": listed})
        try:
            return open_unpacked(folder / "raw", 1).cases() == [case]
        except BadInput:
            return False

    good = {"case": "a", "label": "a", "file": entry["label"]}
    return serves(**good) and not serves(**good | {kind: text})


def through_snakemake(folder: Path, most: int | None = None) -> Figure:
    """Return how many archives were refused by whole runs, in words and with nothing left.

    most: how many to try, or None for all.
    """
    names = ("tar: file through a link", "tar: path upwards", "zip: symbolic link", "a web page")
    tries = [(name, lambda at, n=name: _stopped(at, TRIES[n], n)) for name in names]
    tries += [("another checksum", lambda at: _stopped(at, harmless, "checksum", "0" * 64))]
    return _figure("a run stops at an archive that means harm", tries[:most], folder, "runs")


def harmless(path: Path) -> None:
    tar_of(path, "dataset.json")


def _stopped(folder: Path, write: Callable[[Path], None], name: str, sha256: str = "") -> bool:
    """Say whether `snakemake` stops in words and leaves nothing but logs."""
    archive = folder / "given"
    folder.mkdir(parents=True)
    write(archive)
    given = {"archive": str(archive), "sha256": sha256 or sha256_of(archive)}
    (folder / "config.yaml").write_text(json.dumps({"datasets": {"mine": given}}))
    before = names_below(folder)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--snakefile", ROOT / "Snakefile"]
    command += ["fingerprint", "--directory", folder, "--configfile", folder / "config.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    left = names_below(folder) - before - {"results", "results/mine"}
    own = (".snakemake", "results/logs", "results/locks")
    only_logs = all(path.startswith(own) for path in left)
    in_words = f"{archive}: found" in said and "Traceback" not in said
    return done.returncode != 0 and in_words and only_logs


def _figure(
    promise: str, tries: Iterable[tuple[str, Callable[[Path], bool]]], folder: Path, unit: str
) -> Figure:
    """Return how many tries were refused, each in a folder of its own, and the first that was not.

    tries: a name, and what says of a folder whether it was refused there.
    """
    kept, count, first = 0, 0, ""
    for count, (name, is_refused) in enumerate(tries, start=1):
        held = is_refused(folder / f"{count}")
        kept += held
        if not held:
            first = first or f"first not refused: {name}"
    return Figure(promise, kept, count, unit, first)


def names_below(folder: Path) -> set[str]:
    """Return the paths of everything below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _tar() -> bytes:
    """Return a .tar of some files, one of them with a name that needs a header of its own."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("dataset.json", "imagesTr/größe_0000.nii.gz", "labelsTr/" + "a" * 120):
            header = tarfile.TarInfo(name)
            header.size = 600
            tar.addfile(header, io.BytesIO(bytes(600)))
    return packed.getvalue()


def _zip(method: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name in ("dataset.json", "imagesTr/größe_0000.nii.gz", "labelsTr/" + "a" * 120):
            archive.writestr(name, bytes(600))
    return packed.getvalue()


def _damaged(rng: random.Random, content: bytes) -> bytes:
    """Return an archive with some bytes changed, cut or repeated."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        place, length = rng.randrange(len(changed)), rng.choice((1, 1, 4, 8, 512))
        kind = rng.randrange(5)
        if kind == 0:
            changed[place : place + length] = rng.randbytes(length)
        elif kind == 1:
            changed[place] = rng.choice((0, 0x2E, 0x2F, 0x5C, 0x7F, 0x80, 0xFF))
        elif kind == 2 and len(changed) > length + 1:
            del changed[place : place + length]
        elif kind == 3:
            changed[place:place] = changed[place : place + length]
        else:
            changed[place] ^= 1 << rng.randrange(8)
    return _with_checksums(changed) if rng.random() < 0.7 else bytes(changed)


def _with_checksums(content: bytearray) -> bytes:
    """Return a .tar whose headers have the right checksums again; other archives as they are.

    Most damage would otherwise end at the first checksum.
    """
    for start in range(0, len(content) - 511, 512):
        if content[start + 257 : start + 262] == b"ustar":
            content[start + 148 : start + 156] = b" " * 8
            total = sum(content[start : start + 512])
            content[start + 148 : start + 156] = b"%06o\0 " % total
    return bytes(content)
