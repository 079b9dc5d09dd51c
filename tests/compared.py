"""The tables of a study, made from small tables of scores, for tests of what is drawn from them."""

from pathlib import Path

import pandas as pd

import compare_experiments
import rank_experiments
from scores import write_scores

TABLES = {
    "table": "compared.csv",
    "table_tex": "compared.tex",
    "pairs": "pairs.parquet",
    "empty": "empty.csv",
    "empty_tex": "empty.tex",
    "seeds": "seeds.csv",
    "seeds_tex": "seeds.tex",
}


def compare_in(folder: Path, tables: list[pd.DataFrame], experiments: list[str]) -> pd.DataFrame:
    """Write the tables of a study to a folder; return the comparison."""
    folder.mkdir(exist_ok=True)
    compare_experiments.main(
        **write_scores(folder, tables),
        dataset="phantom",
        study="comparison",
        experiments=experiments,
        confidence=0.95,
        resamples=200,
        **{kind: folder / name for kind, name in TABLES.items()},
    )
    return pd.read_csv(folder / TABLES["table"])


def rank_in(folder: Path, tables: list[pd.DataFrame], experiments: list[str]) -> pd.DataFrame:
    """Write the ranking of a study to a folder and return it."""
    folder.mkdir(exist_ok=True)
    rank_experiments.main(
        per_case=write_scores(folder, tables)["per_case"],
        dataset="phantom",
        study="comparison",
        experiments=experiments,
        resamples=200,
        table=folder / "ranking.csv",
        table_tex=folder / "ranking.tex",
    )
    return pd.read_csv(folder / "ranking.csv")
