"""Peak resident memory of a real training on 12 and on 120 scans of the same size.

Takes a folder that `prepare` filled and the number of scans; memory_claim.py runs it.
"""

import json
import resource
import shutil
import sys
from pathlib import Path

from defaults import training_settings
from slicewise.reading_costs import counter

SHAPE = (256, 256, 24)
SIZES = (12, 120)
PATCH = 64  # a small network step, so that reading the slices is what the process does
SETTINGS = training_settings(
    epochs=1,
    iterations_per_epoch=15,
    validation_iterations=1,
    batch_size=8,
    device="cpu",
    threads=1,
)


def prepare(folder: Path) -> None:
    """Export one scan, plan small patches for it, and copy its arrays to the larger dataset."""
    from chain import Chain, analyse, export, plan
    from scans import write_dataset
    from slicewise.files import read_json, write_json
    from slicewise.slices import case_paths

    folder.mkdir(parents=True)
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
    """Train in this process and print its peak resident memory, and how much of it is growth."""
    import train_fold

    before = counter("status", "VmRSS") / 1024
    train_fold.main(
        dataset_json=folder / "raw" / "dataset.json",
        manifests=[],
        arrays=folder / "arrays",
        plan=folder / "plan.json",
        splits=folder / f"splits_{size}.json",
        fold=0,
        seed=0,
        settings=SETTINGS,
        running={},
        checkpoint=folder / str(size) / "checkpoint_final.pt",
        history=folder / str(size) / "history.csv",
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    arrays = sum(path.stat().st_size for path in (folder / "arrays").glob("copy_000*.npy"))
    sizes = {"case_mib": arrays / 1024**2, "dataset_mib": size * arrays / 1024**2}
    memory = {"resident_mib": peak, "growth_mib": peak - before}
    print(json.dumps({"cases": size, **sizes, **memory}))


if __name__ == "__main__":
    train(Path(sys.argv[1]), int(sys.argv[2]))
