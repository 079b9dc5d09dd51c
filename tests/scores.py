"""Tables of scores as evaluate_fold writes them, small and seeded, for tests of figures."""

from pathlib import Path

import numpy as np
import pandas as pd


def score_rows(
    experiment: str,
    cases: int,
    classes: list[str],
    slices: int = 8,
    fold: int = 0,
    seed: int = 0,
    loss: float = 0.0,
) -> pd.DataFrame:
    """Return rows of per_slice.csv: the first and last slice are empty, the others have a Dice.

    Dice falls towards both ends of the structure and by `loss`; cases differ from each other.
    """
    rng = np.random.default_rng([cases, slices, fold, seed])
    rows = []
    for case in range(cases):
        skill = rng.normal(0.85, 0.03)
        for label, name in enumerate(classes, start=1):
            for index in range(slices):
                inside = 0 < index < slices - 1
                relative = (index - 1) / (slices - 3) if inside else np.nan
                dice = skill - loss - 0.3 * abs(relative - 0.5) + rng.normal(0, 0.02)
                rows.append(
                    {
                        "dataset": "phantom",
                        "experiment": experiment,
                        "fold": fold,
                        "seed": seed,
                        "case": f"case_{case:03d}",
                        "class": name,
                        "label": label,
                        "axis": 2,
                        "slice": index,
                        "relative_position": relative,
                        "dice": np.clip(dice, 0, 1),
                        "surface_dice": np.clip(0.9 * dice, 0, 1),
                        "hd95_mm": 20 * (1 - dice),
                        "status": "both" if inside else "both_empty",
                    }
                )
    return pd.DataFrame(rows)


def per_case_of(per_slice: pd.DataFrame) -> pd.DataFrame:
    """Return rows of per_case.csv: the means of the slices stand in for the scores in 3D."""
    unit = ["dataset", "experiment", "fold", "seed", "case", "class", "label"]
    means = per_slice.groupby(unit, as_index=False)[["dice", "surface_dice", "hd95_mm"]].mean()
    return means.assign(status=np.where(means["dice"].isna(), "both_empty", "both"))


def write_scores(folder: Path, tables: list[pd.DataFrame]) -> dict[str, list[Path]]:
    """Write per_slice.csv and per_case.csv of several runs; return their paths by kind."""
    paths = {"per_slice": [], "per_case": []}
    for i, per_slice in enumerate(tables):
        for kind, table in (("per_slice", per_slice), ("per_case", per_case_of(per_slice))):
            path = folder / f"{kind}_{i}.csv"
            table.to_csv(path, index=False)
            paths[kind].append(path)
    return paths


def drawn_files(folder: Path, name: str = "figure") -> dict[str, Path]:
    """Return where a plotting script is to write."""
    return {kind: folder / f"{name}.{ending}" for kind, ending in FILES.items()}


FILES = {"svg": "svg", "png": "png", "pdf": "pdf", "table": "csv"}
