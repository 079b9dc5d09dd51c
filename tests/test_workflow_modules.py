"""slicewise as a module of another workflow: twice in one, changed there, and from GitHub."""

import subprocess
import zipfile

import pytest
import yaml

from checkouts import TINY, Checkout, checkout
from slicewise.files import read_json

THEIRS = """
configfile: "project.yaml"


rule everything:
    input:
        "lines.txt",


module hearts:
    snakefile: "{root}/Snakefile"
    config: config["hearts"]

use rule * from hearts as hearts_*

use rule train_fold from hearts as hearts_train_fold with:
    message: "a training of our own kind"


module thick:
    snakefile: "{root}/workflow/Snakefile"
    config: config["thick"]

use rule * from thick as thick_*


rule lines:
    input:
        rules.hearts_split_folds.output.splits.format(dataset="phantom"),
        config["thick"]["results"] + "/phantom/raw/dataset.json",
    output:
        "lines.txt",
    shell:
        "wc --lines {{input}} > {{output}}"


print("COMMAND", hearts.predict_command("both", "phantom"))
"""
PHANTOMS = {"datasets": {"phantom": {"phantom": {"cases": 2}}}, "execution": {"cases_per_job": 2}}


@pytest.fixture(scope="module")
def project(root, tmp_path_factory):
    """Run another workflow that takes slicewise in twice, as far as a file of each."""
    folder = tmp_path_factory.mktemp("modules")
    (folder / "slicewise").mkdir()
    copy = checkout(root, folder / "slicewise")
    theirs = Checkout(folder / "project")
    theirs.folder.mkdir()
    (theirs.folder / "Snakefile").write_text(THEIRS.format(root=copy.folder))
    config = {
        name: TINY | PHANTOMS | {"results": f"results/{name}"} for name in ("hearts", "thick")
    }
    (theirs.folder / "project.yaml").write_text(yaml.safe_dump(config))
    done = theirs.snakemake()
    assert done.returncode == 0, done.stdout + done.stderr
    return theirs, done.stdout + done.stderr


def test_the_other_workflow_keeps_its_own_target_and_takes_what_slicewise_makes(project):
    theirs, _ = project
    counted = (theirs.folder / "lines.txt").read_text()
    assert "results/hearts/phantom/splits_final.json" in counted
    assert "results/thick/phantom/raw/dataset.json" in counted
    assert not (theirs.folder / "results/hearts/phantom/coarsest/plans.json").exists()


def test_each_module_says_what_it_does_once(project):
    _, said = project
    for name in ("hearts", "thick"):
        assert said.count(f"slicewise, as the module {name}\n") == 1


def test_both_folders_of_results_are_held_by_the_run(project):
    theirs, _ = project
    held = {path.parent.parent.name for path in theirs.folder.glob("results/*/locks/run.lock")}
    assert held == {"hearts", "thick"}


def test_a_report_of_the_other_workflow_is_made(project):
    """The text of ours asks for keys that the config of another workflow does not have."""
    theirs, _ = project
    done = theirs.snakemake("--report", "report.zip")
    assert done.returncode == 0, done.stdout + done.stderr
    assert zipfile.is_zipfile(theirs.folder / "report.zip")


def test_a_rule_is_changed_there_and_the_rest_goes_on_as_it_was(project):
    theirs, _ = project
    done = theirs.snakemake("hearts_all", "thick_train", "--dry-run")
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert said.count("a training of our own kind") == 4
    assert said.count("phantom: training coarsest, fold 0, seed 0") == 1  # of the other module
    assert "\nhearts_split_folds " not in said  # is done


def test_the_command_that_predicts_leaves_images_to_the_config_of_the_other_workflow(project):
    _, said = project
    assert "COMMAND snakemake --cores all results/hearts/phantom/both/predicted\n" in said


def test_a_prefix_is_refused(project):
    theirs, _ = project
    text = (theirs.folder / "Snakefile").read_text()
    spoilt = text.replace("module hearts:\n", 'module hearts:\n    prefix: "deep"\n')
    (theirs.folder / "spoilt.smk").write_text(spoilt)
    done = theirs.snakemake("--snakefile", "spoilt.smk", "--dry-run")
    assert done.returncode != 0
    assert "module hearts: found a prefix, expected none" in done.stdout + done.stderr


def test_a_mistake_in_the_config_of_a_module_names_the_module(project):
    theirs, _ = project
    done = theirs.snakemake("--dry-run", "--config", "thick={training: {epoch: 3}}")
    assert done.returncode != 0
    told = "module thick: a mistake in the config:\n  training.epoch: unknown key"
    assert told in done.stdout + done.stderr


def test_two_versions_in_one_run_are_refused(root, project):
    """Python would import the first one's package only, and run it by the rules of both."""
    theirs, _ = project
    other = theirs.folder.parent / "other"
    other.mkdir()
    checkout(root, other)
    first, second = 'snakefile: "{root}/Snakefile"', f'snakefile: "{other}/Snakefile"'
    mixed = THEIRS.replace(first, second).format(root=theirs.folder.parent / "slicewise")
    (theirs.folder / "mixed.smk").write_text(mixed)
    done = theirs.snakemake("--snakefile", "mixed.smk", "--dry-run")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "two versions of slicewise at once" in said
    for copy in ("slicewise", "other"):
        assert f"{theirs.folder.parent}/{copy}/workflow/scripts/slicewise" in said


FROM_GITHUB = """
configfile: "project.yaml"


module slicewise:
    snakefile: github("owner/slicewise", path="workflow/Snakefile", tag="v1")
    config: config

use rule * from slicewise
"""


def test_a_module_on_github_brings_its_package_along(root, tmp_path, monkeypatch):
    """As the catalogue of workflows deploys it. Snakemake's clone is there, so nothing is asked."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    published = checkout(root, tmp_path).folder
    git = ["git", "-C", str(published), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for step in ("init --quiet", "add Snakefile workflow envs", "commit --quiet -m a", "tag v1"):
        subprocess.run([*git, *step.split()], check=True)
    clone = "cache/snakemake/snakemake/source-cache/snakemake-git-cache/github.com/owner/slicewise"
    subprocess.run(["git", "clone", "--quiet", "--bare", published, tmp_path / clone], check=True)
    theirs = Checkout(tmp_path / "project")
    theirs.folder.mkdir()
    (theirs.folder / "Snakefile").write_text(FROM_GITHUB)
    (theirs.folder / "project.yaml").write_text(yaml.safe_dump(TINY))
    done = theirs.snakemake("results/phantom/raw/dataset.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert read_json(theirs.folder / "results/phantom/raw/dataset.json")["numTraining"] == 4
    # The process of a job asks for nothing more than what is copied, even where there is no git.
    monkeypatch.setenv("GIT_PYTHON_GIT_EXECUTABLE", str(tmp_path / "none"))
    job = ["--target-jobs", "describe_phantoms:dataset=phantom", "--mode", "subprocess"]
    done = theirs.snakemake(*job, "--allowed-rules", "describe_phantoms", "--force", "--nolock")
    assert done.returncode == 0, done.stdout + done.stderr
