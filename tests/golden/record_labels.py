"""Record what nnU-Net does with regions and with voxels that nobody annotated (label "ignore").

Run in an environment that has nnunetv2==2.8.1: `python tests/golden/record_labels.py`. It writes
network/labels.npz: targets, losses, gradients and pseudo Dice counts, named kind/..., and
network/centres.npz: how often each voxel of a label is the centre of a patch. nnU-Net's trainer,
preprocessor and loader do the work; only their surroundings are made up here.
"""

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

FOLDER = Path(__file__).parent
PLAIN = {"background": 0, "rim": 1, "core": 2, "scar": 3}
REGIONS = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "scar": 3}
ORDER = [1, 2, 3]
KINDS = {
    "plain": (PLAIN, None),
    "ignore": ({**PLAIN, "ignore": 4}, None),
    "regions": (REGIONS, ORDER),
    "regions_ignore": ({**REGIONS, "ignore": 4}, ORDER),
}
"""Kind -> labels and regions_class_order, as in a dataset.json."""

SCALES = [[1, 1], [1, 1 / 2], [1 / 2, 1 / 4]]
BATCH_SIZE, PATCH_SIZE = 3, (16, 20)
CENTRES_SHAPE, DRAWS = (5, 6, 7), 40_000


def label_manager(kind: str):
    """Return nnU-Net's label manager of a kind."""
    from nnunetv2.utilities.label_handling.label_handling import LabelManager

    return LabelManager(*KINDS[kind])


def trainer(kind: str, batch_dice: bool, network=None) -> SimpleNamespace:
    """Return what nnUNetTrainer's methods look at, with its loss; its patches have three scales."""
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    made = SimpleNamespace(
        label_manager=label_manager(kind),
        configuration_manager=SimpleNamespace(batch_dice=batch_dice),
        is_ddp=False,
        enable_deep_supervision=True,
        _do_i_compile=lambda: False,
        _get_deep_supervision_scales=lambda: SCALES,
        device=torch.device("cpu"),
        network=network,
    )
    made.loss = nnUNetTrainer._build_loss(made)
    made.validation_step = partial(nnUNetTrainer.validation_step, made)
    return made


def targets(kind: str, labels: np.ndarray, scales: list = SCALES) -> list[torch.Tensor]:
    """Return the targets that nnU-Net's transforms make of int16 labels (slice, row, column)."""
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    manager = label_manager(kind)
    transforms = nnUNetTrainer.get_validation_transforms(
        scales,
        foreground_labels=manager.foreground_labels,
        regions=manager.foreground_regions if manager.has_regions else None,
        ignore_label=manager.ignore_label,
    )
    image = torch.zeros((1, *labels.shape[1:]))
    samples = [
        transforms(image=image, segmentation=torch.from_numpy(one[None].copy()))["segmentation"]
        for one in labels
    ]
    return [torch.stack(same_scale) for same_scale in zip(*samples, strict=True)]


def draw_labels(
    kind: str, random: np.random.RandomState, patch_size: tuple[int, int] = PATCH_SIZE
) -> np.ndarray:
    """Return int16 labels (slice, row, column), -1 outside the volume among them.

    Of a kind with ignore, half of the first slice and all of the last are not annotated.
    """
    labels = random.randint(0, 4, size=(BATCH_SIZE, *patch_size)).astype(np.int16)
    labels[:, :2] = -1
    ignore = label_manager(kind).ignore_label
    if ignore is not None:
        labels[0, :, patch_size[1] // 2 :] = ignore
        labels[1][random.uniform(size=patch_size) < 0.2] = ignore
        labels[2] = ignore
    return labels


def draw_heads(kind: str, random: np.random.RandomState) -> list[torch.Tensor]:
    """Return the logits of three heads, finest first, each (slice, output, row, column)."""
    outputs = label_manager(kind).num_segmentation_heads
    return [
        torch.from_numpy(
            3 * random.standard_normal((BATCH_SIZE, outputs, *np.int64(np.multiply(PATCH_SIZE, s))))
        ).float()
        for s in SCALES
    ]


def losses(kind: str, labels: np.ndarray, heads: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the loss and its gradients, with one Dice for the batch and with one for a slice."""
    arrays = {}
    for batch_dice in (True, False):
        leaves = [head.clone().requires_grad_() for head in heads]
        loss = trainer(kind, batch_dice).loss(leaves, targets(kind, labels))
        loss.backward()
        key = "batch" if batch_dice else "slice"
        arrays[f"{key}/loss"] = loss.detach()
        # the last head weighs nothing and gets no gradient
        for number, leaf in enumerate(leaves[:-1]):
            arrays[f"{key}/gradient_{number}"] = leaf.grad
    return arrays


def counts(kind: str, labels: np.ndarray, heads: list[torch.Tensor]) -> np.ndarray:
    """Return tp, fp and fn of each foreground class or region: (3, class)."""
    made = trainer(kind, batch_dice=True, network=lambda image: heads)
    batch = {"data": torch.zeros(1), "target": targets(kind, labels)}
    found = made.validation_step(batch)
    return np.stack([found[f"{name}_hard"] for name in ("tp", "fp", "fn")])


def record_losses() -> None:
    """Record the losses of every kind, and of a batch of which nothing is annotated."""
    arrays = {}
    random = np.random.RandomState(20261125)
    for kind in KINDS:
        labels, heads = draw_labels(kind, random), draw_heads(kind, random)
        arrays[f"{kind}/label"] = labels
        arrays |= {f"{kind}/head_{i}": head for i, head in enumerate(heads)}
        arrays |= {f"{kind}/target_{i}": one for i, one in enumerate(targets(kind, labels))}
        arrays |= {f"{kind}/{key}": value for key, value in losses(kind, labels, heads).items()}
        arrays[f"{kind}/counts"] = counts(kind, labels, heads)
        ignore = label_manager(kind).ignore_label
        if ignore is not None:
            nothing = np.full_like(labels, ignore)
            found = losses(kind, nothing, heads).items()
            arrays |= {f"{kind}/nothing_annotated/{key}": value for key, value in found}
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    np.savez_compressed(FOLDER / "network" / "labels.npz", **arrays)


def centres_labels(kind: str) -> dict[str, np.ndarray]:
    """Return labels (slice, row, column) by name: some foreground, none, nothing annotated.

    The first slice is outside the nonzero mask (-1); where a kind has an ignore label, that covers
    most of what is left: only slice 2 and single voxels of slice 3 are annotated.
    """
    random = np.random.RandomState(7)
    label = random.randint(0, 4, size=CENTRES_SHAPE).astype(np.int16)
    label[random.uniform(size=CENTRES_SHAPE) < 0.5] = 0
    label[0] = -1
    ignore = label_manager(kind).ignore_label
    found = {"foreground": label, "background": np.minimum(label, 0)}
    if ignore is not None:
        hidden = np.zeros(CENTRES_SHAPE, bool)
        hidden[[1, 4]] = True
        hidden[3] = random.uniform(size=CENTRES_SHAPE[1:]) < 0.8
        found = {name: np.where(hidden, ignore, one) for name, one in found.items()}
        found["nothing"] = np.full_like(label, ignore)
    return found


def centre_counts(kind: str, label: np.ndarray, forced: bool) -> np.ndarray:
    """Return how often each voxel is the patch's centre: patches are single voxels."""
    from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
    from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader

    manager = label_manager(kind)
    # as in DefaultPreprocessor.run_case_npy
    wanted = manager.foreground_regions if manager.has_regions else manager.foreground_labels
    if manager.has_ignore_label:
        wanted = [*wanted, [-1, *manager.all_labels]]
    locations = DefaultPreprocessor._sample_foreground_locations(label[None], wanted)
    loader = SimpleNamespace(
        need_to_pad=np.zeros(3, int),
        patch_size=(1, 1, 1),
        has_ignore=manager.has_ignore_label,
        annotated_classes_key=(-1, *manager.all_labels),
    )
    counted = np.zeros(label.shape, np.int32)
    np.random.seed(0)
    for _ in range(DRAWS):
        start, _ = nnUNetDataLoader.get_bbox(loader, label.shape, forced, locations)
        counted[tuple(start)] += 1
    return counted


def record_centres() -> None:
    """Record labels and how often each voxel is the centre of a forced and of a free sample."""
    arrays = {}
    for kind in KINDS:
        for name, label in centres_labels(kind).items():
            arrays[f"{kind}/{name}/label"] = label.astype(np.int8)
            for forced in (True, False):
                key = f"{kind}/{name}/{'forced' if forced else 'free'}"
                arrays[key] = centre_counts(kind, label, forced)
    np.savez_compressed(FOLDER / "network" / "centres.npz", **arrays)


if __name__ == "__main__":
    record_losses()
    record_centres()
