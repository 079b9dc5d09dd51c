"""The README: the tests that it names are there, and so are the files that it links to."""

import re
import textwrap

import yaml

from slicewise import config


def test_the_tests_that_the_readme_names_are_there(root):
    text = (root / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"test_[a-z_0-9]+\.py", text))
    assert len(named) > 20
    assert named <= {path.name for path in (root / "tests").glob("test_*.py")}


def test_every_row_of_the_parity_table_names_a_test(root):
    text = (root / "README.md").read_text(encoding="utf-8")
    table = text.split("| feature | nnU-Net 2D | slicewise | test |")[1].split("\n\n")[0]
    rows = table.strip().splitlines()[1:]
    assert len(rows) > 20
    assert [row for row in rows if not re.search(r"`test_[a-z_0-9]+\.py`", row)] == []


def test_links_lead_to_files(root):
    text = (root / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#]+)\)", text)
    assert targets
    assert [target for target in targets if not (root / target).exists()] == []


def test_every_example_of_a_config_is_one_that_loads(root):
    blocks = re.findall(r"```yaml\n(.*?)```", (root / "README.md").read_text("utf-8"), re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        given = {"datasets": {"mine": {"raw": "mine"}}} | yaml.safe_load(textwrap.dedent(block))
        loaded = config.load(given)
        assert loaded["datasets"] == given["datasets"]


def test_links_within_the_page_lead_to_headings(root):
    text = (root / "README.md").read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors
