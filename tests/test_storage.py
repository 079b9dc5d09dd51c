"""Archives in a bucket, through Snakemake's S3 plugin and a server of that kind on this machine."""

import hashlib

import boto3
import pytest
from moto.server import ThreadedMotoServer

from scans import write_dataset
from test_workflow import checkout
from test_workflow_archives import packed

BUCKET = "scans"
KEYS = {"access_key": "someone", "secret_key": "secret"}


@pytest.fixture(scope="module")
def endpoint():
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint):
    store = boto3.resource(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEYS["access_key"],
        aws_secret_access_key=KEYS["secret_key"],
    )
    return store.create_bucket(Bucket=BUCKET)


@pytest.fixture
def fresh(root, tmp_path, endpoint, monkeypatch):
    for name, value in {"endpoint_url": endpoint, **KEYS}.items():
        monkeypatch.setenv(f"SNAKEMAKE_STORAGE_S3_{name.upper()}", value)
    return checkout(root, tmp_path)


@pytest.fixture
def archive(fresh):
    raw = write_dataset(fresh.folder / "Dataset009_Spleen", [(14, 16, 6)] * 4).parent
    return packed(raw, fresh.folder / "spleen.tar.gz")


def run(fresh, *targets):
    done = fresh.snakemake(*targets, "--configfile", "tiny.yaml")
    return done.returncode, done.stdout + done.stderr


def given(fresh, archive, checksum):
    address = f"s3://{BUCKET}/msd/{archive.name}"
    fresh.configure(datasets={"spleen": {"archive": address, "sha256": checksum}})


def test_an_archive_in_a_bucket_is_unpacked_and_nothing_of_it_stays(fresh, archive, bucket):
    bucket.upload_file(str(archive), f"msd/{archive.name}")
    given(fresh, archive, hashlib.sha256(archive.read_bytes()).hexdigest())
    archive.unlink()
    code, said = run(fresh, "results/spleen/raw.cases.json")
    assert code == 0, said
    assert (fresh.folder / "results/spleen/raw/Dataset009_Spleen/dataset.json").exists()
    assert list(fresh.folder.rglob("spleen.tar.gz")) == []


def test_an_archive_in_a_bucket_is_held_against_its_checksum(fresh, archive, bucket):
    bucket.upload_file(str(archive), f"msd/{archive.name}")
    given(fresh, archive, "0" * 64)
    code, said = run(fresh, "results/spleen/raw.cases.json")
    assert code != 0
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert f"spleen.tar.gz: found the checksum (sha256) {found}, expected 000" in said
    assert "Traceback" not in said
    assert not (fresh.folder / "results/spleen/raw").exists()
