"""Write the slice explorer: one page that shows the Dice of every slice, and each slice itself.

The page needs no network and no other file. Scores and scans lie in it as data that no browser
runs; a scan is unpacked when someone looks at it.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pandas as pd

from slicewise import packed_scans
from slicewise.dataset import Dataset, open_dataset
from slicewise.files import atomic
from slicewise.job import logger, run
from slicewise.page_parts import PARTS
from slicewise.score_tables import read_scores

LIBRARY = ("bokeh.min.js", "bokeh-api.min.js")
"""The parts of Bokeh's JavaScript, as its Python package brings them, that draw the profiles."""

OWN = (
    *("data.js", "address.js", "outlines.js", "viewer.js", "selection.js", "profile.js"),
    *("list.js", "explorer.js", "controls.js"),
)
"""The page's own JavaScript, in the order in which its parts build on each other."""

STATUS = ("absent", "both", "truth_only", "prediction_only", "both_empty", "ignored")
"""What a slice shows of a class, by the number that stands for it in the page."""

OUTSIDE = 0.1
"""Where a slice beyond an end of its structure stands on the axis of the relative position."""

MB = 1_000_000

RUN = ["experiment", "seed"]
SLICE = ["case", "slice"]
COLUMNS = [
    *("experiment", "fold", "seed", "case", "class", "axis", "slice", "position_mm"),
    *("relative_position", "area_true_mm2", "area_predicted_mm2", "dice", "hd95_mm", "status"),
]


@dataclass(frozen=True)
class Scored:
    """What a page says of one dataset: its scores, and where its predictions lie.

    table: rows of per_slice of slices that show something, each (case, run, class, slice) once;
    runs: (experiment, seed) in the order of the experiments; folders: of predictions by
    (experiment, fold, seed).
    """

    name: str
    source: Dataset
    table: pd.DataFrame
    runs: list[tuple[str, int]]
    folders: dict[tuple[str, int, int], Path]

    @property
    def cases(self) -> list[str]:
        """Return the cases of which some slice shows something, sorted."""
        return sorted(self.table["case"].unique())


def of_dataset(
    name: str, dataset_json: str | Path, runs: Sequence, per_slice: Sequence, folders: Sequence
) -> Scored:
    """Return what a page says of a dataset.

    runs: (experiment, fold, seed) of each of the tables and folders. A case that several folds hold
    out is shown as the first of them saw it.
    """
    table = read_scores(per_slice, COLUMNS)
    shows = table["status"].isin(["both", "truth_only", "prediction_only"])
    table = table[shows.groupby([table[column] for column in SLICE]).transform("any")]
    first = table.groupby([*RUN, "case"])["fold"].transform("min")
    return Scored(
        name,
        open_dataset(dataset_json),
        table[table["fold"] == first].reset_index(drop=True),
        list(dict.fromkeys((experiment, seed) for experiment, _, seed in runs)),
        {tuple(run): Path(folder) for run, folder in zip(runs, folders, strict=True)},
    )


def along_structure(table: pd.DataFrame) -> pd.Series:
    """Return where each row's slice stands along its structure, on an axis from 0 to 1.

    Slices beyond an end stand OUTSIDE away from it, for they have no relative position though they
    may be the worst: structure where there is none. Cases without the structure have none.
    """
    case = [table[column] for column in [*RUN, "case", "class"]]
    inside = table["position_mm"].where(table["relative_position"].notna())
    low, high = (inside.groupby(case).transform(end) for end in ("min", "max"))
    beyond = pd.Series(np.nan, table.index)
    beyond[table["position_mm"] < low] = -OUTSIDE
    beyond[table["position_mm"] > high] = 1 + OUTSIDE
    return table["relative_position"].fillna(beyond)


def along_foreground(table: pd.DataFrame) -> pd.Series:
    """Return the same along all structures of a case together, of the slices that were scored."""
    case = [table[column] for column in [*RUN, "case"]]
    inside = table["position_mm"].where(table["area_true_mm2"] > 0)
    low, high = (inside.groupby(case).transform(end) for end in ("min", "max"))
    place = (table["position_mm"] - low) / (high - low)
    place = place.where(high > low, 0.5 + np.sign(table["position_mm"] - low))
    return place.where(place.between(0, 1), place.clip(-OUTSIDE, 1 + OUTSIDE)).where(low.notna())


def columns_of(scored: Scored) -> list[np.ndarray]:
    """Return the columns of a dataset's scores as the page's data.js reads them.

    Slices are in the order of cases and indices. Of each: its index, position in mm, place along
    all structures; then for each class (class, slice) the place along it and its true area; then
    for each run (class, slice) Dice, HD95 and predicted area; then of each run the status.
    """
    table, classes = scored.table, list(scored.source.labels.classes)
    places = table[SLICE].drop_duplicates().sort_values(SLICE)
    rows = pd.MultiIndex.from_frame(places).get_indexer(pd.MultiIndex.from_frame(table[SLICE]))
    label = pd.Index(classes).get_indexer(table["class"])
    number = pd.MultiIndex.from_tuples(scored.runs).get_indexer(
        pd.MultiIndex.from_frame(table[RUN])
    )

    def filled(values: pd.Series, shape: tuple[int, ...], *index: np.ndarray) -> np.ndarray:
        column = np.full((*shape, len(places)), np.nan, np.float32)
        column[(*index, rows)] = values
        return column

    status = np.zeros((len(scored.runs), len(classes), len(places)), np.uint8)
    status[number, label, rows] = pd.Index(STATUS).get_indexer(table["status"])
    per_class, per_run = (len(classes),), (len(scored.runs), len(classes))
    return [
        places["slice"].to_numpy(np.int32),
        filled(table["position_mm"], ()),
        filled(along_foreground(table), ()),
        filled(along_structure(table), per_class, label),
        filled(table["area_true_mm2"], per_class, label),
        *(
            filled(table[name], per_run, number, label)
            for name in ("dice", "hd95_mm", "area_predicted_mm2")
        ),
        status,
    ]


def described(scored: Scored) -> dict[str, Any]:
    """Return what the page knows of a dataset before a scan is looked at."""
    slices = scored.table.drop_duplicates(SLICE).groupby("case").size()
    content = b"".join(column.tobytes() for column in columns_of(scored))
    return {
        "name": scored.name,
        "channel": scored.source.channel_names[0],
        "channels": len(scored.source.channel_names),
        "classes": [[name, list(values)] for name, values in scored.source.labels.classes.items()],
        "experiments": list(dict.fromkeys(experiment for experiment, _ in scored.runs)),
        "runs": scored.runs,
        "cases": scored.cases,
        "slices": slices.loc[scored.cases].tolist(),
        "scores": packed_scans.deflated(content),
    }


def worst_first(datasets: Sequence[Scored]) -> list[tuple[int, str]]:
    """Return all cases (number of the dataset, name), those of the lowest mean Dice first.

    Datasets take turns, so that a page that cannot hold all scans has the worst of each.
    """
    order = []
    for number, scored in enumerate(datasets):
        dice = scored.table.groupby("case")["dice"].mean().sort_values(kind="stable")
        order += [(rank, number, case) for rank, case in enumerate(dice.index)]
    return [(number, case) for _, number, case in sorted(order)]


def predictions_of(scored: Scored, case: str) -> tuple[int, dict[int, Path]]:
    """Return the axis that a case is scored across, and its prediction by the number of its run."""
    rows = scored.table[scored.table["case"] == case]
    found = {}
    for experiment, fold, seed in rows[["experiment", "fold", "seed"]].drop_duplicates().to_numpy():
        folder = scored.folders[experiment, int(fold), int(seed)]
        found[scored.runs.index((experiment, int(seed)))] = folder / f"{case}.nii.gz"
    return int(rows["axis"].iloc[0]), dict(sorted(found.items()))


def as_data(content: Any, identifier: str) -> str:
    """Return JSON in an element that no browser runs, and that no name in it can end."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="{identifier}">{text}</script>\n'


def scans(
    datasets: Sequence[Scored], margin_mm: float | None, edge: int, most: float
) -> Iterator[str]:
    """Yield the packed scans, one at a time, as long as they take at most so many bytes."""
    order = worst_first(datasets)
    for count, (number, case) in enumerate(order):
        scored = datasets[number]
        axis, predictions = predictions_of(scored, case)
        source, labels = scored.source.case(case), scored.source.labels
        stack = packed_scans.read_stack(source, labels, axis, predictions, margin_mm)
        place = scored.cases.index(case)
        data = as_data(packed_scans.pack(stack, edge), f"scan-{number}-{place}")
        most -= len(data)
        if most < 0:
            logger.warning(
                "report.page_mb: the page is full with the images of %d of %d cases, those with "
                "the lowest Dice; the others show their scores only: raise it, or lower "
                "report.image_edge or report.margin_mm",
                *(count, len(order)),
            )
            return
        yield data


def page_around(manifest: str) -> tuple[str, str]:
    """Return the page before and behind the scans.

    Its policy lets a browser run these scripts only and load nothing; Bokeh adds its own styles.
    """
    site = Path(find_spec("bokeh").submodule_search_locations[0]) / "server/static/js"
    own = "\n".join((PARTS / name).read_text(encoding="utf-8") for name in OWN)
    scripts = [(site / name).read_text(encoding="utf-8") for name in LIBRARY] + [own]
    style = (PARTS / "explorer.css").read_text(encoding="utf-8")
    template = Template((PARTS / "index.html").read_text(encoding="utf-8"))
    page = template.substitute(
        scripts=" ".join(map(checksum, scripts)),
        style=style,
        manifest=manifest,
        code="\n".join(f"<script>{script}</script>" for script in scripts),
        scans="\0",
    )
    before, behind = page.split("\0")
    return before, behind


def checksum(script: str) -> str:
    """Return what a content security policy calls an inline script."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def main(
    *,
    datasets: Sequence[str],
    dataset_json: Sequence[str | Path],
    runs: Mapping[str, Sequence[tuple[str, int, int]]],
    per_slice: Sequence[str | Path],
    predictions: Sequence[str | Path],
    margin_mm: float | None,
    image_edge: int,
    page_mb: float,
    page: str | Path,
) -> None:
    """Write the page; tables and folders of predictions are in the order of `runs`."""
    tables, folders = iter(per_slice), iter(predictions)
    scored = []
    for name, path in zip(datasets, dataset_json, strict=True):
        of = runs[name]
        own = ([next(paths) for _ in of] for paths in (tables, folders))
        scored.append(of_dataset(name, path, of, *own))
    scored = [one for one in scored if len(one.table)]
    settings = {"margin_mm": margin_mm, "image_edge": image_edge, "page_mb": page_mb}
    known = {"datasets": [described(one) for one in scored], "status": STATUS} | settings
    before, behind = page_around(as_data(known, "manifest"))
    room = page_mb * MB - len(before.encode()) - len(behind.encode())
    with atomic(page) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(before)
        file.writelines(scans(scored, margin_mm, image_edge, room))
        file.write(behind)
    logger.info("%s: %.1f MB", page, Path(page).stat().st_size / MB)


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
