"""Train a 2D U-Net on patches of single slices, from plans.json and exported arrays alone.

A killed run goes on from its last checkpoint and ends with the weights of an uninterrupted one.
"""

import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm import tqdm

from slicewise.batches import Batches
from slicewise.dataset import open_dataset
from slicewise.device import autocast, choose_device, memory_format
from slicewise.files import read_json, write_csv, write_torch
from slicewise.job import logger, run
from slicewise.labels import Labels
from slicewise.loss import Loss, deep_supervision_loss, pseudo_dice_counts, training_loss
from slicewise.network import build_network, initialise
from slicewise.patches import EmptyShare, empty_share
from slicewise.plans import Plan, read_plan
from slicewise.pretrained import start_from
from slicewise.randomness import seed_from
from slicewise.selection import Selection, parse_selection
from slicewise.slices import ExportedCase, choose_cases, open_cases
from slicewise.sources import digest

POLYNOMIAL_EXPONENT = 0.9  # nnU-Net: PolyLRScheduler
EMA_WEIGHT = 0.1  # of a new epoch in the running pseudo Dice (nnU-Net: nnUNetLogger)


def learning_rate(initial: float, epoch: int, epochs: int) -> float:
    """Return the learning rate of an epoch, falling to zero after the last."""
    return initial * (1 - epoch / epochs) ** POLYNOMIAL_EXPONENT


WITHOUT_EFFECT = ("checkpoint_every", "loader_workers", "pretrained")
"""Settings that change how a training is run but not what comes of it, or only by a file."""


def identity(
    plan: Plan, labels: Labels, settings: dict, split: dict, key: tuple, files: list[str]
) -> str:
    """Return a digest of all that a training depends on; a checkpoint of another is not resumed.

    key: device type, fold and seed; files: those that hold a digest of each exported case, and the
    pretrained weights, if any. The code counts too: its script and all modules behind it.
    """
    about = {name: value for name, value in settings.items() if name not in WITHOUT_EFFECT}
    content = hashlib.sha256(digest("train_fold").encode())
    content.update(
        json.dumps([plan.raw, asdict(labels), about, split, key], sort_keys=True).encode()
    )
    for path in sorted(map(str, files)):
        content.update(Path(path).read_bytes())
    return content.hexdigest()


class Training:
    """A network, its optimiser and its history: what a checkpoint holds and a step changes."""

    def __init__(
        self, network: nn.Module, settings: dict, device: torch.device, labels: Labels, loss: Loss
    ):
        self.settings = settings
        self.device = device
        self.labels = labels
        self.loss = loss
        self.network = network.to(device, memory_format=memory_format(device))
        self.network.deep_supervision = settings["deep_supervision"]
        self.optimizer = torch.optim.SGD(
            network.parameters(),
            lr=settings["learning_rate"],
            momentum=settings["momentum"],
            weight_decay=settings["weight_decay"],
            nesterov=settings["momentum"] > 0,
        )
        scaled = settings["mixed_precision"] and device.type == "cuda"
        self.scaler = torch.amp.GradScaler(device.type, enabled=scaled)
        self.history: list[dict[str, float]] = []

    def forward(self, batch: tuple) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the loss, the logits at full resolution and the target of a batch."""
        image, target = (part.to(self.device, non_blocking=True) for part in batch)
        image = image.to(memory_format=memory_format(self.device))
        with autocast(self.device, self.settings["mixed_precision"]):
            output = self.network(image)
            if not self.settings["deep_supervision"]:
                return self.loss(output, target), output, target
            return deep_supervision_loss(output, target, self.loss), output[0], target

    def step(self, batch: tuple) -> torch.Tensor:
        """Take one step of stochastic gradient descent and return its loss."""
        self.optimizer.zero_grad(set_to_none=True)
        loss, *_ = self.forward(batch)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.settings["gradient_clipping"])
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach()

    @torch.no_grad()
    def validate(self, batches) -> tuple[float, np.ndarray]:
        """Return the mean loss and the Dice of each class over all voxels of `batches`.

        A class that neither the truth nor the prediction holds has a Dice of nan.
        """
        self.network.eval()
        losses, counts = [], 0
        for batch in batches:
            loss, logits, target = self.forward(batch)
            losses.append(loss)
            counts = (
                counts + torch.stack(pseudo_dice_counts(logits, target, self.labels)).cpu().double()
            )
        self.network.train()
        hits, false, missed = counts.numpy()
        with np.errstate(invalid="ignore"):
            return torch.stack(losses).mean().item(), 2 * hits / (2 * hits + false + missed)

    def state(self) -> dict:
        """Return what a checkpoint needs to go on."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "history": self.history,
        }

    def restore(self, state: dict) -> None:
        """Go on from the state of a checkpoint."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.history = state["history"]


def history_row(
    epoch: int, rate: float, losses: tuple[float, float], dice: dict, ema: float | None
) -> dict[str, float]:
    """Return one row of history.csv; `ema` is the running pseudo Dice of the epoch before.

    Columns of classes begin with pseudo_dice_ and no other column does, so that none can clash.
    """
    mean = float(np.nanmean(list(dice.values()))) if not all(map(np.isnan, dice.values())) else 0.0
    return {
        "epoch": epoch,
        "learning_rate": rate,
        "train_loss": losses[0],
        "validation_loss": losses[1],
        "pseudo_dice": mean,
        **{f"pseudo_dice_{name}": value for name, value in dice.items()},
        "ema_pseudo_dice": mean if ema is None else (1 - EMA_WEIGHT) * ema + EMA_WEIGHT * mean,
    }


def resume(training: Training, latest: Path, expected: str) -> None:
    """Go on from `latest` where it is there and belongs to this very training."""
    if not latest.exists():
        return
    state = torch.load(latest, map_location=training.device, weights_only=True)
    if state["identity"] != expected:
        logger.info("%s is of another training (settings or data changed): starting anew", latest)
        return
    training.restore(state)
    logger.info("going on after epoch %d, from %s", len(training.history) - 1, latest)


def train(
    training: Training, batches: Batches, validation: Batches, names: list[str], save
) -> None:
    """Train all epochs that the history does not hold yet, calling `save` every few of them."""
    settings = training.settings
    epochs, iterations = settings["epochs"], settings["iterations_per_epoch"]
    checks, workers = settings["validation_iterations"], settings["loader_workers"]
    bar = tqdm(
        total=epochs * iterations,
        initial=len(training.history) * iterations,
        unit="step",
        mininterval=0.5 if sys.stderr.isatty() else 30,
    )
    for epoch in range(len(training.history), epochs):
        rate = learning_rate(settings["learning_rate"], epoch, epochs)
        for group in training.optimizer.param_groups:
            group["lr"] = rate
        losses = []
        for batch in batches.stream(range(epoch * iterations, (epoch + 1) * iterations), workers):
            losses.append(training.step(batch))
            bar.update()
        loss = torch.stack(losses).mean().item()
        held_out = validation.stream(range(epoch * checks, (epoch + 1) * checks), workers)
        validation_loss, dice = training.validate(held_out)
        ema = training.history[-1]["ema_pseudo_dice"] if training.history else None
        per_class = dict(zip(names, dice.tolist(), strict=True))
        row = history_row(epoch, rate, (loss, validation_loss), per_class, ema)
        training.history.append(row)
        bar.set_postfix(loss=f"{loss:.3f}", Dice=f"{row['pseudo_dice']:.3f}", refresh=False)
        if (epoch + 1) % settings["checkpoint_every"] == 0 and epoch + 1 < epochs:
            save()
    bar.close()


def chosen_cases(
    cases: list[ExportedCase], selection: Selection, axis: int, purpose: str
) -> list[ExportedCase]:
    """Return the cases limited to the chosen slices, across an axis in reading order.

    The few cases of a validation fold may have none: all slices are taken then, with a warning.
    """
    try:
        return choose_cases(cases, selection, axis)
    except ValueError as error:
        if purpose == "train":
            raise
        logger.warning("validation batches are of all slices (%s)", error)
        return cases


def share_of_empty(
    cases: list[ExportedCase], share: float | None, purpose: str
) -> EmptyShare | None:
    """Return the share of empty slices with the cases that serve it, None to leave it to chance.

    The few cases of a validation fold may lack such slices: there chance decides, with a warning.
    """
    if share is None:
        return None
    try:
        return empty_share(cases, share)
    except ValueError as error:
        if purpose == "train":
            raise
        logger.warning("validation batches take slices as they come (%s)", error)
        return None


def make_batches(
    plan: Plan, cases: list[ExportedCase], labels: Labels, settings: dict, fold: int, seed: int
) -> dict[str, Batches]:
    """Return the streams of training and validation batches; `cases` by purpose."""
    return {
        purpose: Batches(
            cases=cases[purpose],
            labels=labels,
            batch_size=settings["batch_size"] or plan.batch_size,
            patch=plan.patch_size,
            oversample=settings["oversample_foreground"],
            augmented=purpose == "train" and settings["augmentation"] == "default",
            masked_channels=plan.preparation.use_mask_for_norm,
            seed=seed,
            fold=fold,
            purpose=purpose,
            empty=share_of_empty(cases[purpose], settings["empty_slices"], purpose),
        )
        for purpose in ("train", "val")
    }


def main(
    *,
    dataset_json,
    manifests,
    arrays,
    plan,
    splits,
    fold,
    seed,
    settings,
    checkpoint,
    history,
    pretrained=(),
):
    """Write checkpoint_final.pt and history.csv of one fold and seed.

    `pretrained` holds the file of the weights to start from, if there is one.
    """
    torch.set_num_threads(settings["threads"])
    fold, seed = int(fold), int(seed)
    dataset, plan = open_dataset(dataset_json), read_plan(plan)
    split = read_json(splits)[fold]
    selection, axis = parse_selection(settings["slices"]), plan.preparation.transpose_forward[0]
    cases = {
        purpose: chosen_cases(open_cases(arrays, split[purpose]), selection, axis, purpose)
        for purpose in ("train", "val")
    }

    network = build_network(plan, len(dataset.channel_names), dataset.labels.outputs)
    initialise(network, seed_from(seed, fold, "weights"))
    for path in pretrained:
        start_from(network, path)
    device = choose_device(settings["device"])
    loss = training_loss(dataset.labels, plan.batch_dice)
    training = Training(network, settings, device, dataset.labels, loss)
    latest = Path(checkpoint).with_name("checkpoint_latest.pt")
    key, files = (device.type, fold, seed), [*manifests, *pretrained]
    own = identity(plan, dataset.labels, settings, split, key, files)
    resume(training, latest, own)

    streams = make_batches(plan, cases, dataset.labels, settings, fold, seed)
    train(
        training,
        streams["train"],
        streams["val"],
        list(dataset.labels.classes),
        save=lambda: write_torch(latest, {"identity": own, **training.state()}),
    )
    write_csv(history, pd.DataFrame(training.history))
    write_torch(
        checkpoint, {"network": training.network.state_dict(), "plan": json.dumps(plan.raw)}
    )
    latest.unlink(missing_ok=True)
    logger.info(
        "pseudo Dice %.4f after %d epochs", training.history[-1]["pseudo_dice"], settings["epochs"]
    )


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
