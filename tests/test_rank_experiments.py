"""The table of rankings: metrics, classes and ways, with what resampling does to them."""

import pytest

from compared import rank_in
from scores import score_rows

NAMES = ["coarsest", "finest", "axial"]


def ranking(folder, losses=(0.0, 0.1, 0.2), cases=6):
    tables = [
        score_rows(name, cases, ["lv", "myo"], loss=loss)
        for name, loss in zip(NAMES, losses, strict=True)
    ]
    return rank_in(folder, tables, NAMES)


def test_every_metric_class_and_way_has_a_ranking(tmp_path):
    table = ranking(tmp_path)
    keys = ["metric", "class", "method"]
    assert len(table.groupby(keys)) == 3 * 3 * 2
    for _, rows in table.groupby(keys):
        assert rows["experiment"].tolist() == NAMES
        assert rows["rank"].tolist() == [1, 2, 3]
        assert rows["frequency_1"].tolist() == [1, 0, 0]
        assert rows["tau"].tolist() == [1, 1, 1]
        assert set(rows["cases"]) == {6}


def test_the_best_stands_first_whichever_was_named_first(tmp_path):
    table = ranking(tmp_path, losses=(0.2, 0.1, 0.0))
    first = table[(table["metric"] == "hd95_mm") & (table["label"] == 0)]
    assert first["experiment"].tolist() == NAMES[::-1] * 2


def test_few_cases_have_a_ranking_and_no_resamples(tmp_path):
    table = ranking(tmp_path, cases=3)
    assert table["rank"].notna().all()
    assert table["frequency_1"].isna().all()
    assert table["tau"].isna().all()


def test_one_experiment_is_the_best(tmp_path):
    table = rank_in(tmp_path, [score_rows("coarsest", 6, ["lv"])], ["coarsest"])
    assert set(table["rank"]) == {1}


def test_the_latex_table_tells_the_mean_foreground(tmp_path):
    ranking(tmp_path)
    text = (tmp_path / "ranking.tex").read_text()
    assert text.count("mean, then rank") == 3
    assert "1 [1, 1] & 100" in text


def test_experiments_of_other_studies_do_not_count(tmp_path):
    tables = [score_rows(name, 6, ["lv"]) for name in NAMES]
    table = rank_in(tmp_path, tables, NAMES[:2])
    assert set(table["experiment"]) == set(NAMES[:2])
    assert "frequency_3" not in table


@pytest.mark.parametrize("name", ["ranking.csv", "ranking.tex"])
def test_two_runs_give_the_same_bytes(tmp_path, name):
    for folder in ("1", "2"):
        ranking(tmp_path / folder)
    assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
