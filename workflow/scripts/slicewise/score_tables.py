"""Tables of scores of many runs read as one: the columns that are asked for, CSV or Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd


def read_scores(paths: Sequence[str | Path], columns: Sequence[str]) -> pd.DataFrame:
    """Return `columns` of several per_slice or per_case tables, one below the other.

    Of Parquet only these columns are read: 1.5 million rows take a second, as CSV ten.
    """
    return pd.concat([_read(Path(path), list(columns)) for path in paths], ignore_index=True)


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path, columns=columns)
    # A case may be called 007, or a class NA.
    names = {name: str for name in ("experiment", "case", "class") if name in columns}
    read = {"usecols": columns, "dtype": names, "na_values": [""], "keep_default_na": False}
    return pd.read_csv(path, **read)[columns]
