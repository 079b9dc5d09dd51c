"""What the stages ask about networks that are trained, brought in or started from."""

FOLD_ALL_CHECKPOINT = f"{RESULTS}/{{dataset}}/{{experiment}}/fold-all/checkpoint_final.pt"
IMPORTED = [name for name in EXPERIMENTS if config["experiments"][name]["model"]["nnunet"]]
TRAINED = [name for name in EXPERIMENTS if name not in IMPORTED]
# How a training runs, whatever comes of it: a change of these is no reason to train again.
RUNNING = ("checkpoint_every", "loader_workers", "max_skipped_steps")


def model(wildcards) -> dict:
    """Return the trained model of the wildcards' experiment."""
    return config["experiments"][wildcards.experiment]["model"]


def model_dataset_json(wildcards) -> str:
    """Return the dataset.json of the wildcards' experiment's model."""
    return str(Path(model(wildcards)["nnunet"]) / "dataset.json")


def model_splits(wildcards) -> list[str]:
    """Return the folds that the wildcards' experiment's model was trained on, if it has them."""
    path = Path(model(wildcards)["nnunet"]) / "splits_final.json"
    return [str(path)] if path.exists() else []


def model_checkpoint(wildcards) -> str:
    """Return the checkpoint of a fold of the wildcards' experiment, as nnU-Net wrote it."""
    if model(wildcards)["fold"] == model_folders.ALL:
        raise WorkflowError(
            f"experiments.{wildcards.experiment}.model.fold: found all, a network trained on every "
            "case, so no case is left to score it on; use it with the target predict alone"
        )
    return str(model_folders.checkpoint_path(model(wildcards), wildcards.fold))


def networks(wildcards) -> list[str]:
    """Return the checkpoints that predict new images together: of all folds, or of fold_all."""
    if model(wildcards)["fold"] == model_folders.ALL:
        return [FOLD_ALL_CHECKPOINT]
    return of_runs(f"{FOLD_FOLDER}/checkpoint_final.pt")(wildcards)


def pretrained(wildcards) -> list[str]:
    """Return the checkpoint that the wildcards' experiment starts from, if any."""
    path = section("training", "pretrained")(wildcards)
    return [path] if path else []


def training_settings(wildcards) -> dict:
    """Return how the wildcards' experiment is trained, as far as results depend on it."""
    settings = section("training")(wildcards)
    return {name: value for name, value in settings.items() if name not in RUNNING}


def training_running(wildcards, threads) -> dict:
    """Return the settings of a training that its results do not depend on.

    Snakemake records no param of a function that asks for `threads`: a change reruns nothing.
    """
    settings = section("training")(wildcards)
    return {name: settings[name] for name in RUNNING}
