"""Datasets that come as archives, through the workflow: cases are known once they are unpacked."""

import hashlib
import json
import tarfile

import pytest

from loopback import Manners, serving
from scans import write_dataset
from test_workflow import checkout


@pytest.fixture
def fresh(root, tmp_path):
    return checkout(root, tmp_path)


@pytest.fixture
def raw(fresh):
    return write_dataset(fresh.folder / "Dataset009_Spleen", [(14, 16, 6)] * 4).parent


@pytest.fixture
def archive(fresh, raw):
    return packed(raw, fresh.folder / "spleen.tar.gz")


def packed(folder, archive, root=None):
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, root or folder.name)
    return archive


def sha256(archive):
    return hashlib.sha256(archive.read_bytes()).hexdigest()


def run(checkout, *targets):
    done = checkout.snakemake(*targets, "--configfile", "tiny.yaml")
    return done.returncode, done.stdout + done.stderr


def test_an_archive_that_is_downloaded_leads_to_what_its_folder_leads_to(fresh, raw, archive):
    content, path = archive.read_bytes(), "/files?id=9"
    results = fresh.folder / "results"
    with serving({path: content}, manners=(manners := Manners(tags={path: '"1"'}))) as server:
        given = {"archive": f"{server}{path}", "sha256": sha256(archive)}
        fresh.configure(datasets={"fetched": given, "own": {"raw": str(raw)}})
        # The connection breaks, the server is gone; the next run goes on with what there is.
        manners.cuts[:], manners.statuses[:] = [100], [0, 404]
        code, said = run(fresh, "results/fetched/raw")
        assert code != 0
        assert "goes on from the 100 bytes in results/fetched/raw.download.partial" in said
        assert (results / "fetched/raw.download.partial").read_bytes() == content[:100]
        code, said = run(fresh, "plan", "export")
    assert code == 0, said
    assert [part for _, part, _ in manners.asked] == [None, "bytes=100-", "bytes=100-"]
    assert list((results / "fetched").glob("raw.download*")) == []
    for path in (results / "own").rglob("*"):
        if path.is_file():
            twin = results / "fetched" / path.relative_to(results / "own")
            assert twin.exists(), f"{twin} is missing after:\n{said}"
            assert twin.read_bytes() == path.read_bytes(), path
    assert fresh.jobs("plan", "export") == {}


def test_what_is_not_what_was_meant_is_downloaded_once(fresh, archive):
    """Profiles for clusters have every job tried again."""
    content = {"/spleen.tar.gz": archive.read_bytes()}
    with serving(content, manners=(manners := Manners())) as server:
        given = {"archive": f"{server}/spleen.tar.gz", "sha256": "0" * 64}
        fresh.configure(datasets={"fetched": given})
        code, said = run(fresh, "results/fetched/raw", "--retries", "2")
    assert code != 0
    assert "found the checksum (sha256)" in said
    assert len(manners.asked) == 1


@pytest.mark.parametrize("target", ["export", "all"])
def test_every_stage_begins_with_the_archive(fresh, archive, target):
    given = {"archive": str(archive), "sha256": sha256(archive)}
    fresh.configure(datasets={"spleen": given})
    assert "unpack_archive" in fresh.jobs(target)


def test_another_checksum_stops_and_the_right_one_goes_on(fresh, raw):
    for path in raw.rglob("case_*"):
        path.rename(path.with_name(path.name.replace("case_", "phantom_")))
    # Files where phantoms would have theirs, too: no rule for phantoms takes them for its own.
    archive = packed(raw, fresh.folder / "spleen.tar.gz", ".")
    fresh.configure(datasets={"spleen": {"archive": str(archive), "sha256": "0" * 64}})
    code, said = run(fresh, "fingerprint")
    assert code != 0
    assert f"spleen.tar.gz: found the checksum (sha256) {sha256(archive)}, expected 000" in said
    assert "Traceback" not in said
    assert not (fresh.folder / "results/spleen/raw").exists()
    fresh.configure(datasets={"spleen": {"archive": str(archive), "sha256": sha256(archive)}})
    code, said = run(fresh, "results/spleen/splits_final.json")
    assert code == 0, said
    archive.touch()
    jobs = fresh.jobs("fingerprint")
    assert "analyze_cases" in jobs
    assert not {"unpack_archive", "make_phantoms", "describe_phantoms"} & set(jobs)


def test_what_is_wrong_with_an_unpacked_dataset_is_told(fresh, raw):
    content = json.loads((raw / "dataset.json").read_text())
    (raw / "dataset.json").write_text(json.dumps(content | {"labels": {}}))
    archive = packed(raw, fresh.folder / "spleen.tar.gz")
    fresh.configure(datasets={"spleen": {"archive": str(archive), "sha256": sha256(archive)}})
    code, said = run(fresh, "fingerprint")
    assert code != 0
    assert "ERROR: results/spleen/raw/Dataset009_Spleen/dataset.json: found labels" in said
    assert "Traceback" not in said
    assert (fresh.folder / "results/spleen/raw").is_dir()
