"""Weights to start a training from, taken from another network of the same shape."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from slicewise.job import logger
from slicewise.nnunet_checkpoints import read_weights

FRESH = "heads."
"""Segmentation layers, which stay as they are: their classes are another dataset's."""


def start_from(network: nn.Module, path: str | Path) -> None:
    """Give a network all weights of a checkpoint but those of its segmentation layers, in place.

    The checkpoint is one of ours or of nnU-Net's. Raises ValueError naming the file and the first
    weight that is missing or of another shape (nnU-Net: load_pretrained_weights, which leaves out
    of account, too, what the checkpoint has more).
    """
    given, own = read_weights(path), network.state_dict()
    taken = [name for name in own if not name.startswith(FRESH)]
    for name in taken:
        expected = tuple(own[name].shape)
        found = tuple(given[name].shape) if name in given else None
        if found == expected:
            continue
        if name == taken[0] and found and found[0] == expected[0] and found[2:] == expected[2:]:
            raise ValueError(
                f"training.pretrained: {path} is of a network with {found[1]} input channels, "
                f"expected {expected[1]} as in this dataset"
            )
        has = f"{name} of shape {found}" if found else f"no weight {name}"
        raise ValueError(
            f"training.pretrained: {path} has {has}, expected one of shape {expected}; give "
            "planning.plans the plans.json that it was trained with"
        )
    network.load_state_dict(own | {name: given[name] for name in taken})
    logger.info("started from the %d weights of %s", len(taken), path)
