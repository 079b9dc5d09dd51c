"""nnU-Net's half of training.py: steps of its own trainer, and what it starts a training with.

Takes a folder and names in it: NAME/plans.json and dataset.json are read, NAME/steps.npz is
written, and beside them setup.json and layers.npz. Of the first name, NAME/ranks.npz has steps
on the first slices of the same batches, as two processes take them.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
from dynamic_network_architectures.initialization.weight_init import InitWeights_He
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import distributed, multiprocessing, nn

from golden.record_labels import KINDS, draw_labels, targets

STEPS = 3
RANKS, EACH = 2, 1
"""Processes that take a step, and the slices of each: nnU-Net's Dice gathers no uneven parts."""

HEADS = range(2, 9)
SETTINGS = {
    "epochs": "num_epochs",
    "iterations_per_epoch": "num_iterations_per_epoch",
    "validation_iterations": "num_val_iterations_per_epoch",
    "learning_rate": "initial_lr",
    "weight_decay": "weight_decay",
    "oversample_foreground": "oversample_foreground_percent",
}
"""Key of our config -> attribute of nnU-Net's trainer."""


def open_trainer(folder: Path) -> nnUNetTrainer:
    """Return nnU-Net's trainer of the plans.json and dataset.json in a folder, ready to train."""
    plans = json.loads((folder / "plans.json").read_text())
    dataset_json = json.loads((folder / "dataset.json").read_text())
    plans["dataset_name"], plans["continue_training"] = folder.name, False
    trainer = nnUNetTrainer(plans, "2d", 0, dataset_json, torch.device("cpu"))
    # by the files of a case the trainer knows how its arrays are stored
    arrays = Path(trainer.preprocessed_dataset_folder)
    arrays.mkdir(parents=True, exist_ok=True)
    (arrays / "case.b2nd").touch()
    torch.manual_seed(0)
    trainer.initialize()
    return trainer


def weights(trainer: nnUNetTrainer, when: str) -> dict[str, np.ndarray]:
    """Return a copy of every weight, named when/parameter."""
    named = trainer.network.named_parameters()
    return {f"{when}/{name}": weight.detach().numpy().copy() for name, weight in named}


def record_steps(folder: Path) -> None:
    """Take STEPS steps; keep batches, losses and the weights before, after one and after all."""
    trainer, kind = open_trainer(folder), folder.name.split("-")[0]
    trainer.network.double()
    patch, scales = trainer.configuration_manager.patch_size, trainer._get_deep_supervision_scales()
    random = np.random.RandomState(list(KINDS).index(kind))
    arrays = weights(trainer, "before")
    for step in range(STEPS):
        labels = draw_labels(kind, random, tuple(patch))
        shape = (len(labels), trainer.num_input_channels, *patch)
        image = random.standard_normal(shape)
        batch = {"data": torch.from_numpy(image), "target": targets(kind, labels, scales)}
        loss = trainer.train_step(batch)["loss"]
        arrays |= {f"image_{step}": image, f"label_{step}": labels, f"loss_{step}": loss}
        if step == 0:
            arrays |= weights(trainer, "first")
    np.savez(folder / "steps.npz", **arrays, **weights(trainer, "last"))


def take_share(rank: int, folder: Path) -> None:
    """Take the recorded steps as one of RANKS processes; the first keeps losses and weights.

    As nnU-Net does on GPUs, where it compiles: with a weight of zero for the last head, and not of
    a millionth.
    """
    torch.set_num_threads(1)
    with np.load(folder / "steps.npz") as recorded:
        steps = dict(recorded)
    trainer, kind = open_trainer(folder), folder.name.split("-")[0]
    trainer.network.double()
    store = f"file://{folder / 'store'}"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=RANKS)
    weighed = trainer.loss.weight_factors
    trainer.is_ddp = True
    trainer.loss = trainer._build_loss()
    trainer.loss.weight_factors = weighed
    plain = trainer.network
    trainer.network = nn.parallel.DistributedDataParallel(plain, find_unused_parameters=True)
    scales, arrays = trainer._get_deep_supervision_scales(), {}
    for step in range(STEPS):
        image, labels = (steps[f"{name}_{step}"][rank::RANKS][:EACH] for name in ("image", "label"))
        batch = {"data": torch.from_numpy(image), "target": targets(kind, labels, scales)}
        losses = [None] * RANKS
        distributed.all_gather_object(losses, trainer.train_step(batch)["loss"])
        arrays[f"loss_{step}"] = np.mean(losses)
        if step in (0, STEPS - 1):
            when = "first" if step == 0 else "last"
            named = plain.named_parameters()
            arrays |= {f"{when}/{name}": w.detach().numpy().copy() for name, w in named}
    if rank == 0:
        np.savez(folder / "ranks.npz", **arrays)
    distributed.destroy_process_group()


def record_setup(folder: Path, name: str) -> None:
    """Keep settings, learning rates, the heads' weights and layers as they are initialised."""
    trainer = open_trainer(folder / name)
    rates, heads = [], {}
    for epoch in range(trainer.num_epochs):
        trainer.lr_scheduler.step(epoch)
        rates.append(trainer.optimizer.param_groups[0]["lr"])
    for count in HEADS:
        trainer._get_deep_supervision_scales = lambda count=count: [[1, 1]] * count
        heads[count] = list(map(float, trainer._build_loss().weight_factors))
    content = {
        "settings": {key: getattr(trainer, name) for key, name in SETTINGS.items()},
        "momentum": trainer.optimizer.param_groups[0]["momentum"],
        "rates": rates,
        "heads": heads,
    }
    (folder / "setup.json").write_text(json.dumps(content))
    layers = {"convolution": nn.Conv2d(5, 7, 3), "transposed": nn.ConvTranspose2d(7, 5, 2, 2)}
    for layer in layers.values():
        torch.manual_seed(0)
        InitWeights_He(1e-2)(layer)
    states = {name: layer.weight.detach().numpy() for name, layer in layers.items()}
    np.savez(folder / "layers.npz", **states)


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    for each in sys.argv[2:]:
        record_steps(Path(sys.argv[1]) / each)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    multiprocessing.spawn(take_share, (Path(sys.argv[1]) / sys.argv[2],), RANKS)
    record_setup(Path(sys.argv[1]), sys.argv[2])
