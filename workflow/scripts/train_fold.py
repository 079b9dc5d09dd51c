"""Train a 2D U-Net on patches of single slices, from plans.json and exported arrays alone.

A killed run goes on from its last checkpoint and ends with the weights of an uninterrupted one.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from slicewise.batches import Batches
from slicewise.checkpoints import identity, resume, save
from slicewise.dataset import Dataset, open_dataset
from slicewise.device import choose_device, keep_freed_memory, set_determinism
from slicewise.distributed import ALONE, Ranks
from slicewise.files import write_csv, write_torch
from slicewise.job import logger, run
from slicewise.labels import Labels
from slicewise.launch import on_devices, run_rank
from slicewise.loss import Loss
from slicewise.network import build_network, initialise
from slicewise.patches import empty_share
from slicewise.plans import Plan, read_plan
from slicewise.pretrained import start_from
from slicewise.problems import BadInput, wrong
from slicewise.randomness import seed_from
from slicewise.records import read_fold
from slicewise.selection import parse_selection
from slicewise.slices import ExportedCase, choose_cases, open_cases, stored_slices
from slicewise.stopping import Stopped, stop_between
from slicewise.training import Training, learning_rate

EMA_WEIGHT = 0.1  # of a new epoch in the running pseudo Dice (nnU-Net: nnUNetLogger)


def history_row(
    epoch: int,
    rate: float,
    losses: tuple[float, float],
    skipped: int,
    dice: dict,
    ema: float | None,
) -> dict[str, float]:
    """Return one row of history.csv; `ema` is the running pseudo Dice of the epoch before.

    losses: of the training, nan where all steps were skipped, and of the check after it; skipped:
    how many steps were, because their loss or gradient was not finite. Columns of classes begin
    with pseudo_dice_ and no other column does, so that none can clash.
    """
    mean = float(np.nanmean(list(dice.values()))) if not all(map(np.isnan, dice.values())) else 0.0
    return {
        "epoch": epoch,
        "learning_rate": rate,
        "train_loss": losses[0],
        "validation_loss": losses[1],
        "skipped_steps": skipped,
        "pseudo_dice": mean,
        **{f"pseudo_dice_{name}": value for name, value in dice.items()},
        "ema_pseudo_dice": mean if ema is None else (1 - EMA_WEIGHT) * ema + EMA_WEIGHT * mean,
    }


def stopped_by_numbers(training: Training, batches: Batches, step: int, axis: int) -> BadInput:
    """Return the error for too many skipped steps in a row, the last of them `step`.

    It names the cases and slices of its whole batch, which is drawn and prepared once more for it:
    those first whose voxels are not finite. axis: the sliced axis in reading order.
    """
    kind = "gradient" if training.losses[-1].isfinite() else "loss"
    image, _ = replace(batches, ranks=ALONE).batch(step)
    finite = image.flatten(1).isfinite().all(1).tolist()
    found: dict[tuple[bool, str], list[int]] = {}
    for (case, index), is_finite in zip(batches.slices(step), finite, strict=True):
        number = int(stored_slices(case.geometry, axis)[1][index])
        found.setdefault((is_finite, case.name), []).append(number)
    listed = [
        wrong(
            f"slices {', '.join(map(str, sorted(set(slices))))} of the scan",
            "finite voxels" if is_finite else "voxels that are not finite",
            f"a finite {kind}" if is_finite else "finite voxels",
            case=case,
        )
        for (is_finite, case), slices in sorted(found.items())
    ]
    epoch, within = divmod(step, training.settings["iterations_per_epoch"])
    return BadInput(
        listed,
        f"training.max_skipped_steps: {training.skipped_in_a_row} steps in a row had a loss or a "
        f"gradient that is not finite and were skipped, the last of them step {within} of epoch "
        f"{epoch} by its {kind}. Mend the scans that are not finite; if all are, lower "
        "training.learning_rate or set training.mixed_precision to false. Its batch:",
    )


def end_epoch(
    training: Training, checked: Iterable[tuple], rate: float, classes: Iterable[str]
) -> None:
    """Check the network, and add a row for the epoch to the history; warn of what is not finite.

    checked: batches of cases that are held out; rate: the learning rate of the epoch.
    """
    validation_loss, dice = training.validate(checked)
    steps, epoch = len(training.losses), len(training.history)
    loss, skipped = training.end_epoch()
    if skipped:
        logger.warning(
            "epoch %d: %d of %d steps skipped, their loss or gradient was not finite",
            epoch,
            skipped,
            steps,
        )
    if not np.isfinite(validation_loss):
        logger.warning("epoch %d: the validation loss is not finite", epoch)
    ema = training.history[-1]["ema_pseudo_dice"] if training.history else None
    per_class = dict(zip(classes, dice.tolist(), strict=True))
    row = history_row(epoch, rate, (loss, validation_loss), skipped, per_class, ema)
    training.history.append(row)


def train(
    training: Training,
    batches: Batches,
    validation: Batches,
    *,
    axis: int,
    save: Callable[[], None],
    stoppable: Callable[[Iterable], Iterator],
) -> None:
    """Train all epochs that the history does not hold yet, calling `save` every few of them.

    axis: the sliced axis in reading order; `stoppable` goes over batches and may raise between two
    of them, where the state is whole: an epoch that is under way goes on behind its last loss.
    Raises BadInput when too many steps in a row were skipped.
    """
    settings, device = training.settings, training.device
    epochs, iterations = settings["epochs"], settings["iterations_per_epoch"]
    checks, workers = settings["validation_iterations"], settings["loader_workers"]
    bar = tqdm(
        total=epochs * iterations,
        initial=len(training.history) * iterations + len(training.losses),
        unit="step",
        mininterval=0.5 if sys.stderr.isatty() else 30,
    )
    for epoch in range(len(training.history), epochs):
        rate = learning_rate(settings["learning_rate"], epoch, epochs)
        for group in training.optimizer.param_groups:
            group["lr"] = rate
        steps = range(epoch * iterations + len(training.losses), (epoch + 1) * iterations)
        stream = stoppable(batches.stream(steps, workers, device))
        for step, batch in zip(steps, stream, strict=True):
            training.step(batch)
            if training.skipped_in_a_row >= settings["max_skipped_steps"]:
                raise stopped_by_numbers(training, batches, step, axis)
            bar.update()
        held_out = range(epoch * checks, (epoch + 1) * checks)
        checked = stoppable(validation.stream(held_out, workers, device))
        end_epoch(training, checked, rate, batches.labels.classes)
        last = training.history[-1]
        bar.set_postfix(
            loss=f"{last['train_loss']:.3f}", Dice=f"{last['pseudo_dice']:.3f}", refresh=False
        )
        if (epoch + 1) % settings["checkpoint_every"] == 0 and epoch + 1 < epochs:
            save()
    bar.close()


def as_asked(purpose: str, find: Callable[[], Any], otherwise: Any, instead: str) -> Any:
    """Return what `find` does; it raises ValueError for slices that the cases do not have.

    The few cases of a validation fold may lack them: there it is `otherwise`, with a warning.
    instead: what is done then, in words.
    """
    try:
        return find()
    except ValueError as error:
        if purpose == "train":
            raise
        logger.warning("validation batches %s (%s)", instead, error)
        return otherwise


def make_batches(
    purpose: str,
    cases: list[ExportedCase],
    plan: Plan,
    labels: Labels,
    settings: dict,
    key: tuple[int, int],
    ranks: Ranks = ALONE,
) -> Batches:
    """Return the stream of batches of a purpose, train or val, from its cases; key: seed, fold.

    ranks: the processes that share each batch.
    """
    selection, axis = parse_selection(settings["slices"]), plan.preparation.transpose_forward[0]
    cases = as_asked(
        purpose, lambda: choose_cases(cases, selection, axis), cases, "are of all slices"
    )
    empty, share = None, settings["empty_slices"]
    if share is not None:
        empty = as_asked(
            purpose, lambda: empty_share(cases, share), None, "take slices as they come"
        )
    seed, fold = key
    return Batches(
        cases=cases,
        labels=labels,
        batch_size=settings["batch_size"] or plan.batch_size,
        patch=plan.patch_size,
        oversample=settings["oversample_foreground"],
        augmented=purpose == "train" and settings["augmentation"] == "default",
        masked_channels=plan.preparation.use_mask_for_norm,
        seed=seed,
        fold=fold,
        purpose=purpose,
        empty=empty,
        ranks=ranks,
    )


def new_training(
    plan: Plan,
    dataset: Dataset,
    settings: dict,
    key: tuple[int, int],
    pretrained: Sequence[str],
    ranks: Ranks,
) -> Training:
    """Return a training before its first step, from pretrained weights if there are any.

    key: seed and fold, which the random weights follow from, the same in all `ranks`.
    """
    network = build_network(plan, len(dataset.channel_names), dataset.labels.outputs)
    initialise(network, seed_from(*key, "weights"))
    for path in pretrained:
        start_from(network, path)
    device = choose_device(settings["device"])
    set_determinism(device, settings["deterministic"])
    return Training(network, settings, device, Loss(dataset.labels, plan.batch_dice), ranks)


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
    running,
    checkpoint,
    history,
    pretrained=(),
    ranks=ALONE,
):
    """Write checkpoint_final.pt and history.csv of one fold and seed.

    `settings` and `running` are the config's section `training`, the latter what changes nothing
    that comes of it; `pretrained` holds the file of the weights to start from, if there is one.
    `ranks`: the processes that do this together, of which the first writes.
    """
    torch.set_num_threads(max(1, settings["threads"] // ranks.count))
    keep_freed_memory()
    dataset, plan = open_dataset(dataset_json), read_plan(plan)
    ranks = ranks.of_batches(settings["batch_size"] or plan.batch_size)
    key = int(seed), int(fold)
    split = read_fold(splits, int(fold), "train", "val")
    streams = [
        make_batches(
            purpose, open_cases(arrays, split[purpose]), plan, dataset.labels, settings, key, ranks
        )
        for purpose in ("train", "val")
    ]
    training = new_training(plan, dataset, settings | running, key, pretrained, ranks)
    latest = Path(checkpoint).with_name("checkpoint_latest.pt")
    where = (training.device.type, int(fold), int(seed))
    own = identity(plan, dataset.labels, settings, split, where, [*manifests, *pretrained])
    resume(training, latest, own)
    keep = partial(save, training, latest, own) if ranks.rank == 0 else lambda: None
    axis = plan.preparation.transpose_forward[0]
    with stop_between(ranks.agree) as stoppable:
        try:
            train(training, *streams, axis=axis, save=keep, stoppable=stoppable)
        except Stopped as stopped:
            keep()
            ranks.agree(0)  # the first rank to end ends the others, which may not have saved yet
            logger.warning("told to end (%s): %s holds all steps so far", stopped, latest)
            sys.exit(stopped.status)
        if ranks.rank > 0:
            return
        write_csv(history, pd.DataFrame(training.history))
        write_torch(
            checkpoint, {"network": training.network.state_dict(), "plan": json.dumps(plan.raw)}
        )
        latest.unlink(missing_ok=True)
    last = training.history[-1]
    logger.info("pseudo Dice %.4f after %d epochs", last["pseudo_dice"], settings["epochs"])


if "snakemake" in globals():
    run(on_devices(main, "train_fold"), snakemake)  # noqa: F821
elif __name__ == "__main__":
    run_rank(main)
