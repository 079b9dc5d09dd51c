"""What the catalogue of Snakemake workflows asks of a repository in its standardized usage."""

import re

import yaml

from slicewise import schemas

DEPLOYMENTS = {
    "conda",
    "singularity",
    "singularity+conda",
    "apptainer",
    "apptainer+conda",
    "report",
}


def test_the_settings_hold_only_what_the_catalogue_reads(root):
    text = (root / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8")
    settings = yaml.safe_load(text)
    assert set(settings) == {"usage"}
    assert set(settings["usage"]) <= {"mandatory-flags", "software-stack-deployment"}
    deployment = settings["usage"]["software-stack-deployment"]
    assert set(deployment) <= DEPLOYMENTS
    assert set(deployment.values()) == {True}


def test_what_is_said_of_conda_and_reports_is_so(root):
    rules = [path.read_text() for path in (root / "workflow/rules").glob("*.smk")]
    scripts = sum(len(re.findall(r"^    script:$", text, re.MULTILINE)) for text in rules)
    assert scripts == sum(len(re.findall(r"^    conda:$", text, re.MULTILINE)) for text in rules)
    assert any("report(" in text for text in rules)


def test_the_files_that_the_catalogue_looks_for_are_there(root):
    readme = (root / "README.md").read_text(encoding="utf-8").lower()
    assert "snakemake" in readme
    assert "workflow" in readme
    for name in ("workflow/Snakefile", "config/README.md", "config/config.yaml", "LICENSE"):
        assert (root / name).is_file(), name
    assert list((root / "workflow/rules").glob("*.smk"))


def test_the_catalogue_finds_a_description_of_every_section_of_the_config(root):
    sections = schemas.read_schema("config")["properties"]
    assert [name for name, schema in sections.items() if "description" not in schema] == []
