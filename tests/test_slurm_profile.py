"""The profile for Slurm in dry runs, and how tests of it read what Slurm and Snakemake say.

test_workflow.py asks a finished run what its jobs would ask for; `make test-slurm` runs the
workflow through a real Slurm.
"""

import re

import pytest
import yaml

from checkouts import checkout
from slurm import cluster, runs
from slurm.runs import PROFILE, Asked
from slurm.whole_run import rules_that_are_submitted


@pytest.fixture(scope="module")
def submitted(root):
    return rules_that_are_submitted(root / "workflow/rules")


def test_light_rules_run_where_snakemake_does(submitted):
    light = {"plan_arrays", "plan_network", "split_folds", "validate_dataset", "download_archive"}
    assert {"train_fold", "predict_member_fold", "evaluate_fold", "plot_gallery"} <= submitted
    assert not (light | {"all", "train"}) & submitted


def test_before_there_is_anything_amounts_are_to_be_determined(root, tmp_path, submitted):
    """Then Snakemake asks again as soon as the inputs of a job are there."""
    made = checkout(root, tmp_path)
    made.without_messages()
    done = made.snakemake("--dry-run", "--configfile", "tiny.yaml", *PROFILE)
    assert done.returncode == 0, done.stdout + done.stderr
    found = runs.described(done.stdout + done.stderr)
    assert found["make_phantoms"]["mem_mb"].isdecimal()
    later = ("merge_fingerprint", "export_cases", "train_fold", "predict_member_fold")
    for rule in (*later, "evaluate_fold", "plot_gallery"):
        assert found[rule]["mem_mb"] == found[rule]["runtime"] == "<TBD>"
    # all others have what the profile gives to those that say nothing
    assert {rule for rule, told in found.items() if told["mem_mb"] == "2000"}.isdisjoint(submitted)


def test_the_gpus_of_a_training_are_those_of_one_node(root, tmp_path):
    """Without a number of nodes Slurm may take them from several, where no job step fits."""
    made = checkout(root, tmp_path)
    made.without_messages()
    made.configure(training={"devices": 4, "batch_size": 8, "device": "cuda"})
    done = made.snakemake("train", "--dry-run", "--configfile", "tiny.yaml", *PROFILE)
    said = done.stdout + done.stderr
    assert re.search(r"^    resources: .*\bgpu=4, nodes=1\b", said, re.MULTILINE), said


def test_the_profile_names_each_rule_that_asks_for_a_gpu(root):
    text = "".join(path.read_text() for path in (root / "workflow/rules").glob("*.smk"))
    rules = re.split(r"^(?=rule|use rule|checkpoint)", text, flags=re.MULTILINE)
    asking = {re.match(r"rule (\w+)", rule)[1] for rule in rules if "        gpu=" in rule}
    taken_over = re.findall(r"^use rule (\w+) as (\w+) with", text, re.MULTILINE)
    asking |= {name for base, name in taken_over if base in asking}
    profile = (root / "workflow/profiles/slurm/config.yaml").read_text()
    assert set(re.findall(r"^#   (\w+):", profile, re.MULTILINE)) == asking


def test_retries_are_in_the_profile_and_in_no_rule(root):
    """Those of a rule run in the job that was killed, which has no more memory than before.

    A rule that says 0 is kept from the profile's.
    """
    profile = yaml.safe_load((root / "workflow/profiles/slurm/config.yaml").read_text())
    assert profile["retries"] > 0
    for path in (root / "workflow/rules").glob("*.smk"):
        assert not re.search(r"^ +retries:(?! 0$| 0 )", path.read_text(), re.M), path


def test_what_squeue_says_of_a_job_is_understood():
    job = runs._job("7", "COMPLETED", "1450M", "1-02:30:00", "2", "gres:gpu:1")
    assert job.given == Asked(1450, 26 * 60 + 30, 2, 1)
    assert runs._job("8", "FAILED", "2G", "15:00", "1", "N/A").given == Asked(2048, 15, 1, 0)


def test_what_snakemake_says_of_a_job_is_understood():
    block = (
        "rule train_fold:\n    input: a\n    jobid: 3\n    threads: 2\n"
        "    resources: mem_mb={}, mem=1 GB, runtime={}, gpu=1\n\n"
        "Job 3 has been submitted with SLURM jobid {} (log: b).\n"
    )
    said = block.format(1000, 15, 41) + block.format(2000, 30, 42)
    assert runs.asked_for(said) == {
        41: ("train_fold", Asked(1000, 15, 2, 1)),
        42: ("train_fold", Asked(2000, 30, 2, 1)),
    }


def test_a_machine_that_is_part_of_a_cluster_is_left_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "CONFIG", tmp_path)
    monkeypatch.setattr(cluster.os, "geteuid", lambda: 0)
    (tmp_path / "slurm.conf").write_text("ClusterName=theirs\n")
    with pytest.raises(cluster.NoCluster, match="is part of a cluster"):
        cluster.install()


def test_without_the_rights_of_root_it_says_so(monkeypatch):
    monkeypatch.setattr(cluster.os, "geteuid", lambda: 1000)
    with pytest.raises(cluster.NoCluster, match="only root"):
        cluster.install()
