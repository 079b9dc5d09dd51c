"""Our half of training.py and gpu.py: steps of a training as train_fold builds it.

Takes the folders of raw files and results, a device, the steps in a turn, and either nnU-Net's file
of weights and a batch to start with, or the folder of arrays to cut new batches from.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks.own_patches import training_batches
from benchmarks.programs import OURS
from benchmarks.serving import claim_output, serve
from defaults import training_settings
from slicewise.dataset import open_dataset
from slicewise.device import choose_device, keep_freed_memory
from slicewise.loss import Loss
from slicewise.network import build_network, from_nnunet, initialise
from slicewise.plans import read_plan
from slicewise.training import Training


def open_training(raw: Path, results: Path, settings: dict) -> Training:
    """Return a training of fold 0, ready to take steps."""
    dataset, plan = open_dataset(raw / "dataset.json"), read_plan(results / OURS / "plans.json")
    network = build_network(plan, len(dataset.channel_names), dataset.labels.outputs)
    initialise(network, 0)
    loss = Loss(dataset.labels, plan.batch_dice)
    return Training(network, settings, choose_device(settings["device"]), loss)


def repeated(training: Training, start: Path) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Load nnU-Net's weights and yield its batch again and again."""
    with np.load(start) as arrays:
        found = {name: torch.from_numpy(array) for name, array in arrays.items()}
    image, label = found.pop("image"), found.pop("label")
    training.network.load_state_dict(from_nnunet(found))
    while True:
        yield image, label.clamp(min=0)


def main(raw: str, results: str, device: str, steps: str, source: str) -> None:
    """Serve steps."""
    tell = claim_output()
    keep_freed_memory()
    settings = training_settings(device=device, threads=torch.get_num_threads())
    training = open_training(Path(raw), Path(results), settings)
    if source.endswith(".npz"):
        batches = repeated(training, Path(source))
    else:
        made = training_batches(Path(raw), Path(results), Path(source), settings)
        batches = made.stream(range(10**9), settings["loader_workers"], training.device)
    training.network.train()

    def work() -> dict:
        amount, losses, begin = 0, [], time.perf_counter()
        for _ in range(int(steps)):
            batch = next(batches)
            losses.append(training.step(batch))
            amount += len(batch[0])
        last = losses[-1].item()  # waits for the device
        seconds = time.perf_counter() - begin
        return {"amount": amount, "seconds": seconds, "first": losses[0].item(), "last": last}

    serve(tell, {}, work)


if __name__ == "__main__":
    main(*sys.argv[1:])
