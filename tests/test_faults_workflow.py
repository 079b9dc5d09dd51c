"""Whole runs that are killed, repeated elsewhere or robbed of their disk, in short.

`make test-faults` does the same at full length.
"""

import base64
import random
import signal

import pytest

from faults import workflow_disks
from faults.repeat import differing, digests, prepared, run_elsewhere
from faults.workflow_kills import run_with_kills, start

ONE = {"experiments": {"coarsest": {}}, "ensembles": {}}
TARGETS = ["results/phantom/coarsest/fold-0_seed-0/summary.json", "plan"]


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Return a checkout and the digests of what a short run in it wrote."""
    made = prepared(tmp_path_factory.mktemp("clean"), **ONE)
    done = made.snakemake(*TARGETS, "--configfile", "tiny.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    return made, digests(made.folder / "results")


def test_a_killed_run_goes_on_and_one_elsewhere_gives_the_same_bytes(clean, tmp_path):
    made = prepared(tmp_path / "a/deeper folder", **ONE)
    kinds = [(signal.SIGKILL, "snakemake"), (signal.SIGKILL, "job")]
    killed = run_with_kills(made, kinds, random.Random(1), ["plan"])
    assert killed.wrong == []
    run_elsewhere(made, tmp_path / "elsewhere", TARGETS)
    assert differing(clean[1], digests(made.folder / "results")) == []


def test_a_file_that_changed_or_is_missing_is_named(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name / "logs").mkdir(parents=True)
        (tmp_path / name / "x.csv").write_text("1")
        (tmp_path / name / "logs/job.log").write_text(name)
    (tmp_path / "a/y.csv").write_text("1")
    (tmp_path / "a/.1.z.csv").write_text("half")
    (tmp_path / "b/x.csv").write_text("2")
    found = differing(digests(tmp_path / "a"), digests(tmp_path / "b"))
    assert found == [".1.z.csv", "x.csv", "y.csv"]


def test_what_a_killed_job_was_at_is_made_again_without_being_asked_for(clean):
    made, _ = clean
    begun = base64.urlsafe_b64encode(b"results/phantom/splits_final.json").decode()
    marker = made.folder / ".snakemake/incomplete" / begun
    marker.write_text("{}")
    assert made.jobs("plan")["split_folds"] == 1
    marker.unlink()
    assert "split_folds" not in made.jobs("plan")


def test_a_second_run_in_the_same_folder_is_refused(clean):
    made, _ = clean
    (made.folder / "results/locks/run.lock").unlink()
    first = start(made, [], made.folder / "said.log")
    try:
        workflow_disks.wait_for(made.folder / "results/locks/run.lock")
        second = made.snakemake("--configfile", "tiny.yaml")
        made.jobs()  # dry runs are free
    finally:
        first.kill()
        first.wait()
    said = second.stdout + second.stderr
    assert second.returncode == 1
    assert f"another run is at work in results: snakemake, process {first.pid} on " in said
    assert "Traceback" not in said
