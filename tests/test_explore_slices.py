"""The slice explorer's page: the scores and scans in it, and that nothing in it can run or load."""

import base64
import hashlib
import json
import re

import numpy as np
import pandas as pd
import pytest

import explore_slices
from explorer_pages import HOSTILE, data_of, write_page, write_raw, write_run
from slicewise.problems import BadInput


@pytest.fixture(scope="module")
def folder(explored):
    return explored


@pytest.fixture(scope="module")
def page(folder):
    return (folder / "index.html").read_text(encoding="utf-8")


def scored(folder, name="hearts", runs=(("coarsest", 0, 0), ("finest", 0, 1))):
    folders = [folder / f"{name}-runs" / "-".join(map(str, run)) for run in runs]
    return explore_slices.of_dataset(
        name,
        folder / name / "dataset.json",
        runs,
        [path / "per_slice.parquet" for path in folders],
        [path / "predictions" for path in folders],
    )


def test_all_cases_and_their_scans_are_in_the_page(page):
    data = data_of(page)
    hearts, livers = data["manifest"]["datasets"]
    assert hearts["cases"] == [f"case_{i:03d}" for i in range(4)]
    assert hearts["runs"] == [["coarsest", 0], ["coarsest", 1], ["finest", 0], ["finest", 1]]
    assert livers["channels"] == 2
    assert {name for name in data if name.startswith("scan")} == {
        *(f"scan-0-{i}" for i in range(4)),
        *(f"scan-1-{i}" for i in range(3)),
    }
    assert data["scan-0-2"]["runs"] == [0, 1, 2, 3]


def test_the_columns_hold_the_scores_of_each_class_and_run(folder):
    of = scored(folder)
    index, mm, _, along, area, dice, hd95, found, status = explore_slices.columns_of(of)
    table = of.table
    assert len(index) == len(table[["case", "slice"]].drop_duplicates())
    for number, (experiment, seed) in enumerate(of.runs):
        for label, name in enumerate(of.source.labels.classes):
            chosen = (table["experiment"] == experiment) & (table["seed"] == seed)
            rows = table[chosen & (table["class"] == name)].sort_values(["case", "slice"])
            np.testing.assert_array_equal(index, rows["slice"])
            np.testing.assert_array_equal(mm, rows["position_mm"].astype(np.float32))
            np.testing.assert_array_equal(area[label], rows["area_true_mm2"].astype(np.float32))
            inside = rows["relative_position"].notna()
            for column, of_run in (
                ("dice", dice),
                ("hd95_mm", hd95),
                ("area_predicted_mm2", found),
            ):
                expected = rows[column].astype(np.float32)
                np.testing.assert_array_equal(of_run[number, label], expected)
            np.testing.assert_allclose(along[label][inside], rows["relative_position"][inside])
            said = [explore_slices.STATUS[code] for code in status[number, label]]
            assert said == rows["status"].tolist()


def rows_of(relative, mm, area, case="a"):
    return pd.DataFrame(
        {
            **{"experiment": "coarsest", "seed": 0, "case": case, "class": "lv"},
            **{"relative_position": relative, "position_mm": mm, "area_true_mm2": area},
        }
    )


def test_slices_beyond_an_end_stand_outside_of_it_whichever_way_the_file_runs():
    """The slices at both ends are a prediction's only, and the worst there are."""
    nan = np.nan
    rising = rows_of([nan, 0, 0.5, 1, nan], [0, 4, 8, 12, 16], [0, 5, 5, 5, 0])
    falling = rows_of([nan, 1, 0.5, 0, nan], [16, 12, 8, 4, 0], [0, 5, 5, 5, 0], "b")
    table = pd.concat([rising, falling], ignore_index=True)
    expected = [-0.1, 0, 0.5, 1, 1.1, 1.1, 1, 0.5, 0, -0.1]
    for along in (explore_slices.along_structure, explore_slices.along_foreground):
        assert along(table).tolist() == pytest.approx(expected)


def test_a_structure_of_one_slice_is_in_the_middle_and_one_of_none_nowhere():
    nan = np.nan
    table = rows_of([nan, 0.5, nan], [0, 4, 8], [0, 5, 0])
    none = rows_of([nan, nan, nan], [0, 4, 8], [0, 0, 0], "b")
    table = pd.concat([table, none], ignore_index=True)
    for along in (explore_slices.along_structure, explore_slices.along_foreground):
        assert along(table).tolist()[:3] == pytest.approx([-0.1, 0.5, 1.1])
        assert along(table)[3:].isna().all()


def test_slices_where_nothing_is_are_left_out(folder):
    of = scored(folder)
    shows = of.table.groupby(["case", "slice"])["status"].agg(set)
    assert all(found & {"both", "truth_only", "prediction_only"} for found in shows)
    whole = pd.read_parquet(folder / "hearts-runs/coarsest-0-0/per_slice.parquet")
    assert len(shows) < len(whole[["case", "slice"]].drop_duplicates())


def test_a_case_that_two_folds_hold_out_is_shown_as_the_first_saw_it(tmp_path):
    path = write_raw(tmp_path / "hearts", 2, ["ventricle"])
    for fold, cases in ((0, ["case_000"]), (1, ["case_000", "case_001"])):
        write_run(tmp_path / "hearts-runs", path, ("coarsest", fold, 0), cases)
    of = scored(tmp_path, runs=(("coarsest", 0, 0), ("coarsest", 1, 0)))
    assert not of.table.duplicated(["case", "class", "slice"]).any()
    _, predictions = explore_slices.predictions_of(of, "case_000")
    assert [path.parts[-3] for path in predictions.values()] == ["coarsest-0-0"]
    _, predictions = explore_slices.predictions_of(of, "case_001")
    assert [path.parts[-3] for path in predictions.values()] == ["coarsest-1-0"]


def test_cases_go_in_the_worst_first_and_datasets_take_turns(folder):
    both = [scored(folder), scored(folder, "livers", (("coarsest", 0, 0),))]
    order = explore_slices.worst_first(both)
    assert [number for number, _ in order[:4]] == [0, 1, 0, 1]
    dice = both[0].table.groupby("case")["dice"].mean()
    hearts = [case for number, case in order if number == 0]
    assert dice[hearts].is_monotonic_increasing


def test_a_full_page_shows_the_scores_of_all_and_the_scans_of_the_worst(folder, tmp_path, caplog):
    data = data_of((folder / "index.html").read_text(encoding="utf-8"))
    scan = max(len(json.dumps(data[name])) for name in data if name.startswith("scan"))
    code = (folder / "index.html").stat().st_size - sum(
        len(json.dumps(data[name])) for name in data if name.startswith("scan")
    )
    write_page(tmp_path, tmp_path / "index.html", page_mb=(code + 2.5 * scan) / 1e6)
    kept = data_of((tmp_path / "index.html").read_text(encoding="utf-8"))
    number = len([name for name in kept if name.startswith("scan")])
    assert 1 <= number <= 3
    assert kept["manifest"]["datasets"] == data["manifest"]["datasets"]
    assert (tmp_path / "index.html").stat().st_size <= code + 2.5 * scan
    assert f"report.page_mb: the page is full with the images of {number} of 7 cases" in caplog.text


def test_a_missing_prediction_is_named_and_leaves_no_page(folder, tmp_path, monkeypatch):
    made = write_page(tmp_path, tmp_path / "index.html")
    made.unlink()
    monkeypatch.setattr(explore_slices, "predictions_of", lambda *_: (2, {0: tmp_path / "gone"}))
    with pytest.raises(BadInput, match="gone: found no prediction"):
        write_page(tmp_path, tmp_path / "index.html")
    assert not made.exists()
    assert not list(tmp_path.glob("*index.html"))


def test_two_runs_give_the_same_bytes(folder, tmp_path, page):
    write_page(tmp_path, tmp_path / "index.html")
    assert (tmp_path / "index.html").read_text(encoding="utf-8") == page


def test_a_page_of_nothing_is_written(tmp_path):
    settings = {"margin_mm": 5, "image_edge": 64, "page_mb": 5}
    lists = {"datasets": [], "dataset_json": [], "runs": {}, "per_slice": [], "predictions": []}
    explore_slices.main(**lists, page=tmp_path / "index.html", **settings)
    assert (
        data_of((tmp_path / "index.html").read_text(encoding="utf-8"))["manifest"]["datasets"] == []
    )


def test_names_are_text_and_end_no_element(page):
    assert HOSTILE not in page
    assert "<img" not in page.split('id="manifest">')[1].split("</script>")[0]
    names = [name for name, _ in data_of(page)["manifest"]["datasets"][0]["classes"]]
    assert HOSTILE in names


def test_the_policy_lets_the_three_scripts_run_and_nothing_load(page):
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    parts = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    assert parts["default-src"] == "'none'"
    assert "unsafe" not in parts["script-src"]
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    found = [hashlib.sha256(text.encode()).digest() for text in scripts]
    expected = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in found]
    assert parts["script-src"].split() == expected
    assert len(expected) == 3


def test_nothing_in_the_page_names_another_file(page):
    markup = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    assert re.findall(r"\b(?:src|href|url)\s*[=(]\s*[\"']?(?!#)[^\s\"'>]+", markup) == []


RUNS = r"(?:inner|outer)HTML|insertAdjacent|document\.write|\beval\b|new Function|fetch\("
"""What takes text for markup or code, or loads it."""


def test_own_scripts_take_no_text_for_markup_or_code(root):
    """Names come from datasets: they are set as text, and nothing else is."""
    for path in (root / "workflow/report/explorer").glob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert re.findall(RUNS, text) == [], path


def test_every_script_of_the_page_is_in_it(root):
    names = {path.name for path in (root / "workflow/report/explorer").glob("*.js")}
    assert names == set(explore_slices.OWN)
