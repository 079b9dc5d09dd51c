"""Training steps from the same weights on the same batches, and what a training starts with.

Both networks run in double precision here, both losses sum in single precision as ever. In single
precision rounding alone moves a few of a million activations across the kink of the leaky ReLU,
where the gradient jumps by a hundredth, and no bound would tell that from a fault.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from golden import record_labels
from parity import oracle
from parity.comparison import Comparison
from parity.preprocessing import VALUES, differing
from ranks import call
from slicewise.config import load
from slicewise.distributed import ALONE, Ranks
from slicewise.labels import parse_labels
from slicewise.loss import Loss, deep_supervision_weights
from slicewise.network import build_network, from_nnunet, initialise
from slicewise.plans import read_plan
from slicewise.training import Training, learning_rate

RUNS = {
    "plain": "plain labels",
    "ignore": "ignore label",
    "regions": "regions",
    "regions_ignore": "regions with ignore label",
    "plain-residual": "residual encoder",
}
"""Kind of labels, and of network where it is not the plain one -> title."""

PLANS = Path(record_labels.__file__).parent / "thick_z" / "plans.json"
SETTINGS = load({"datasets": {"any": {"phantom": {}}}})["training"]

LOSS_BOUND = 10 * float(np.finfo(np.float32).eps)
"""Ten times the relative distance between neighbouring float32 numbers."""

WEIGHT_BOUND = 1e-8
"""A step moves weights by some 1e-3, and the losses' rounding moves steps by 1e-7 of that."""


def compare(oracle_python: Path, folder: Path, data: Path | None) -> list[Comparison]:
    """Compare steps for every kind of labels, settings, schedule and initialisation."""
    for run in RUNS:
        labels, order = record_labels.KINDS[run.split("-")[0]]
        content = {"channel_names": {"0": "MRI"}, "labels": labels, "file_ending": ".nii.gz"}
        if order:
            content["regions_class_order"] = order
        (folder / run).mkdir()
        (folder / run / "dataset.json").write_text(json.dumps(content))
        (folder / run / "plans.json").write_text(json.dumps(plans_of(run)))
    oracle.run(oracle_python, "oracle_training", folder, *RUNS)
    steps = [row for run in RUNS for row in compare_steps(run, folder / run, RUNS[run])]
    parts = compare_steps("plain", folder / "plain", "slice by slice", micro_batch_size=1)
    return [*steps, *parts, *compare_ranks("plain", folder / "plain"), *compare_setup(folder)]


def plans_of(run: str) -> dict:
    """Return nnU-Net's plan of a thick dataset, with a residual encoder's depths for such a run."""
    plans = json.loads(PLANS.read_text())
    architecture = plans["configurations"]["2d"]["architecture"]
    if run.endswith("-residual"):
        name = architecture["network_class_name"]
        architecture["network_class_name"] = name.replace("PlainConvUNet", "ResidualEncoderUNet")
        depths = architecture["arch_kwargs"]
        del depths["n_conv_per_stage"]
        depths |= {"n_blocks_per_stage": [1, 3, 4, 6], "n_conv_per_stage_decoder": [1, 1, 1]}
    return plans


def take_steps(
    ranks: Ranks, run: str, folder: Path, theirs: dict[str, np.ndarray], changes: dict
) -> dict[str, Any]:
    """Take nnU-Net's steps from its weights and return losses and weights, as one of some ranks.

    changes: of the settings; the weights are those of all steps but the first alone.
    """
    plan = read_plan(folder / "plans.json")
    labels = parse_labels(*record_labels.KINDS[run.split("-")[0]])
    network = build_network(plan, theirs["image_0"].shape[1], labels.outputs)
    network.load_state_dict(named(theirs, "before"))
    network.double()
    ranks = ranks.of_batches(len(theirs["image_0"]))
    loss, device = Loss(labels, plan.batch_dice), torch.device("cpu")
    training = Training(network, SETTINGS | changes, device, loss, ranks)
    found: dict[str, Any] = {"losses": []}
    for step in range(sum(name.startswith("image_") for name in theirs)):
        target = torch.from_numpy(theirs[f"label_{step}"]).clamp(min=0)
        batch = torch.from_numpy(theirs[f"image_{step}"])[ranks.part], target[ranks.part]
        found["losses"].append(training.step(batch).item())
        when = "last" if step else "first"
        found[when] = {n: w.detach().clone() for n, w in network.named_parameters()}
    return found


def compare_steps(run: str, folder: Path, title: str, **changes) -> list[Comparison]:
    """Take nnU-Net's steps from its weights and compare losses and weights; changes: settings."""
    with np.load(folder / "steps.npz") as arrays:
        theirs = dict(arrays)
    return compare_found(take_steps(ALONE, run, folder, theirs, changes), theirs, title)


def compare_ranks(run: str, folder: Path) -> list[Comparison]:
    """Compare steps that two processes take here with those that two take in nnU-Net."""
    with np.load(folder / "steps.npz") as arrays, np.load(folder / "ranks.npz") as of_ranks:
        steps, theirs = dict(arrays), dict(of_ranks)
    steps |= {n: a[:2] for n, a in steps.items() if n.startswith(("image_", "label_"))}
    found = call(2, folder / "meeting", take_steps, run, folder, steps, {})
    return compare_found(found[0], theirs, "2 processes")


def compare_found(found: dict, theirs: dict[str, np.ndarray], title: str) -> list[Comparison]:
    """Compare losses and weights of steps with those of nnU-Net."""
    steps = len(found["losses"])
    losses = [
        abs(loss - theirs[f"loss_{step}"]) / abs(theirs[f"loss_{step}"])
        for step, loss in enumerate(found["losses"])
    ]
    first, last = (weight_difference(found[n], named(theirs, n)) for n in ("first", "last"))
    return [
        Comparison(f"training step, {title}: loss", losses[0], LOSS_BOUND, "relative"),
        Comparison(f"training step, {title}: weights after it", first, WEIGHT_BOUND, "absolute"),
        Comparison(f"{steps} training steps, {title}: losses", max(losses), LOSS_BOUND, "relative"),
        Comparison(f"{steps} training steps, {title}: weights", last, WEIGHT_BOUND, "absolute"),
    ]


def named(arrays: dict[str, np.ndarray], when: str) -> dict[str, torch.Tensor]:
    """Return the recorded weights of a moment under our names."""
    chosen = {name: array for name, array in arrays.items() if name.startswith(f"{when}/")}
    return from_nnunet({n.removeprefix(f"{when}/"): torch.tensor(a) for n, a in chosen.items()})


def weight_difference(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> float:
    """Return the largest difference of any weight; infinite where the weights are not the same."""
    if ours.keys() != theirs.keys():
        return np.inf
    return max((ours[name] - weight).abs().max().item() for name, weight in theirs.items())


def compare_setup(folder: Path) -> list[Comparison]:
    """Compare default settings, learning rates, the heads' weights and first weights."""
    theirs = json.loads((folder / "setup.json").read_text())
    settings = theirs["settings"] | {"momentum": theirs["momentum"]}
    ours = {key: SETTINGS[key] for key in settings}
    epochs, start = settings["epochs"], settings["learning_rate"]
    rates = np.array([learning_rate(start, epoch, epochs) for epoch in range(epochs)])
    heads = [
        np.abs(np.subtract(deep_supervision_weights(int(count)), weights)).max()
        for count, weights in theirs["heads"].items()
    ]
    with np.load(folder / "layers.npz") as arrays:
        layers = {name: torch.from_numpy(weight) for name, weight in arrays.items()}
    made = {
        "convolution": torch.nn.Conv2d(5, 7, 3),
        "transposed": torch.nn.ConvTranspose2d(7, 5, 2, 2),
    }
    first = []
    for name, layer in made.items():
        initialise(layer, seed=0)
        first.append((layer.weight.detach() - layers[name]).abs().max().item())
    return [
        Comparison("default settings of a training", differing(ours, settings), 0, VALUES),
        Comparison(f"learning rates of {epochs} epochs", np.abs(rates - theirs["rates"]).max(), 0),
        Comparison("weights of 2 to 8 deep-supervision heads", max(heads), 1e-15),
        Comparison("first weights of a layer, same seed", max(first), 0),
    ]
