"""The Kubernetes profile: its settings, its image and a run against a cluster's interface."""

import hashlib
import re
import subprocess
import sys
from pathlib import PurePosixPath

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

from checkouts import checkout
from fake_kubernetes import Cluster, image_environment, running
from scans import write_dataset
from test_workflow_archives import packed


@pytest.fixture
def profile(root):
    return root / "workflow" / "profiles" / "kubernetes"


@pytest.fixture
def settings(profile):
    return yaml.safe_load((profile / "config.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def manifests(profile):
    text = (profile / "cluster.yaml").read_text(encoding="utf-8")
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


@pytest.fixture
def allowed(manifests):
    """Return what the run's account may do: resources and verbs."""
    return {
        (resource, verb)
        for rule in manifests["Role"]["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.fixture
def driver(manifests):
    """Return the pod of the run itself."""
    return manifests["Job"]["spec"]["template"]["spec"]


@pytest.fixture
def bucket():
    """Yield a bucket of a server of that kind on this machine, and the server's address."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    keys = {"aws_access_key_id": "someone", "aws_secret_access_key": "secret"}
    store = boto3.resource("s3", endpoint_url=address, region_name="us-east-1", **keys)
    yield store.create_bucket(Bucket="scans"), address
    server.stop()


def test_a_run_goes_through_pods_that_share_its_volume(root, tmp_path, bucket, allowed):
    volume, nodes = tmp_path / "volume", tmp_path / "nodes"
    volume.mkdir()
    nodes.mkdir()
    fresh = checkout(root, volume)
    raw = write_dataset(tmp_path / "Dataset009_Spleen", [(14, 16, 6)] * 4).parent
    archive = packed(raw, tmp_path / "spleen.tar.gz")
    store, address = bucket
    store.upload_file(str(archive), "spleen.tar.gz")
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    given = {"archive": "s3://scans/spleen.tar.gz", "sha256": sha256}
    fresh.configure(datasets={"spleen": given})
    keys = {"endpoint_url": address, "access_key": "someone", "secret_key": "secret"}
    image = image_environment(root)
    # One question of each kind is not answered, and the log of a pod went with its node.
    asking = {("jobs", "create"), ("jobs/status", "get"), ("pods", "list")}
    hiccups = asking | {("pods/log", "get")}
    cluster = Cluster(nodes, image, evicted=1, hiccups=hiccups)
    command = [
        *("snakemake", "--profile", root / "workflow/profiles/kubernetes"),
        *("--snakefile", root / "Snakefile", "--configfile", "tiny.yaml"),
        *("--kubernetes-volume-persistent-volumes", f"claim:{volume}"),
        *("--set-resources", "unpack_archive:gpu=1", "--seconds-between-status-checks", "1"),
        *("--latency-wait", "5", "--", "results/spleen/raw"),
    ]
    with running(cluster) as kubeconfig:
        done = subprocess.run(
            [sys.executable, "-m", *map(str, command)],
            cwd=volume,
            env={
                **image,
                **{f"SNAKEMAKE_STORAGE_S3_{name.upper()}": value for name, value in keys.items()},
                "KUBECONFIG": str(kubeconfig),
            },
            capture_output=True,
            text=True,
            timeout=300,
        )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said + "".join(p.read_text() for p in nodes.glob("*.log"))
    assert (volume / "results/spleen/raw/Dataset009_Spleen/dataset.json").exists()
    # Nothing was left in the folders that pods have for themselves, nor in the cluster.
    assert [path for path in nodes.glob("*/*") if path.is_file()] == []
    assert list(volume.rglob("spleen.tar.gz")) == []
    names = [job["metadata"]["name"] for job in cluster.jobs]
    assert {f"jobs/{name}" for name in names} <= set(cluster.removed)
    assert [f"secrets/{name}" for name in cluster.secrets] == cluster.removed[-1:]
    assert set(cluster.asked) == allowed
    assert "read_namespaced_job_status: " in said
    evicted, unpacking = (job["spec"]["template"]["spec"] for job in cluster.jobs)
    for pod, memory in ((evicted, "750M"), (unpacking, "1500M")):
        assert pod["containers"][0]["resources"]["limits"]["memory"] == memory
    assert "--attempt 1" in evicted["containers"][0]["args"][1]
    assert "--attempt 2" in unpacking["containers"][0]["args"][1]
    check_pod(unpacking, volume, address)
    check_gpu(unpacking)


def check_pod(pod, volume, address):
    """Check what the pod of a job has of the run that started it."""
    (container,) = pod["containers"]
    assert container["image"] == "registry.example.org/slicewise:1"
    command = container["args"][1]
    assert re.search(r"&& export SLICEWISE_RUN='snakemake, process \d+ on ", command)
    assert f"&& cd {volume} && heed python -m snakemake " in command
    assert "pip install" not in command
    assert address not in command
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts == {"workdir": "/workdir", "claim": str(volume), "shm": "/dev/shm"}
    volumes = {found["name"]: found for found in pod["volumes"]}
    assert volumes["claim"]["persistentVolumeClaim"] == {"claimName": "claim"}
    # Processes on several GPUs share more memory than the 64 MB that a pod has without it.
    assert volumes["shm"]["emptyDir"] == {"medium": "Memory"}
    limits, requests = container["resources"]["limits"], container["resources"]["requests"]
    assert limits["memory"] == requests["memory"]
    # Snakemake's default would be twice the size of the inputs.
    assert limits["ephemeral-storage"] == requests["ephemeral-storage"] == "2000M"
    secret = {variable["name"] for variable in container["env"]}
    assert {"SNAKEMAKE_STORAGE_S3_SECRET_KEY", "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL"} <= secret


def check_gpu(pod):
    """Check that a pod asks for a GPU as Kubernetes wants it: limit and request alike."""
    resources = pod["containers"][0]["resources"]
    assert resources["limits"]["nvidia.com/gpu"] == resources["requests"]["nvidia.com/gpu"] == "1"
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"


def test_results_in_a_bucket_are_refused(root, tmp_path):
    done = checkout(root, tmp_path).snakemake(
        *("-n", "--default-storage-provider", "s3", "--default-storage-prefix", "s3://work")
    )
    assert done.returncode != 0
    assert "--default-storage-provider: found one, expected none" in done.stdout + done.stderr


def test_the_driver_has_what_its_pods_have(settings, driver):
    (container,) = driver["containers"]
    assert container["image"] == settings["container-image"]
    claims = {v["name"]: v["persistentVolumeClaim"]["claimName"] for v in driver["volumes"]}
    mounted = [f"{claims[m['name']]}:{m['mountPath']}" for m in container["volumeMounts"]]
    assert mounted == settings["kubernetes-volume-persistent-volumes"]
    # Rules that run beside it have one memory for all: one at a time.
    assert settings["local-cores"] == 1
    assert PurePosixPath(container["workingDir"]).is_relative_to("/data")


def test_the_driver_has_the_account_that_the_role_is_for(settings, manifests, driver):
    account = manifests["ServiceAccount"]["metadata"]["name"]
    assert driver["serviceAccountName"] == account
    (subject,) = manifests["RoleBinding"]["subjects"]
    assert (subject["kind"], subject["name"]) == ("ServiceAccount", account)
    assert manifests["RoleBinding"]["roleRef"]["name"] == manifests["Role"]["metadata"]["name"]
    assert manifests["PersistentVolumeClaim"]["spec"]["accessModes"] == ["ReadWriteMany"]
    namespaces = {document["metadata"]["namespace"] for document in manifests.values()}
    assert namespaces == {subject["namespace"]} == {settings["kubernetes-volume-namespace"]}


@pytest.fixture
def instructions(root):
    """Return the instructions of the container file, each on one line."""
    text = (root / "envs" / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def test_the_image_begins_with_a_version_that_is_pinned(instructions):
    name, base = instructions[0]
    assert name == "FROM"
    assert re.fullmatch(r"docker\.io/library/python:3\.11\.\d+-slim-bookworm", base)


def test_all_that_the_image_takes_is_there(root, instructions):
    copied = [given.split() for name, given in instructions if name == "COPY"]
    sources = {source for *from_here, _ in copied for source in from_here}
    assert all((root / source).exists() for source in sources)
    assert {"Snakefile", "workflow", "config", "envs/requirements.txt"} <= sources
    installed = next(given for name, given in instructions if name == "RUN")
    for target in re.findall(r"--requirement (\S+)", installed):
        assert target.removeprefix("/opt/slicewise/") in sources
    # A requirements file takes another in by its name.
    for source in filter(lambda source: source.endswith(".txt"), sources):
        for included in re.findall(r"^-r (\S+)$", (root / source).read_text(), re.MULTILINE):
            assert f"envs/{included}" in sources


def test_what_runs_and_other_pythons_left_stays_out_of_the_image(root, instructions):
    lines = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    left_out = {line for line in lines if not line.startswith("#")}
    assert {"**/__pycache__", ".venv*", "results", ".git"} <= left_out
    copied = [given.split() for name, given in instructions if name == "COPY"]
    sources = [source for *from_here, _ in copied for source in from_here]
    assert not [s for s in sources for pattern in left_out if PurePosixPath(s).match(pattern)]


def test_jobs_in_the_image_are_not_of_root_and_find_the_executor(root, instructions, driver):
    given = {name: value for name, value in instructions if name in ("USER", "WORKDIR")}
    assert given == {"USER": "1000:1000", "WORKDIR": "/data"}
    assert driver["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "runAsGroup": 1000,
        "fsGroup": 1000,
    }
    folder = "workflow/profiles/kubernetes"
    assert ("ENV", f"PYTHONPATH=/opt/slicewise/{folder}") in instructions
    assert (root / folder / "snakemake_executor_plugin_kubernetes_volume").is_dir()
    command = driver["containers"][0]["command"]
    for option in ("--profile", "--snakefile"):
        inside = command[command.index(option) + 1]
        assert (root / inside.removeprefix("/opt/slicewise/")).exists()


def test_nothing_is_fetched_by_the_image_but_packages(instructions):
    assert not [given for name, given in instructions if name == "ADD"]
    assert not [given for _, given in instructions if re.search(r"curl|wget|sudo|:latest", given)]
