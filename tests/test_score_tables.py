"""Tables of scores, read from CSV and from Parquet alike."""

import pandas as pd
import pytest

from scores import score_rows, write_scores
from slicewise.files import write_csv, write_parquet
from slicewise.score_tables import read_scores


@pytest.fixture
def tables():
    """Return rows of two runs; cases and classes have names that a CSV reader takes for others."""
    rows = [score_rows("coarsest", 3, ["NA", "2"], seed=seed) for seed in (0, 1)]
    return [table.assign(case=table["case"].str.removeprefix("case_")) for table in rows]


def test_parquet_holds_what_csv_does(tmp_path, tables):
    paths = {"csv": [], "parquet": []}
    for number, table in enumerate(tables):
        for kind, write in (("csv", write_csv), ("parquet", write_parquet)):
            paths[kind].append(tmp_path / f"{number}.{kind}")
            write(paths[kind][-1], table)
    columns = list(tables[0])
    found = {kind: read_scores(files, columns) for kind, files in paths.items()}
    pd.testing.assert_frame_equal(found["parquet"], pd.concat(tables, ignore_index=True))
    # A CSV keeps no types of columns that hold nothing but text.
    pd.testing.assert_frame_equal(found["csv"], found["parquet"], check_dtype=False)
    assert set(found["csv"]["case"]) == {"000", "001", "002"}
    assert set(found["csv"]["class"]) == {"NA", "2"}


def test_only_the_columns_that_are_asked_for_are_read(tmp_path, tables):
    paths = write_scores(tmp_path, tables)["per_slice"]
    assert list(read_scores(paths, ["dice", "case"])) == ["dice", "case"]


def test_equal_tables_make_equal_bytes(tmp_path, tables):
    for name in ("a", "b"):
        write_parquet(tmp_path / name, tables[0])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
