"""A run that ends well has made what it was asked for, whatever Snakemake lost sight of."""

import subprocess
import sys

import pytest

SNAKEFILE = """
import sys
sys.path.insert(0, {scripts!r})
from slicewise import locks
workflow.execute = locks.one_at_a_time(workflow, "results")
rule all:
    input: "behind.txt", "beside.txt"
rule changed:
    output: "changed.txt"
    params: config.get("value", 1)
    shell: "touch {{output}}"
rule behind:
    input: ancient("changed.txt")
    output: "behind.txt"
    shell: "touch {{output}}"
rule beside:
    output: "beside.txt"
    shell: "touch {{output}}"
"""
"""After a change of `changed`, Snakemake 9.27 takes `all` for seen to and never looks at it."""


@pytest.fixture
def made(root, tmp_path):
    """Return a function that runs Snakemake in a folder where all is made."""
    scripts = str(root / "workflow" / "scripts")
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(scripts=scripts))

    def run(*arguments):
        command = [sys.executable, "-m", "snakemake", "--cores=1", "--quiet=rules", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr

    assert run()[0] == 0
    return run


def test_what_snakemake_lost_sight_of_is_told_and_made_by_the_next_run(made, tmp_path):
    (tmp_path / "beside.txt").unlink()
    code, said = made("--config", "value=2")
    assert code == 1
    assert "has ended without beside.txt: " in said
    assert "Give the same command again" in said
    assert made("--config", "value=2")[0] == 0
    assert (tmp_path / "beside.txt").exists()


@pytest.mark.parametrize(
    "arguments",
    [[], ["--until", "changed"], ["--dry-run"], ["--touch"], ["--", "changed.txt"]],
    ids=lambda given: " ".join(given) or "nothing to be done",
)
def test_a_run_that_has_no_more_to_make_ends_well(made, tmp_path, arguments):
    if arguments:
        (tmp_path / "beside.txt").unlink()
    code, said = made(*arguments)
    assert code == 0, said
