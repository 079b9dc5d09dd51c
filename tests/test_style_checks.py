"""The style of the repository, as its tools see it; `make format` mends most of it."""

import subprocess
import sys

import pytest


def check(root, *command):
    """Run a tool of this environment in the repository; what it says goes into the failure."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"


@pytest.mark.parametrize("command", ["check", "format --check"])
def test_python_files_are_clean(root, command):
    check(root, "ruff", *command.split(), "--quiet", ".")


def test_snakemake_files_are_formatted(root):
    rules = sorted((root / "workflow" / "rules").glob("*.smk"))
    check(root, "snakefmt", "--check", "Snakefile", "workflow/Snakefile", *map(str, rules))


def test_snakemake_finds_nothing_to_mend(root):
    check(root, "snakemake", "--lint")
