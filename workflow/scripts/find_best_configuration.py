"""Find the experiment or ensemble with the highest mean foreground Dice over cross-validation.

Scores are those before post-processing, as in nnU-Net's find_best_configuration; of equal ones the
simpler wins: an experiment before an ensemble, fewer members before more, then the first named.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from slicewise.files import read_json, write_csv, write_json
from slicewise.job import logger, run
from slicewise.latex import write_latex

COMPARED = ("folds", "seeds", "cases")
"""What must be the same for all, so that their scores compare."""


def check_same_cases(decided: Mapping[str, dict]) -> None:
    """Raise a ValueError where two of the compared were not scored on the same folds and cases."""
    first, *others = decided
    for other in others:
        for key in COMPARED:
            if decided[other][key] != decided[first][key]:
                raise ValueError(
                    f"{other}: found {key} {decided[other][key]}, expected "
                    f"{decided[first][key]} as in {first}; only scores of the same folds compare: "
                    "predict and score all of them again"
                )


def scored_classes(decided: Mapping[str, dict]) -> list[str]:
    """Return the classes that have a mean Dice in all of the compared, before and after.

    A class that no case holds has none; one that a single experiment finds by mistake would count
    against that experiment alone. Raises ValueError where no class is left.
    """
    means = [content[when]["mean"] for content in decided.values() for when in ("before", "after")]
    kept = [name for name in means[0] if all(mean[name] is not None for mean in means)]
    if not kept:
        raise ValueError(
            f"found none of {list(means[0])} in the validation cases, expected at least one class; "
            "run more folds (cross_validation.run)"
        )
    return kept


def rank(
    dataset: str, decided: Mapping[str, dict], members: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Return one row for each experiment and ensemble, the best first.

    decided: name -> postprocessing.json; members: ensemble -> experiments.
    """
    classes = scored_classes(decided)
    rows = []
    for name, content in decided.items():
        before, after = ([content[k]["mean"][c] for c in classes] for k in ("before", "after"))
        fused = list(members.get(name, []))
        row = {
            "dataset": dataset,
            "experiment": name,
            "members": " + ".join(fused),
            "networks": max(len(fused), 1),
            "cases": content["cases"],
            "foreground_dice": np.mean(before),
            "foreground_dice_postprocessed": np.mean(after),
        }
        rows.append(row | {f"dice_{c}": dice for c, dice in zip(classes, before, strict=True)})
    order = ["foreground_dice", "networks"]
    ranked = pd.DataFrame(rows).sort_values(order, ascending=[False, True], ignore_index=True)
    return ranked.drop(columns="networks")


def as_latex(ranked: pd.DataFrame, dataset: str) -> dict:
    """Return what `write_latex` takes of the table of `rank`."""
    classes = [name for name in ranked if name.startswith("dice_")]
    columns = {"experiment": "experiment", "members": "members"}
    columns |= {
        "n": "cases",
        "Dice": "foreground_dice",
        "post-processed": "foreground_dice_postprocessed",
    }
    columns |= {name.removeprefix("dice_"): name for name in classes}
    if not ranked["members"].any():
        del columns["members"]
    caption = (
        f"Mean foreground Dice on {dataset} over n cross-validated cases, without and with "
        "post-processing, and Dice of each class; the best experiment first."
    )
    label = f"tab:{dataset}_configurations"
    return {"rows": ranked, "columns": columns, "caption": caption, "label": label}


def main(
    *,
    postprocessing: Sequence[str | Path],
    dataset: str,
    members: Mapping[str, Sequence[str]],
    commands: Mapping[str, str],
    best: str | Path,
    table: str | Path,
    tex: str | Path,
) -> None:
    """Write best_configuration.json and the table behind it.

    postprocessing: the postprocessing.json of every experiment and ensemble; commands: name -> what
    predicts new images with it.
    """
    contents = [read_json(path) for path in postprocessing]
    decided = {content["experiment"]: content for content in contents}
    files = {name: str(path) for name, path in zip(decided, postprocessing, strict=True)}
    check_same_cases(decided)
    ranked = rank(dataset, decided, members)
    winner = ranked["experiment"].iloc[0]
    content = decided[winner]
    scores = ["foreground_dice", "foreground_dice_postprocessed"]
    write_json(
        best,
        {
            "dataset": dataset,
            "best": winner,
            "members": list(members.get(winner, [])),
            **{key: content[key] for key in COMPARED},
            "scores": ranked.set_index("experiment")[scores].to_dict("index"),
            "postprocessing": {
                "file": files[winner],
                "labels": [step["labels"] for step in content["steps"] if step["kept"]],
                "before": content["before"],
                "after": content["after"],
            },
            "predict": commands[winner],
        },
    )
    write_csv(table, ranked)
    write_latex(tex, **as_latex(ranked, dataset))
    for row in ranked.itertuples():
        logger.info("%s: mean foreground Dice %.4f", row.experiment, row.foreground_dice)
    logger.info("best: %s; predict with: %s", winner, commands[winner])


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
