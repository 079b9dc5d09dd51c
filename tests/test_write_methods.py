"""The methods of a run in words: what was done is said, what was not is not, in good grammar."""

import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

import write_methods
from run_facts import write_run
from slicewise.files import read_json, write_json

TWO_FOLDS = {"cross_validation": {"folds": 2, "run": [0, 1]}}


def text_of(folder, arguments):
    """Write the methods and return the Markdown as plain text."""
    folder.mkdir(exist_ok=True)
    out = {"methods": folder / "a.md", "latex": folder / "a.tex", "page": folder / "a.html"}
    write_methods.main(**arguments, **out)
    return (folder / "a.md").read_text().replace("\\", "")


def section(text, title):
    """Return the paragraph under a title."""
    return text.split(f"\n## {title}\n", 1)[1].split("\n<!--", 1)[0].strip()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    return folder, text_of(folder, write_run(folder, **TWO_FOLDS))


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    """Two datasets, two experiments and an ensemble, all that differs between them."""
    folder = tmp_path_factory.mktemp("rich")
    config = {
        "datasets": {"own": {"raw": str(folder / "raw")}, "other": {"raw": str(folder / "raw")}},
        "experiments": {
            "coarsest": {"training": {"augmentation": "none", "empty_slices": 0.2}},
            "finest": {
                "planning": {"slice_axis": "finest"},
                "training": {"learning_rate": 0.02, "epochs": 1},
            },
        },
        "ensembles": {"both": ["coarsest", "finest"]},
        "cross_validation": {"folds": 2, "run": [0], "seeds": [0, 1, 2]},
        "studies": {
            "axis": {"datasets": ["own", "other"]},
            "io": {"kind": "reading", "datasets": ["own"], "experiments": ["coarsest"]},
        },
        "postprocessing": {"largest_component": "never"},
    }
    arguments = write_run(folder, **config)
    return folder, text_of(folder, arguments)


def test_numbers_are_those_of_the_files(plain):
    folder, text = plain
    planned = read_json(folder / "baseline.json")["configurations"]["2d"]
    patch = " × ".join(map(str, planned["patch_size"]))
    assert f"The patch (rows × columns, in pixels) was {patch}." in section(text, "Network")
    batch = planned["batch_size"]
    assert f"The number of patches in a batch was {batch}." in section(text, "Network")
    assert "held four cases: images of one channel (MRI)" in section(text, "Data")
    assert "two cases to train on and two cases held out in each" in section(text, "Partitions")
    assert "1,000 epochs of 250 iterations (250,000 steps), at a learning rate of 0.01" in text
    assert f"{batch - round(batch * 0.67)} of {batch}" in section(text, "Sampling")


def test_a_run_of_one_experiment_compares_and_fuses_nothing(plain):
    _, text = plain
    assert "The study comparison scored baseline alone, on own, folds 0 and 1, seed 0." in text
    for word in (
        "Wilcoxon",
        "The ensemble",
        " for baseline",
        "datasets were used",
        "GPUs computed",
    ):
        assert word not in text.split("# Checklists")[0], word


def test_what_differs_is_said_of_each_experiment_and_what_does_not_once(rich):
    _, text = rich
    assert "Two datasets were used." in section(text, "Data")
    assert "The cases of own and other were divided into two folds" in text
    assert "of which one was run (number 0 from 0)" in section(text, "Partitions")
    assert "held out: a hold-out of one of two folds." in section(text, "Partitions")
    assert text.count("stochastic gradient descent") == 1
    assert re.search(r"0\.01, times .* for coarsest; one epoch of .* 0\.02, .* for finest", text)
    assert "Patches were not augmented for coarsest." in section(text, "Augmentation")
    assert "slices without foreground was 0.2 for coarsest." in section(text, "Sampling")
    assert "(nnU-Net's rule) for coarsest" in section(text, "Slices")


def test_studies_ensembles_and_seeds_are_named(rich):
    _, text = rich
    assert "The ensemble both took the mean" in section(text, "Inference")
    said = section(text, "Studies")
    assert (
        "compared finest and both with coarsest, on own and other, fold 0, seeds 0, 1 and 2" in said
    )
    assert "The study io measured what patches cost to read" in said
    assert "The ensemble both has the networks of two trainings" in section(text, "Limits")
    assert "after 250 to 250,000 steps" in section(text, "Limits")
    assert "three seeds (0, 1 and 2)" in section(text, "Repeatability")
    assert "Rankings were repeated" in section(text, "Statistics")
    assert "The variance between seeds" in section(text, "Statistics")
    assert "Segmentations were not post-processed." in section(text, "Post-processing")


def test_sentences_are_whole(plain, rich):
    for _, text in (plain, rich):
        for title in re.findall(r"\n## (.+)\n\n(?=[A-Z])", text.split("\n## Table of plans")[0]):
            said = section(text, title)
            assert said.endswith("."), title
            for fault in (
                " for as ",
                " from what ",
                "{",
                "}",
                "  ",
                "..",
                " .",
                ",,",
                "None",
                " nan",
                "[]",
                "()",
            ):
                assert fault not in said, (title, fault)
            assert not re.search(r"\b1 (cases|folds|seeds|epochs|patches|patch of)\b", said)
            assert not re.search(r"\bone (cases|folds|epochs|iterations|threads|were)\b", said)


def test_every_claim_item_is_answered_or_left_to_the_authors(plain):
    _, text = plain
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|", text, re.MULTILINE)
    assert [int(number) for number, *_ in rows] == list(range(1, 45))
    answers = {int(number): answer for number, _, answer in rows}
    assert all(answer.strip() for answer in answers.values())
    assert "for the authors to fill in" in answers[7]  # the scans of a folder come from somewhere
    assert answers[44] == "for the authors to fill in"


def test_the_table_of_plans_has_a_row_for_each(rich):
    _, text = rich
    rows = re.findall(r"^\| (own|other) \| (coarsest|finest) \| [zyx] ", text, re.MULTILINE)
    assert len(set(rows)) == 4


class Tags(HTMLParser):
    """Counts what is opened."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)


def test_names_of_labels_are_text_in_all_three_files(tmp_path):
    arguments = write_run(tmp_path, **TWO_FOLDS)
    path = arguments["dataset_json"][0]
    labels = {"background": 0, "<script>x</script>": 1, "a_b|c$%": 2}
    write_json(path, read_json(path) | {"labels": labels})
    text_of(tmp_path / "out", arguments)
    tags = Tags()
    tags.feed((tmp_path / "out/a.html").read_text())
    assert "script" not in tags.seen
    assert r"\<script\>x" in (tmp_path / "out/a.md").read_text()
    assert r"a\_\allowbreak{}b\textbar{}c\$\%" in (tmp_path / "out/a.tex").read_text()


def test_it_needs_no_pytorch(root):
    """A job would wait three seconds for it."""
    code = "import sys, write_methods; sys.exit('torch' in sys.modules)"
    scripts = root / "workflow/scripts"
    assert subprocess.run([sys.executable, "-c", code], cwd=scripts, check=False).returncode == 0
