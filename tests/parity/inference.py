"""Inference: tiles, tile weights, logits of whole volumes, and segmentations of raw scans."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import torch

import predict_cases
from chain import Chain, analyse, plan
from golden import datasets, record_inference
from parity import oracle
from parity.comparison import Comparison
from slicewise.config import load
from slicewise.files import write_torch
from slicewise.inference import gaussian_weights, predict_logits, tile_starts
from slicewise.network import from_nnunet

GOLDEN = Path(record_inference.__file__).parent
SEGMENTED = ("thick_y", "thick_z", "cropped", "mixed_orientation", "regions", "partly_annotated")
"""Recipes that are segmented: transposed, 2D resampling, a crop, orientations, regions, ignore."""

SHARES = {"single": (1e-4, "single-precision sums"), "released": (1e-3, "as released")}
"""How nnU-Net adds up -> the share of voxels that may differ. As released, it rounds to halves."""

LOGITS = {"single": (1e-4, "single-precision sums"), "half": (0.1, "as released")}
"""The same for logits, which span some twenty units."""

SETTINGS = load({"datasets": {"any": {"phantom": {}}}})["inference"]
CPU = torch.device("cpu")


def compare(oracle_python: Path, folder: Path, data: Path | None) -> list[Comparison]:
    """Compare every step from a slice to a segmentation on the file's grid."""
    for name in SEGMENTED:
        datasets.write(name, folder / name / "raw")
        for file, source in (
            ("dataset.json", folder / name / "raw" / "dataset.json"),
            ("plans.json", GOLDEN / name / "plans.json"),
        ):
            (folder / name / file).write_text(source.read_text())
    oracle.run(oracle_python, "oracle_inference", folder, *SEGMENTED)
    return [
        *compare_tiles(folder),
        *compare_logits(folder),
        *(row for name in SEGMENTED for row in compare_segmentations(name, folder / name)),
    ]


def compare_tiles(folder: Path) -> list[Comparison]:
    """Compare where tiles start, and how the pixels of a tile weigh."""
    rows = json.loads((folder / "tiles.json").read_text())
    wrong = sum(tile_starts(size, tile, step) != starts for size, tile, step, starts in rows)
    with np.load(folder / "gaussian.npz") as arrays:
        weights = {name.split("/")[0]: arrays[name] for name in arrays if name.endswith("/single")}
    largest = max(
        np.abs(gaussian_weights([int(edge) for edge in shape.split("x")]) - expected).max()
        for shape, expected in weights.items()
    )
    return [
        Comparison(f"tiles of {len(rows)} sizes and steps", wrong, 0, "rows that differ"),
        Comparison(f"Gaussian weights of {len(weights)} tiles, 10 at the centre", largest, 1e-5),
    ]


def compare_logits(folder: Path) -> list[Comparison]:
    """Compare the logits of whole volumes, nnU-Net's summed in single precision and as released."""
    with np.load(folder / "logits.npz") as arrays:
        theirs = dict(arrays)
    networks = [
        record_inference.tiny_network(
            {n.split("/")[1]: a for n, a in theirs.items() if n.startswith(f"network_{number}/")}
        )
        for number in range(2)
    ]
    largest: dict[str, dict[str, float]] = {"single": {}, "half": {}}
    for name, expected in theirs.items():
        if not name.startswith("logits/"):
            continue
        _, plane, kind, precision = name.split("/")
        found = predict_logits(
            theirs[f"volume/{plane}"],
            networks if kind == "ensemble" else networks[:1],
            record_inference.PATCH_SIZE,
            mirroring=kind != "plain",
            tile_step=0.5,
            gaussian=kind != "uniform",
            batch_size=4,
            device=CPU,
        )
        difference = float(np.abs(found - expected).max())
        before = largest[precision].get(kind, 0)
        largest[precision][kind] = max(before, difference)
    titles = {
        "plain": "logits",
        "mirrored": "logits with mirroring",
        "uniform": "logits without the Gaussian",
        "ensemble": "logits of two networks",
    }
    return [
        Comparison(f"{titles[kind]}, {how}", difference, bound, "of some 20 units")
        for precision, (bound, how) in LOGITS.items()
        for kind, difference in largest[precision].items()
    ]


def compare_segmentations(name: str, folder: Path) -> list[Comparison]:
    """Segment the dataset in raw/ with nnU-Net's weights, and compare with its segmentations."""
    chain = plan(analyse(Chain(folder / "raw" / "dataset.json", folder)))
    with np.load(folder / "weights.npz") as arrays:
        state = {n.removeprefix("weights/"): torch.from_numpy(arrays[n]) for n in arrays}
    write_torch(folder / "checkpoint.pt", {"network": from_nnunet(state)})
    predict_cases.main(
        dataset_json=chain.dataset_json,
        plan=chain.plan,
        orientation=chain.orientation,
        checkpoints=[folder / "checkpoint.pt"],
        inference=SETTINGS,
        device="cpu",
        threads=1,
        predictions=folder / "ours",
        images=folder / "raw" / "imagesTr",
    )
    rows = []
    for precision, (bound, how) in SHARES.items():
        theirs = sorted((folder / "nnunet" / precision).glob("*.nii.gz"))
        shares = [disagreement(folder / "ours" / path.name, path) for path in theirs]
        title = f"{name}: segmentations of {len(theirs)} scans, {how}"
        rows.append(Comparison(title, float(np.mean(shares)), bound, "of the voxels"))
    return rows


def disagreement(ours: Path, theirs: Path) -> float:
    """Return the share of voxels that two files differ in; infinite where their grids do."""
    found, expected = nib.load(ours), nib.load(theirs)
    if found.shape != expected.shape or not np.allclose(found.affine, expected.affine, atol=1e-4):
        return np.inf
    return float((np.asarray(found.dataobj) != np.asarray(expected.dataobj)).mean())
