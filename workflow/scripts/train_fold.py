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
from tqdm import tqdm

from slicewise.batches import Batches
from slicewise.dataset import open_dataset
from slicewise.device import choose_device, keep_freed_memory
from slicewise.files import write_csv, write_torch
from slicewise.job import logger, run
from slicewise.labels import Labels
from slicewise.loss import Loss
from slicewise.network import build_network, initialise
from slicewise.patches import EmptyShare, empty_share
from slicewise.plans import Plan, read_plan
from slicewise.pretrained import start_from
from slicewise.randomness import seed_from
from slicewise.records import read_fold
from slicewise.selection import Selection, parse_selection
from slicewise.slices import ExportedCase, choose_cases, open_cases
from slicewise.sources import digest
from slicewise.training import Training, learning_rate

EMA_WEIGHT = 0.1  # of a new epoch in the running pseudo Dice (nnU-Net: nnUNetLogger)


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
        steps = range(epoch * iterations, (epoch + 1) * iterations)
        for batch in batches.stream(steps, workers, training.device):
            losses.append(training.step(batch))
            bar.update()
        loss = torch.stack(losses).mean().item()
        held_out = range(epoch * checks, (epoch + 1) * checks)
        checked = validation.stream(held_out, workers, training.device)
        validation_loss, dice = training.validate(checked)
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
    keep_freed_memory()
    fold, seed = int(fold), int(seed)
    dataset, plan = open_dataset(dataset_json), read_plan(plan)
    split = read_fold(splits, fold, "train", "val")
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
    loss = Loss(dataset.labels, plan.batch_dice)
    training = Training(network, settings, device, loss)
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
