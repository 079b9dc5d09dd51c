"""Bring in one network that nnU-Net trained: its weights and its training curve, in our files.

No code from the checkpoint is run.
"""

import json
from pathlib import Path

from slicewise.dataset import open_dataset
from slicewise.files import write_csv, write_torch
from slicewise.job import logger, run
from slicewise.model_folders import ALL, check_dataset, check_fold
from slicewise.network import build_network, from_nnunet
from slicewise.nnunet_checkpoints import checked_weights, read_checkpoint
from slicewise.nnunet_logs import history_of
from slicewise.plans import Plan, read_plan
from slicewise.problems import error
from slicewise.records import read_fold, read_folds

GIVEN = "mend it, or take it from where the model was trained"


def weights(path: str, content: dict, plan: Plan, channels: int, outputs: int) -> dict:
    """Return the weights of a checkpoint by our names.

    Raises ValueError naming the file for weights that are not those of the plan's network.
    """
    given = checked_weights(path, content["network_weights"])
    try:
        network = build_network(plan, channels, outputs)
        network.load_state_dict(from_nnunet(given))
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"{path}: not the network of the plan beside it; its trainer, "
            f"{content['trainer_name']}, may have changed it ({error})"
        ) from None
    return network.state_dict()


def main(
    *,
    model_checkpoint,
    model_dataset_json,
    dataset_json,
    plan,
    splits,
    configuration,
    fold,
    checkpoint,
    model_splits=(),
    history=None,
):
    """Write checkpoint_final.pt and history.csv of a fold, or the checkpoint alone of `all`.

    `model_splits` holds the model's own splits_final.json, where its folder has one.
    """
    content, plan = read_checkpoint(model_checkpoint), read_plan(plan)
    theirs, ours = open_dataset(model_dataset_json), open_dataset(dataset_json)
    trained = content["init_args"].get("configuration")
    if trained != configuration:
        raise ValueError(
            f"{model_checkpoint}: found a network of the configuration {trained}, expected "
            f"{configuration}; set model.configuration"
        )
    for difference in check_dataset(theirs, ours):
        logger.warning(difference)
    if fold != ALL:
        fold = int(fold)
        given = [read_folds(path, GIVEN) for path in model_splits]
        check_fold(fold, read_fold(splits, fold, "val"), theirs, list(ours.cases()), *given)
    axes = list(content.get("inference_allowed_mirroring_axes") or ())
    state = weights(model_checkpoint, content, plan, len(ours.channel_names), ours.labels.outputs)
    write_torch(
        checkpoint,
        {
            "network": state,
            "plan": json.dumps(plan.raw),
            "mirror_axes": axes,
            "trainer": content["trainer_name"],
        },
    )
    try:
        curve = history_of(content["logging"], list(ours.labels.classes))
    except (KeyError, IndexError, TypeError, ValueError) as refused:
        expected = "the curves of its training, as nnU-Net logs them"
        found = f"a log that cannot be read ({refused!r})"
        raise error("", model_checkpoint, found, expected) from None
    if history:
        write_csv(history, curve)
    logger.info(
        "%s of %s, %d epochs; mirrors along axes %s in prediction",
        Path(model_checkpoint).parent.name,
        content["trainer_name"],
        len(curve),
        axes,
    )


if "snakemake" in globals():
    run(main, snakemake)  # noqa: F821
