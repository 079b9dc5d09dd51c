"""A network for prediction.py: nnU-Net's own trainer, for some steps, saves its checkpoint.

Takes the dataset's name, batch size, side of the patch (0: the planned one) and the steps. Smaller
patches than planned teach the same network sooner.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from nnunetv2.run.run_training import get_trainer_from_args


def main(dataset: str, batch_size: str, side: str, steps: str) -> None:
    """Train and save."""
    # Batches are made in this process, not in others.
    os.environ["nnUNet_n_proc_DA"] = "0"
    torch.manual_seed(0)
    np.random.seed(0)
    trainer = get_trainer_from_args(dataset, "2d", 0, device=torch.device("cpu"))
    planned = json.loads(json.dumps(trainer.plans_manager.plans))
    if int(side):
        trainer.configuration_manager.configuration["patch_size"] = [int(side)] * 2
    trainer.initialize()
    trainer.batch_size = int(batch_size)
    trainer.dataloader_train, _ = trainer.get_dataloaders()
    # Adam finds the structures in fewer steps than the gradient descent of a whole training
    adam = torch.optim.Adam(trainer.network.parameters(), lr=1e-3)
    trainer.optimizer = adam
    trainer.network.train()
    for _ in range(int(steps)):
        loss = trainer.train_step(next(trainer.dataloader_train))["loss"]
    print("loss after the last step:", loss)
    base, folder = Path(trainer.output_folder_base), Path(trainer.output_folder)
    folder.mkdir(parents=True, exist_ok=True)
    trainer.my_init_kwargs["plans"] = planned
    trainer.save_checkpoint(str(folder / "checkpoint_final.pth"))
    (base / "plans.json").write_text(json.dumps(planned))
    (base / "dataset.json").write_text(json.dumps(trainer.dataset_json))
    preprocessed = Path(trainer.preprocessed_dataset_folder_base)
    shutil.copy(preprocessed / "dataset_fingerprint.json", base)
    shutil.copy(preprocessed / "splits_final.json", base)


if __name__ == "__main__":
    main(*sys.argv[1:])
