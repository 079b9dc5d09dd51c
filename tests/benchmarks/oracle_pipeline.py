"""nnU-Net's command for training, its trainer told to stop early.

Takes epochs=N, iterations_per_epoch=N and validation_iterations=N, then the command's arguments.
"""

import sys

from nnunetv2.run.run_training import run_training_entry
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from parity.oracle_training import SETTINGS


def limit(lengths: dict[str, int]) -> None:
    """Let every trainer of nnU-Net's have these lengths."""
    made = nnUNetTrainer.__init__

    def made_short(self, *arguments, **named):
        made(self, *arguments, **named)
        for name, value in lengths.items():
            setattr(self, SETTINGS[name], value)

    # nnU-Net reads the names of the arguments off this
    made_short.__wrapped__ = made
    nnUNetTrainer.__init__ = made_short


if __name__ == "__main__":
    given = [argument for argument in sys.argv[1:] if "=" in argument]
    limit({name: int(value) for name, value in (pair.split("=") for pair in given)})
    sys.argv[1:] = [argument for argument in sys.argv[1:] if argument not in given]
    run_training_entry()
