"""What training patches cost to read, in bytes, memory and time, as volumes and datasets grow.

Compares loading whole volumes, nnU-Net's compressed blocks, and reading the rows of single slices.
It takes about two minutes; up to 3 GB of generated volumes lie in a temporary folder meanwhile.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks import training_memory
from benchmarks.reading import PATCH
from slicewise import style
from slicewise.files import write_json
from slicewise.preprocessing import CaseGeometry
from slicewise.slices import case_paths, slice_table

ROOT = Path(__file__).resolve().parents[2]
VOLUMES = ((16, 64, 64), (32, 128, 128), (64, 256, 256), (128, 512, 512))
"""Slice, row, column: the volumes of datasets of CASES, larger and larger."""

CASES = 4
DATASETS = (8, 32, 128)
"""Cases of IN_DATASETS, more and more."""

IN_DATASETS = (16, 256, 256)
WAYS = {
    "slices": "rows of slices (slicewise)",
    "blosc2": "compressed blocks (nnU-Net)",
    "npy": "whole volume, .npy",
    "npz": "whole volume, compressed",
}
TRAINING = "training"
"""The way of the rows that tell the memory of a whole training process."""

TRAINING_LOOKS = {
    "color": style.BLACK,
    "linestyle": "-",
    "linewidth": 0.6,
    "marker": "v",
    "markerfacecolor": "white",
}
"""Solid and thin, with a marker that no way of WAYS has."""

MIB = 2**20


def write_volumes(folder: Path, shape: tuple[int, int, int], cases: int, ways: set[str]) -> float:
    """Export copies of one generated case, in the files that `ways` read; return MiB of a case."""
    from benchmarks.own_reading import LABELS

    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    label = np.zeros(shape, np.int8)
    label[tuple(slice(size // 4, -(size // 4)) for size in shape)] = 1
    # Whole numbers before they are normalised, as scanners give them; so they can be compressed.
    grey = np.rint(rng.normal(0, 40, shape).astype(np.float32)) + 100 * label
    image = (grey / 50).astype(np.float32)[:, None]
    files = case_paths(folder, "case_000")
    write_record(files[2], label, slice_table(label, LABELS))
    for path, voxels in zip(files, (image, label), strict=False):
        np.save(path, voxels)
        if "npz" in ways:
            np.savez_compressed(path.with_suffix(".npz"), voxels=voxels)
    return (image.nbytes + label.nbytes) / MIB


def write_record(path: Path, label: np.ndarray, table: dict) -> None:
    """Write the geometry and the slice table of a generated case, as an export does."""
    shape, spacing = label.shape, (5.0, 0.8, 0.8)
    geometry = CaseGeometry(
        orientation="RAS",
        reorient=False,
        affine=np.diag([0.8, 0.8, 5.0, 1.0]).tolist(),
        file_shape=shape[::-1],
        spacing=spacing,
        shape=shape,
        bounding_box=tuple((0, size) for size in shape),
        resampled_spacing=spacing,
        resampled_shape=shape,
    )
    write_json(path, {"geometry": geometry.to_json(), "slice_table": table})


def run(python: Path, module: str, *arguments: str | Path) -> dict[str, float]:
    """Run a module of this folder in a process of its own and return what it prints last."""
    paths = os.pathsep.join(str(ROOT / part) for part in ("tests", "workflow/scripts"))
    surroundings = {f"nnUNet_{name}": "unused" for name in ("raw", "preprocessed", "results")}
    done = subprocess.run(
        [python, "-m", f"benchmarks.{module}", *map(str, arguments)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | surroundings | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
    )
    return json.loads(done.stdout.splitlines()[-1])


def measure_dataset(
    folder: Path, shape: tuple[int, int, int], cases: int, ways: set[str], nnunet: Path | None
) -> list[dict]:
    """Return a row for each way to read a generated dataset, which is deleted afterwards."""
    case_mib = write_volumes(folder, shape, cases, ways)
    if nnunet:
        run(nnunet, "oracle_reading", "write", folder)
    for path in sorted(folder.glob("case_000*")):
        for number in range(1, cases):
            shutil.copy(path, path.with_name(path.name.replace("000", f"{number:03d}")))
    rows = []
    for way in WAYS:
        if way == "blosc2" and nnunet:
            found = run(nnunet, "oracle_reading", "read", folder)
        elif way in ways:
            found = run(Path(sys.executable), "own_reading", way, folder)
        else:
            continue
        about = {"way": way, "cases": cases, "case_mib": case_mib, "dataset_mib": cases * case_mib}
        rows.append(about | found)
    shutil.rmtree(folder)
    return rows


def measure(folder: str | Path, nnunet_python: str | Path | None = None) -> pd.DataFrame:
    """Return a row for each series, way and size; nnU-Net's way where its python is given.

    series: volumes (of CASES cases), datasets, or training; sizes are in MiB of image and label.
    growth_mib: by how much the memory of a process grows at its peak; a training has the whole of
    it in resident_mib, too.
    """
    nnunet = Path(nnunet_python) if nnunet_python else None
    rows = []
    for shape in VOLUMES:
        found = measure_dataset(
            Path(folder, "read"), shape, CASES, {"slices", "npy", "npz"}, nnunet
        )
        rows += [{"series": "volumes"} | row for row in found]
    for cases in DATASETS:
        found = measure_dataset(Path(folder, "read"), IN_DATASETS, cases, {"slices", "npy"}, nnunet)
        rows += [{"series": "datasets"} | row for row in found]
    training_memory.prepare(Path(folder, TRAINING))
    for cases in training_memory.SIZES:
        found = run(Path(sys.executable), "training_memory", Path(folder, TRAINING), str(cases))
        rows.append({"series": TRAINING, "way": TRAINING} | found)
    shutil.rmtree(Path(folder, TRAINING))
    return pd.DataFrame(rows)


def draw(frame: pd.DataFrame, path: str | Path) -> None:
    """Write the figure to `path` and to its other ending, of .svg and .png."""
    path = Path(path)
    style.save_figure(figure_of(frame), path.with_suffix(".svg"), path.with_suffix(".png"))


@style.journal()
def figure_of(frame: pd.DataFrame) -> Figure:
    """Return what reading costs, in three panels."""
    figure = style.new_figure(style.TWO_COLUMNS, 64)
    logarithmic = {"xscale": "log", "yscale": "log"}
    bytes_read, memory, speed = figure.subplots(1, 3, subplot_kw=logarithmic)
    volumes = frame[frame.series == "volumes"]
    volumes = volumes.assign(kib=volumes.bytes_from_disk / 1024)
    draw_ways(bytes_read, volumes, "case_mib", "kib")
    draw_memory(memory, frame)
    draw_ways(speed, volumes, "case_mib", "samples_per_second")
    patch = " × ".join(map(str, PATCH))
    volume, dataset = "size of a volume (MiB)", "size of the dataset (MiB)"
    bytes_read.set(xlabel=volume, ylabel=f"read from disk\nfor a patch of {patch} (KiB)")
    memory.set(xlabel=dataset, ylabel="growth of resident memory (MiB)")
    speed.set(xlabel=volume, ylabel=f"patches of {patch}\na second of CPU time")
    for axes, text in zip(figure.axes, "abc", strict=True):
        axes.xaxis.set_major_formatter("{x:,.7g}")
        axes.yaxis.set_major_formatter("{x:,.7g}")
        # Those of matplotlib are formulas.
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_minor_formatter(NullFormatter())
        style.letter(axes, text)
    handles = [
        style.handle(name, **looks(way)) for way, name in WAYS.items() if way in set(frame.way)
    ]
    handles.append(style.handle("a whole training", **TRAINING_LOOKS))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def looks(way: str) -> dict:
    """Return colour, dashes and marker of a way."""
    return style.line_style(list(WAYS).index(way))


def draw_ways(axes: Axes, rows: pd.DataFrame, x: str, y: str) -> None:
    """Draw a line for each way to read."""
    for way in WAYS:
        chosen = rows[rows.way == way]
        if len(chosen):
            axes.plot(chosen[x], chosen[y], **looks(way))


def draw_memory(axes: Axes, frame: pd.DataFrame) -> None:
    """Draw how memory grows over the size of the dataset, beside holding all of it."""
    draw_ways(axes, frame[frame.series == "datasets"], "dataset_mib", "growth_mib")
    training = frame[frame.series == TRAINING]
    axes.plot(training.dataset_mib, training.growth_mib, **TRAINING_LOOKS)
    sizes = frame[frame.series.isin(["datasets", TRAINING])].dataset_mib
    whole = [sizes.min(), sizes.max()]
    axes.plot(whole, whole, color=style.GREY, linewidth=0.8, linestyle=":")
    notes = {"color": style.GREY, "fontsize": style.SMALL, "textcoords": "offset points"}
    axes.annotate("all in memory", (whole[1], whole[1]), (0, 4), ha="right", **notes)
    axes.set_ylim(bottom=1, top=4 * max(*whole, training.growth_mib.max()))
