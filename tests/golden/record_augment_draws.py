"""Record what nnU-Net's training augmentation draws, and what that does to a fixed patch.

Run in an environment that has nnunetv2==2.8.1:

    python tests/golden/record_augment_draws.py             # tests/golden/augment_draws.npz, seed 0
    python tests/golden/record_augment_draws.py FILE SEED   # another sample

The transforms are those that nnUNetTrainer builds, with their own probabilities and ranges, and
each draws through its own get_parameters. The patch is the first of golden/augment. The file holds

    order                       names of the transforms, in the order in which they are applied
    drawn/{transform}           (draw, column) float16: the values, neutral where it does not apply
    effect/{transform}          (measure, draw) float16: effects.MEASURES where it does
    effect/chain                the same for the whole chain with its own probabilities
    ignore/...                  labels with an ignore value before and after rotation and scaling,
                                and the regions and the ignored pixels of the first
"""

import sys
from pathlib import Path

import numpy as np
import torch
from effects import IGNORED, LONG_PATCH, MASKED, PATCH, REGIONS, fixed_patch, measure, middle
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from record_augment import build, largest_rotation

GOLDEN = Path(__file__).parent
DRAWS, EFFECTS, CHANNELS = 40_000, 2_000, 2


def names(compose):
    """Return the class of each transform of a chain, and whether gamma inverts."""
    found = []
    for transform in compose.transforms:
        inner = getattr(transform, "transform", transform)
        inverted = "inverted " * bool(getattr(inner, "p_invert_image", 0))
        found.append(inverted + type(inner).__name__)
    return found


def chain(**more):
    """Return the chain that the trainer builds for PATCH, `more` for labels that are not plain."""
    return nnUNetTrainer.get_training_transforms(
        np.array(PATCH),
        largest_rotation(PATCH)[0],
        None,
        (0, 1),
        False,
        use_mask_for_norm=list(MASKED),
        **more,
    )


def angle_and_scale(drawn):
    """Read the angle and the scale from the matrix of a drawn rotation and scaling."""
    matrix = drawn["affine"]
    if matrix is None:
        return 0.0, 1.0
    first = matrix[:, 0]  # (cos, sin) times the scale
    np.testing.assert_allclose(matrix[:, 1], [-first[1], first[0]], atol=1e-12)
    scale = np.hypot(*first)
    return np.arctan2(first[1], first[0]), 1.0 if abs(scale - 1) < 1e-12 else scale


def values_of(name, drawn):
    """Return the values of an intensity transform, (channel,) or (channel, axis), nan for none."""
    if name == "noise":
        return np.where(drawn["apply_mask"], drawn["sigmas"], np.nan)
    key = {"blur": "sigmas", "resolution": "scales", "brightness": "multipliers"}
    key.update(contrast="multipliers", inverted_gamma="gamma", gamma="gamma")
    values = np.asarray(drawn[key[name]], dtype=float)
    result = np.full((CHANNELS, *((2,) if name in ("blur", "resolution") else ())), np.nan)
    if len(values):
        result[np.asarray(drawn["apply_to_channel"])] = values
    return result


def columns_of(name):
    """Return how many values a transform has: one per channel, or per channel and axis."""
    return CHANNELS * (2 if name in ("blur", "resolution") else 1)


def draw(image):
    """Draw DRAWS times from every transform of the chain, in its order.

    Returns tables (draw, column), neutral where a transform does not apply, and the first EFFECTS
    draws of each intensity transform that change a patch, as it keeps them.
    """
    spatial, intensity, (mirror, *_) = build(PATCH)
    tables = {name: np.full((DRAWS, columns_of(name)), np.nan) for name in intensity}
    turns, mirrored = np.zeros((DRAWS, 2)), np.zeros((DRAWS, 2))
    applied = {name: [] for name in intensity}
    for i in range(DRAWS):
        turns[i] = angle_and_scale(spatial.get_parameters(image=image))
        for name, transform in intensity.items():
            if not transform.get_parameters(image=image)["apply_transform"]:
                continue
            drawn = transform.transform.get_parameters(image=image)
            tables[name][i] = values_of(name, drawn).ravel()
            if len(applied[name]) < EFFECTS and np.isfinite(tables[name][i]).any():
                applied[name].append(drawn)
        mirrored[i, mirror.get_parameters()["axes"]] = 1
    for name, table in tables.items():
        np.nan_to_num(table, copy=False, nan=0 if name in ("noise", "blur") else 1)
    tables.update(rotation=turns[:, :1], scaling=turns[:, 1:], mirroring=mirrored)
    return tables, applied


def draw_elongated():
    """Return the angles (draw, 1) of the trainer's spatial transform for an elongated patch."""
    spatial, image = build(LONG_PATCH)[0], torch.zeros(CHANNELS, *LONG_PATCH)
    drawn = [angle_and_scale(spatial.get_parameters(image=image)) for _ in range(DRAWS)]
    return np.array(drawn)[:, :1]


def effect(transform, patch, image, label):
    """Measure EFFECTS applications of a transform, or function of a sample, to a patch."""
    images, labels = [], []
    for _ in range(EFFECTS):
        sample = {
            "image": torch.from_numpy(image.copy()),
            "segmentation": torch.from_numpy(label.copy())[None],
        }
        sample = transform(**sample)
        images.append(sample["image"].numpy())
        labels.append(sample["segmentation"][0].numpy())
    labels = np.maximum(np.stack(labels), 0)
    return measure(np.stack(images), labels, middle(image, patch), middle(label, patch))


def spatial_effects():
    """Return the effects of rotation, of scaling and of the rotation of an elongated patch."""
    cases = {"rotation": (PATCH, 1, 0), "scaling": (PATCH, 0, 1)}
    cases["rotation of an elongated patch"] = (LONG_PATCH, 1, 0)
    found = {}
    for name, (patch, p_rotation, p_scaling) in cases.items():
        spatial = build(patch)[0]
        spatial.p_rotation, spatial.p_scaling = p_rotation, p_scaling
        found[name] = effect(spatial, patch, *fixed_patch(largest_rotation(patch)[1]))
    return found


def other_effects(applied):
    """Return the effects of the draws of each intensity transform, and of mirroring."""
    _, intensity, (mirror, *_) = build(PATCH)
    intensity["blur"].transform.benchmark = False  # it chooses by time between two equal ways
    found = {"mirroring": effect(mirror, PATCH, *fixed_patch(PATCH))}
    for name, transform in intensity.items():
        again, inner = iter(applied[name]), transform.transform
        found[name] = effect(
            lambda again=again, inner=inner, **sample: inner.apply(sample, **next(again)),
            PATCH,
            *fixed_patch(PATCH),
        )
    return found


def effect_of_all():
    """Return the effect of the whole chain, with the probabilities of the trainer."""
    whole = chain()
    for transform in whole.transforms:
        if hasattr(getattr(transform, "transform", None), "benchmark"):
            transform.transform.benchmark = False
    return effect(whole, PATCH, *fixed_patch(largest_rotation(PATCH)[1]))


def ignored(seed):
    """Rotate and scale labels in which large parts carry a value to ignore."""
    rng = np.random.default_rng(seed)
    spatial = build(PATCH)[0]
    spatial.p_rotation = spatial.p_scaling = 1
    before = np.stack([fixed_patch(largest_rotation(PATCH)[1])[1]] * len(IGNORED))
    for label, value in zip(before, IGNORED, strict=True):
        label[(rng.random(label.shape) < 0.2) | (np.arange(label.shape[1]) % 8 < 4)] = value
    after, turns = [], []
    for label in before:
        drawn = spatial.get_parameters(image=torch.from_numpy(label)[None])
        turns.append(angle_and_scale(drawn))
        after.append(spatial._apply_to_segmentation(torch.from_numpy(label)[None], **drawn)[0])
    remove, convert = chain(regions=list(REGIONS.values()), ignore_label=IGNORED[0]).transforms[-2:]
    regions = convert(**remove(segmentation=after[0].clone()[None]))["segmentation"]
    return {
        "before": before,
        "after": np.stack(after),
        "angle_and_scale": np.array(turns),
        "regions": regions.numpy(),
    }


def main(file=GOLDEN / "augment_draws.npz", seed=0):
    """Record everything."""
    np.random.seed(int(seed))
    torch.manual_seed(int(seed))
    torch.set_num_threads(1)
    tables, applied = draw(torch.from_numpy(fixed_patch(PATCH)[0]))
    tables["rotation of an elongated patch"] = draw_elongated()
    effects = {**spatial_effects(), **other_effects(applied), "chain": effect_of_all()}
    result = {"order": names(chain())}
    result.update({f"drawn/{name}": table.astype(np.float16) for name, table in tables.items()})
    result.update({f"effect/{name}": values for name, values in effects.items()})
    result.update({f"ignore/{name}": values for name, values in ignored(int(seed)).items()})
    np.savez_compressed(file, **result)


if __name__ == "__main__":
    main(*sys.argv[1:])
