"""Peak resident memory of training on datasets of 12 and 120 scans of the same size.

`make benchmark` writes results/benchmark/training_memory.csv and prints it.
"""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "workflow" / "scripts"), str(ROOT / "tests")]

from slicewise.config import load  # noqa: E402

SHAPE = (256, 256, 24)
SIZES = (12, 120)
PATCH = 64  # a small network step, so that reading the slices is what the process does
SETTINGS = load({"datasets": {"any": {"phantom": {}}}})["training"] | {
    "epochs": 2,
    "iterations_per_epoch": 20,
    "validation_iterations": 2,
    "batch_size": 8,
    "device": "cpu",
    "threads": 1,
}


def prepare(folder: Path) -> None:
    """Export one scan, plan small patches for it, and copy its arrays to the larger dataset."""
    from chain import Chain, analyse, export, plan
    from scans import write_dataset
    from slicewise.files import read_json, write_json
    from slicewise.slices import case_paths

    raw = write_dataset(folder / "raw", [SHAPE] * 2, spacing=(0.8, 0.8, 6.0))
    chain = export(plan(analyse(Chain(raw, folder))))
    content = read_json(chain.plan)
    content["configurations"]["2d"]["patch_size"] = [PATCH, PATCH]
    write_json(chain.plan, content)
    names = [f"copy_{index:03d}" for index in range(max(SIZES))]
    for name in names:
        for source, target in zip(
            case_paths(chain.arrays, "case_00"), case_paths(chain.arrays, name), strict=True
        ):
            shutil.copy(source, target)
    for size in SIZES:
        held_out = size // 6
        split = {"train": names[held_out:size], "val": names[:held_out]}
        write_json(folder / f"splits_{size}.json", [split])


def train(folder: Path, size: int) -> None:
    """Train in this process and print its peak resident memory."""
    import train_fold

    train_fold.main(
        dataset_json=folder / "raw" / "dataset.json",
        manifests=[],
        arrays=folder / "arrays",
        plan=folder / "plan.json",
        splits=folder / f"splits_{size}.json",
        fold=0,
        seed=0,
        settings=SETTINGS,
        checkpoint=folder / str(size) / "checkpoint_final.pt",
        history=folder / str(size) / "history.csv",
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    arrays = sum(path.stat().st_size for path in (folder / "arrays").glob("copy_*.npy"))
    share = arrays / max(SIZES) * size / 1024**2
    print(json.dumps({"cases": size, "arrays_mib": round(share), "peak_mib": round(peak)}))


def main() -> None:
    """Measure each size in a process of its own."""
    import pandas as pd

    from slicewise.files import write_csv

    with tempfile.TemporaryDirectory() as temporary:
        prepare(Path(temporary))
        rows = []
        for size in SIZES:
            command = [sys.executable, __file__, temporary, str(size)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
    table = pd.DataFrame(rows)
    write_csv(ROOT / "results" / "benchmark" / "training_memory.csv", table)
    print(table.to_string(index=False))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        train(Path(sys.argv[1]), int(sys.argv[2]))
    else:
        main()
