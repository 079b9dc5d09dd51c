"""Which experiment or ensemble is best, and how to predict with it."""

import json
from types import SimpleNamespace

import jinja2
import pandas as pd
import pytest

import find_best_configuration
from slicewise.files import read_json


def decided(name, before, after=None, **changes):
    """Return a postprocessing.json; before and after: mean Dice of the classes a and b."""

    def means(scores):
        known = [score for score in scores if score is not None]
        foreground = sum(known) / 2 if len(known) == 2 else None
        return {"foreground_mean": foreground, "mean": dict(zip("ab", scores, strict=True))}

    content = {
        "experiment": name,
        "folds": [0, 1],
        "seeds": [0],
        "cases": 4,
        "largest_component": "auto",
        "steps": [{"name": "foreground", "labels": [1, 2], "kept": after is not None}],
        "before": means(before),
        "after": means(after or before),
    }
    return content | changes


def find(folder, contents, members=None):
    """Find the best of several postprocessing.json; return the result and the table."""
    paths = []
    for content in contents:
        paths.append(folder / f"{content['experiment']}.json")
        paths[-1].write_text(json.dumps(content))
    names = [content["experiment"] for content in contents]
    find_best_configuration.main(
        postprocessing=paths,
        dataset="phantom",
        members=members or {},
        commands={name: f"snakemake {name}/predicted" for name in names},
        best=folder / "best.json",
        table=folder / "table.csv",
        tex=folder / "table.tex",
    )
    return read_json(folder / "best.json"), pd.read_csv(folder / "table.csv")


THREE = [decided("axial", (0.8, 0.6)), decided("coronal", (0.7, 0.5)), decided("both", (0.9, 0.7))]
FUSED = {"both": ["axial", "coronal"]}


def test_the_highest_mean_foreground_dice_wins(tmp_path):
    best, _ = find(tmp_path, THREE, FUSED)
    assert (best["best"], best["members"]) == ("both", ["axial", "coronal"])
    assert best["predict"] == "snakemake both/predicted"
    assert best["scores"]["axial"]["foreground_dice"] == pytest.approx(0.7)


def test_the_table_has_a_row_for_each_the_best_first(tmp_path):
    _, table = find(tmp_path, THREE, FUSED)
    assert table["experiment"].tolist() == ["both", "axial", "coronal"]
    assert table["members"].fillna("").tolist() == ["axial + coronal", "", ""]
    assert table["dice_a"].tolist() == [0.9, 0.8, 0.7]
    assert table["foreground_dice"].tolist() == pytest.approx([0.8, 0.7, 0.6])


def test_post_processing_does_not_decide_but_is_told(tmp_path):
    contents = [decided("axial", (0.8, 0.6), (0.95, 0.95)), decided("coronal", (0.9, 0.7))]
    best, table = find(tmp_path, contents)
    assert best["best"] == "coronal"
    assert best["postprocessing"]["labels"] == []
    assert table["foreground_dice_postprocessed"].tolist() == pytest.approx([0.8, 0.95])


def test_the_post_processing_of_the_best_is_told(tmp_path):
    best, _ = find(tmp_path, [decided("axial", (0.8, 0.6), (0.9, 0.8))])
    told = best["postprocessing"]
    assert told["labels"] == [[1, 2]]
    assert told["file"] == str(tmp_path / "axial.json")
    assert (told["before"]["foreground_mean"], told["after"]["foreground_mean"]) == (
        pytest.approx(0.7),
        pytest.approx(0.85),
    )


@pytest.mark.parametrize("first", ["three", "two", "axial"])
def test_of_equal_scores_the_simpler_wins(tmp_path, first):
    names = ["three", "two", "axial", "coronal"]
    names.remove(first)
    contents = [decided(name, (0.8, 0.6)) for name in [first, *names]]
    members = {"three": ["axial", "coronal", "x"], "two": ["axial", "coronal"]}
    _, table = find(tmp_path, contents, members)
    assert table["experiment"].tolist() == ["axial", "coronal", "two", "three"]


def test_a_class_without_a_score_everywhere_counts_for_none(tmp_path):
    contents = [decided("axial", (0.8, None)), decided("coronal", (0.9, 0.0))]
    best, table = find(tmp_path, contents)
    assert best["best"] == "coronal"
    assert "dice_b" not in table
    assert best["scores"]["coronal"]["foreground_dice"] == pytest.approx(0.9)


def test_no_class_at_all_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"found none of \['a', 'b'\] in the validation cases"):
        find(tmp_path, [decided("axial", (None, None))])


@pytest.mark.parametrize(("key", "value"), [("folds", [0]), ("seeds", [0, 1]), ("cases", 3)])
def test_scores_of_other_folds_do_not_compare(tmp_path, key, value):
    contents = [decided("axial", (0.8, 0.6)), decided("coronal", (0.9, 0.7), **{key: value})]
    with pytest.raises(ValueError, match=rf"coronal: found {key} .* as in axial"):
        find(tmp_path, contents)


def test_the_latex_table_names_members_where_there_are_any(tmp_path):
    find(tmp_path, THREE, FUSED)
    text = (tmp_path / "table.tex").read_text()
    assert "both & axial + coronal & " in text
    find(tmp_path, THREE[:2])
    assert "members" not in (tmp_path / "table.tex").read_text()


@pytest.mark.parametrize(
    ("folds", "said"),
    [([0], "Hold-out of 1 of 5 folds"), ([0, 1, 2, 3, 4], "Cross-validation over 5 folds")],
)
def test_the_caption_calls_only_all_folds_a_cross_validation(root, folds, said):
    of_another = {"datasets": ["other"], "kind": "comparison", "folds": [0, 1, 2, 3, 4]}
    study = {"datasets": ["own"], "kind": "comparison", "folds": folds}
    config = {"cross_validation": {"folds": 5}, "studies": {"one": study, "two": of_another}}
    about = SimpleNamespace(config=config, wildcards=SimpleNamespace(dataset="own"))
    template = jinja2.Template((root / "workflow/report/configurations.rst").read_text())
    text = template.render(snakemake=about)
    assert said in text
    assert ("Hold-out" in text) + ("Cross-validation" in text) == 1
