"""nnU-Net's half of training.py and gpu.py: steps of its own trainer.

Takes the dataset's name, a device, the batch size (0: the planned one), the steps in a turn, and
where to leave the weights and the batch that it starts with; without such a file, every step takes
a new batch of the trainer's own loader.
"""

import sys
import time

import numpy as np
import torch
from nnunetv2.run.run_training import get_trainer_from_args
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from benchmarks.serving import claim_output, serve


def open_trainer(dataset: str, device: str, batch_size: int) -> nnUNetTrainer:
    """Return nnU-Net's trainer of fold 0, ready to train."""
    torch.manual_seed(0)
    np.random.seed(0)
    trainer = get_trainer_from_args(dataset, "2d", 0, device=torch.device(device))
    trainer.initialize()
    trainer.batch_size = batch_size or trainer.batch_size
    trainer.dataloader_train, trainer.dataloader_val = trainer.get_dataloaders()
    trainer.set_deep_supervision_enabled(trainer.enable_deep_supervision)
    trainer.network.train()
    torch.backends.cudnn.benchmark = True  # as nnUNetv2_train does
    return trainer


def main(dataset: str, device: str, batch_size: str, steps: str, start: str = "") -> None:
    """Serve steps."""
    tell = claim_output()
    trainer = open_trainer(dataset, device, int(batch_size))
    fixed = None
    if start:
        fixed = next(trainer.dataloader_train)
        trainer.dataloader_train._finish()
        trainer.dataloader_val._finish()
        weights = {name: value.numpy() for name, value in trainer.network.state_dict().items()}
        label = fixed["target"][0][:, 0].numpy()
        np.savez(start, image=fixed["data"].numpy(), label=label, **weights)

    def work() -> dict:
        amount, losses, begin = 0, [], time.perf_counter()
        for _ in range(int(steps)):
            batch = fixed or next(trainer.dataloader_train)
            losses.append(float(trainer.train_step(batch)["loss"]))
            amount += len(batch["data"])
        seconds = time.perf_counter() - begin
        return {"amount": amount, "seconds": seconds, "first": losses[0], "last": losses[-1]}

    serve(tell, {}, work)


if __name__ == "__main__":
    main(*sys.argv[1:])
