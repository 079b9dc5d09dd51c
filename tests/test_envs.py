import ast
import re
import sys
from importlib import metadata
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

# The packages whose import, or whose name on conda-forge, is not their name on PyPI.
IMPORTED_AS = {"yaml": "pyyaml", "PIL": "pillow"}
ON_CONDA_FORGE = {"matplotlib-base": "matplotlib", "pytorch": "torch"}
INSTALLED = [
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-slurm.txt",
    "requirements-kubernetes.txt",
    "requirements-s3.txt",
]
"""What `make test` installs into one environment; nnU-Net's is another."""

CONDA_FILES = ["analysis.yaml", "explorer.yaml", "figures.yaml", "torch.yaml"]


def normalised(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def lines(path):
    text = path.read_text(encoding="utf-8").splitlines()
    return [line for line in text if line and not line.startswith(("#", "-r "))]


def pins(path):
    """Return name -> version of a requirements file."""
    split = (re.split("={2,3}", line) for line in lines(path))
    return {normalised(name.partition("[")[0]): version for name, version in split}


def conda_pins(path):
    """Return name -> version of a conda file, those that it leaves to pip too; without python."""
    found = {}
    for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["dependencies"]:
        if isinstance(entry, dict):
            found |= {normalised(n): v for n, v in (line.split("==") for line in entry["pip"])}
        elif entry != "pip":
            name, version = entry.split(" =")
            found[ON_CONDA_FORGE.get(name, normalised(name))] = version
    found.pop("python")
    return found


@pytest.fixture(scope="module")
def envs(root):
    return root / "envs"


@pytest.mark.parametrize("name", [*INSTALLED, "requirements-nnunet.txt"])
def test_every_requirement_is_pinned_and_says_why_it_is_there(envs, name):
    text = (envs / name).read_text(encoding="utf-8").splitlines()
    for above, line in pairwise(text):
        if line and not line.startswith(("#", "-r ")):
            assert re.fullmatch(r"[A-Za-z0-9._-]+(\[[a-z]+\])?={2,3}[0-9][0-9.]*", line), line
            assert above.startswith("# "), f"{line}: no comment above it"


def test_every_conda_file_is_held_equal(envs):
    assert sorted(path.name for path in envs.glob("*.yaml")) == CONDA_FILES


@pytest.mark.parametrize("name", CONDA_FILES)
def test_conda_files_have_the_versions_of_the_requirements(envs, name):
    required = pins(envs / "requirements.txt")
    found = conda_pins(envs / name)
    assert found == {package: required.get(package) for package in found}


@pytest.mark.parametrize("name", CONDA_FILES)
def test_conda_files_name_their_channels(envs, name):
    content = yaml.safe_load((envs / name).read_text(encoding="utf-8"))
    assert content["channels"] == ["conda-forge", "bioconda", "nodefaults"]


def test_every_requirement_of_a_job_is_in_a_conda_file(envs):
    required = set(pins(envs / "requirements.txt"))
    in_conda = {package for name in CONDA_FILES for package in conda_pins(envs / name)}
    assert required - in_conda == {"snakemake", "pygments"}


def test_what_nnunet_shares_with_a_run_has_the_same_version(envs):
    required, nnunet = pins(envs / "requirements.txt"), pins(envs / "requirements-nnunet.txt")
    assert {"torch", "numpy", "scipy", "nibabel"} <= required.keys() & nnunet.keys()
    assert all(required[name] == nnunet[name] for name in required.keys() & nnunet.keys())


@pytest.mark.parametrize("name", INSTALLED)
def test_the_pinned_versions_are_those_installed(envs, name):
    for package, version in pins(envs / name).items():
        # Builds of PyTorch name their device behind a plus.
        assert metadata.version(package).split("+")[0] == version, package


def imported(folder):
    """Return the packages that Python files import, less the standard library and one another.

    Files that run in nnU-Net's own environment are left out: tests/golden and oracle_*.py.
    """
    files = [
        path
        for path in folder.rglob("*.py")
        if "golden" not in path.parts and not path.name.startswith("oracle_")
    ]
    names = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.split(".")[0])
    own = {path.stem for path in files} | {path.parent.name for path in files}
    return {IMPORTED_AS.get(n, normalised(n)) for n in names - own - sys.stdlib_module_names}


def test_what_a_run_imports_is_required(root, envs):
    assert imported(root / "workflow" / "scripts") <= set(pins(envs / "requirements.txt"))


def test_what_a_report_asks_for_is_required(envs):
    """Of what `snakemake --report` imports, Snakemake itself does not require all."""
    snakemake = Path(find_spec("snakemake").origin).parent
    brought = {
        normalised(re.match(r"[\w.-]+", requirement)[0])
        for requirement in metadata.requires("snakemake")
        if "extra ==" not in requirement
    }
    asked = {normalised(name) for name in imported(snakemake / "report")} - {"snakemake"}
    assert "pygments" in asked
    assert asked <= brought | set(pins(envs / "requirements.txt"))


def test_what_the_tests_import_is_required(root, envs):
    own = {path.stem for path in (root / "workflow" / "scripts").rglob("*.py")}
    required = pins(envs / "requirements.txt") | pins(envs / "requirements-dev.txt")
    required |= pins(envs / "requirements-kubernetes.txt")
    allowed = {normalised(name) for name in own} | {"slicewise", "golden"} | set(required)
    assert imported(root / "tests") <= allowed
