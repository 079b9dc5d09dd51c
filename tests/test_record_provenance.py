"""The record of where results come from."""

import json
import shutil
import subprocess

import pytest

import record_provenance
from record_provenance import PACKAGES, input_files, machines, workflow_version
from slicewise.checksums import sha256, write_checksums
from slicewise.files import read_json
from slicewise.job import MACHINE
from test_envs import pins

SCRIPT = "workflow/scripts/record_provenance.py"


@pytest.fixture
def repository(tmp_path):
    """Return a folder as the workflow lies in it, under git."""
    for name in ("workflow/scripts", "envs"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / SCRIPT).write_text("")
    (tmp_path / "Snakefile").write_text("")
    (tmp_path / "CITATION.cff").write_text("cff-version: 1.2.0\nversion: 0.3.1\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "a")
    return tmp_path


def git(folder, *arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True)


def test_a_clean_commit_is_named(repository):
    found = workflow_version(None, repository)
    assert found["version"] == "0.3.1"
    assert len(found["commit"]) == 40
    assert found["changed"] == []


def test_what_differs_from_the_commit_is_named(repository):
    (repository / "Snakefile").write_text("changed")
    (repository / "workflow/new.smk").write_text("new")
    (repository / "README.md").write_text("of no effect")
    assert workflow_version(None, repository)["changed"] == ["Snakefile", "workflow/new.smk"]


def test_a_copy_without_a_repository_has_no_commit_but_its_reference(repository):
    shutil.rmtree(repository / ".git")
    found = workflow_version("v1", repository)
    assert (found["commit"], found["changed"], found["reference"]) == (None, None, "v1")


def test_a_repository_that_it_only_lies_in_says_nothing_of_it(repository):
    git(repository, "rm", "--quiet", "--cached", SCRIPT)
    git(repository, "commit", "--quiet", "-m", "another project")
    assert workflow_version(None, repository)["commit"] is None


def test_the_packages_are_those_that_are_required(root):
    assert {name.lower() for name in PACKAGES} == set(pins(root / "envs/requirements.txt"))


def test_machines_are_those_of_the_logs_each_once(tmp_path):
    logs = [tmp_path / name for name in ("a", "b", "c", "gone")]
    for log, processor in zip(logs, "XYX", strict=False):
        machine = json.dumps({"processor": processor})
        said = f"DEBUG: {MACHINE}{machine}\nINFO: training on cuda, 2 processes\n"
        log.write_text(said)
    found = [{"device": "cuda", "processor": processor} for processor in "XY"]
    assert machines(logs) == machines(logs[::-1]) == found


def test_inputs_are_gathered_by_dataset(tmp_path):
    (tmp_path / "x").write_text("x")
    tables = [tmp_path / "0", tmp_path / "1"]
    write_checksums(tables[0], [tmp_path / "x"], tmp_path)
    write_checksums(tables[1], [], tmp_path)
    found = input_files(tables, ["a", "b"])
    assert found == {"a": {"x": sha256(tmp_path / "x")}, "b": {}}


def test_the_same_run_writes_the_same_record_with_checksums_of_what_it_made(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/plans.json").write_text("{}")
    for name in ("one", "two"):
        record_provenance.main(
            checksums=[],
            datasets=[],
            made=[tmp_path / "a/plans.json"] * 2,
            results=tmp_path,
            config={"results": "results"},
            runs=[("a", "b", 0, 1)],
            scripts={"train_fold": "digest"},
            logs=[],
            reference=None,
            provenance=tmp_path / f"{name}.json",
        )
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    found = read_json(tmp_path / "one.json")
    assert found["outputs"] == {"a/plans.json": sha256(tmp_path / "a/plans.json")}
    assert found["runs"] == [{"dataset": "a", "experiment": "b", "fold": 0, "seed": 1}]
    assert found["packages"]["numpy"]
