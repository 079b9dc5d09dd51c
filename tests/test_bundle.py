"""`make bundle` on a workflow of one rule, with one package that comes as source."""

import io
import os
import subprocess
import sys
import tarfile

import pytest

SNAKEFILE = """
rule all:
    output:
        touch("done"),
"""
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
BACKEND = """
import zipfile

def build_wheel(folder, *_):
    name = "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        info = "tiny-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""
CONFIG = "my config.yaml"


def write_source(path):
    """Write a package as a source archive, which is built without any other."""
    files = {"pyproject.toml": PYPROJECT, "backend.py": BACKEND}
    files["PKG-INFO"] = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"tiny-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))


@pytest.fixture
def place(root, tmp_path, monkeypatch):
    """Return a repository with a finished run, which finds packages in a folder beside it alone."""
    index, place = tmp_path / "index", tmp_path / "place"
    for folder in (index, place / "envs", place / "config", place / ".venv/bin"):
        folder.mkdir(parents=True)
    write_source(index / "tiny-1.0.tar.gz")
    (place / "Makefile").write_text((root / "Makefile").read_text())
    (place / "Snakefile").write_text(SNAKEFILE)
    (place / "envs/requirements.txt").write_text("tiny==1.0\n")
    (place / "config/config.yaml").write_text("mine: false\n")
    (place / CONFIG).write_text("mine: true\n")
    python = place / ".venv/bin/python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    for stamp in ("run", "test"):
        (place / f".venv/{stamp}.stamp").touch()
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for step in ("init --quiet", "add Makefile Snakefile envs config", "commit --quiet -m a"):
        subprocess.run([*git, *step.split()], cwd=place, check=True)
    (place / "done").touch()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return place


def make_bundle(place, *arguments):
    return subprocess.run(
        ["make", "bundle", *arguments], cwd=place, capture_output=True, text=True, check=False
    )


def test_a_bundle_can_be_installed_without_a_network(place, tmp_path):
    done = make_bundle(place, f"CONFIG={CONFIG}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (place / "bundle").exists()
    with tarfile.open(place / "bundle.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    bundle = tmp_path / "bundle"
    assert [path.name for path in bundle.glob("wheels/*")] == ["tiny-1.0-py3-none-any.whl"]
    assert (bundle / "config/config.yaml").read_text() == "mine: true\n"
    assert (bundle / "report.zip").exists()
    assert len((bundle / "COMMIT").read_text()) == 41
    install = "install --dry-run --quiet --only-binary :all: -r envs/requirements.txt"
    subprocess.run(
        [sys.executable, "-m", "pip", *install.split()],
        cwd=bundle,
        env={**os.environ, "PIP_FIND_LINKS": "wheels"},
        check=True,
    )


def test_a_folder_of_that_name_is_left_as_it_is(place):
    (place / "bundle").mkdir()
    (place / "bundle/mine").write_text("mine")
    done = make_bundle(place)
    assert done.returncode != 0
    assert "bundle: found one already, expected none" in done.stdout
    assert (place / "bundle/mine").read_text() == "mine"


def test_a_report_that_fails_leaves_no_half_of_a_bundle(place):
    done = make_bundle(place, "CONFIG=none.yaml")
    assert done.returncode != 0
    assert not list(place.glob("bundle*"))
