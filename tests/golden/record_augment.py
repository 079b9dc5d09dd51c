"""Record what nnU-Net's training augmentation does to given patches, for tests/test_augment.py.

Run in an environment that has nnunetv2==2.8.1: `python tests/golden/record_augment.py`.

The transforms are those that nnUNetTrainer builds. Each one is applied with parameters drawn here,
by itself and, with all the others, as one chain; what it would draw goes into recipe.json.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from batchgeneratorsv2.transforms.utils.cropping import center_crop
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from scipy.ndimage import gaussian_filter

FOLDER = Path(__file__).parent / "augment"
BATCH, CHANNELS, PATCH = 8, 2, (28, 20)
MASKED = [True, False]
NAMES = (
    "noise",
    "blur",
    "brightness",
    "contrast",
    "resolution",
    "inverted_gamma",
    "gamma",
)
CROPS = [((s, t), (p, q)) for s, t in ((32, 33), (31, 40)) for p, q in ((28, 21), (31, 20))]


def largest_rotation(patch_size):
    """Ask the trainer for the rotation range of a patch size; return it with the initial size."""

    class Stub:
        configuration_manager = type("", (), {"patch_size": patch_size})
        print_to_log_file = staticmethod(lambda *_: None)

    configure = nnUNetTrainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size
    rotation, _, initial, _ = configure(Stub())
    return rotation, [int(size) for size in initial]


def build(patch_size):
    """Return the trainer's transforms: spatial, a dictionary of intensity ones, and the rest."""
    rotation, _ = largest_rotation(patch_size)
    spatial, *intensity, mirror, mask, remove = nnUNetTrainer.get_training_transforms(
        np.array(patch_size), rotation, None, (0, 1), False, use_mask_for_norm=MASKED
    ).transforms
    return spatial, dict(zip(NAMES, intensity, strict=True)), (mirror, mask, remove)


def patches(rng, size):
    """Return smooth noisy images (batch, channel, row, column) and labels -1..3."""
    smooth = gaussian_filter(rng.standard_normal((BATCH, CHANNELS, *size)), (0, 0, 2, 2))
    image = smooth / smooth.std() + 0.1 * rng.standard_normal(smooth.shape)
    field = gaussian_filter(rng.standard_normal((BATCH, *size)), (0, 3, 3))
    label = np.digitize(field / field.std(), (-0.8, -0.2, 0.4, 1)) - 1
    return image.astype(np.float32), label.astype(np.int16)


def parameters(rng, rotation):
    """Return parameters in which every transform applies somewhere and rests somewhere else."""

    def some(low, high, *shape, neutral):
        values = rng.uniform(low, high, (BATCH, *shape))
        values[rng.random(values.shape) < 0.3] = neutral
        return values

    angle = some(*rotation, neutral=0)
    scale = some(0.7, 1.4, neutral=1)
    angle[:2], scale[:3] = 0, (1, 0.7, 1)
    angle[3:5] = np.pi / 2, np.pi / 4
    blur = rng.uniform(0.5, 1, (BATCH, CHANNELS, 2))
    blur[rng.random((BATCH, CHANNELS)) < 0.3] = 0
    return {
        "angle": angle,
        "scale": scale,
        "noise_std": some(0, 0.1, neutral=0),
        "noise_seed": rng.integers(2**63, size=BATCH),
        "blur_sigma": blur,
        "brightness": some(0.75, 1.25, CHANNELS, neutral=1),
        "contrast": some(0.75, 1.25, CHANNELS, neutral=1),
        "resolution": some(0.5, 1, CHANNELS, neutral=1),
        "inverted_gamma": some(0.7, 1.5, CHANNELS, neutral=1),
        "gamma": some(0.7, 1.5, CHANNELS, neutral=1),
        "mirrored": rng.random((BATCH, 2)) < 0.5,
    }


def spatially(spatial, image, label, angle, scale):
    """Rotate by an angle and scale; neither draws anything then."""
    spatial.p_rotation, spatial.rotation = float(angle != 0), lambda **_: angle
    spatial.p_scaling, spatial.scaling = float(scale != 1), lambda **_: scale
    drawn = spatial.get_parameters(image=image)
    return spatial.apply({"image": image, "segmentation": label[None]}, **drawn)


def intensely(name, transform, image, values):
    """Apply an intensity transform to an image (channel, row, column), wherever its value says."""
    data = {"image": image.clone()}
    if name == "noise":
        std, seed = values
        if std == 0:
            return data["image"]
        transform.noise_variance = float(std)
        drawn = transform.get_parameters(**data)
        torch.manual_seed(int(seed))
        return transform.apply(data, **drawn)["image"]
    neutral = 0 if name == "blur" else 1
    channels = np.flatnonzero((values.reshape(CHANNELS, -1) != neutral).any(1))
    chosen = torch.from_numpy(channels)
    amount = torch.from_numpy(values[channels]).float()
    if name == "blur":
        transform.benchmark = False  # it only chooses between two ways to the same result by time
        mask = torch.zeros(CHANNELS, dtype=torch.bool).index_fill_(0, chosen, True)
        drawn = {"apply_to_channel": mask, "sigmas": values[channels]}
    elif name == "resolution":
        drawn = {"apply_to_channel": chosen, "scales": amount[:, None].repeat(1, 2)}
    elif name in ("brightness", "contrast"):
        drawn = {"apply_to_channel": chosen, "multipliers": amount}
    else:
        drawn = {
            "apply_to_channel": chosen,
            "gamma": amount,
            "retain_stats": torch.full((len(chosen),), bool(transform.p_retain_stats == 1)),
            "invert_image": torch.full((len(chosen),), bool(transform.p_invert_image == 1)),
        }
    return transform.apply(data, **drawn)["image"]


def recipe(spatial, intensity):
    """Return the probabilities and ranges of the trainer's transforms."""
    inner = {name: transform.transform for name, transform in intensity.items()}
    return {
        "probability": {
            "angle": spatial.p_rotation,
            "scale": spatial.p_scaling,
            **{name: transform.apply_probability for name, transform in intensity.items()},
        },
        "channel_probability": {name: each.p_per_channel for name, each in inner.items()},
        "range": {
            "angle": spatial.rotation,
            "scale": spatial.scaling,
            "noise": inner["noise"].noise_variance,
            "blur": inner["blur"].blur_sigma,
            "resolution": inner["resolution"].scale,
        },
        "factor_range": {
            "brightness": inner["brightness"].multiplier_range,
            "contrast": inner["contrast"].contrast_range,
            "inverted_gamma": inner["inverted_gamma"].gamma,
            "gamma": inner["gamma"].gamma,
        },
    }


def write(name, content):
    """Write an array or a JSON file."""
    if isinstance(content, dict):
        text = json.dumps(content, indent=1, default=plain)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    else:
        np.save(FOLDER / f"{name}.npy", content)


def plain(value):
    """Turn what json does not know into lists; of a contrast sampler keep the range."""
    return value.tolist() if isinstance(value, np.ndarray) else value.contrast_range


def main():
    """Record everything."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    rng = np.random.default_rng(20)
    rotation, initial = largest_rotation(PATCH)
    write("recipe", recipe(*build(PATCH)[:2]))

    sizes = np.stack(np.meshgrid(*[np.arange(8, 520, 23)] * 2), -1).reshape(-1, 2)
    measured = [largest_rotation(tuple(size.tolist())) for size in sizes]
    write("patch_sizes", sizes.astype(np.int16))
    write("initial_sizes", np.array([initial for _, initial in measured], np.int16))
    write("largest_rotations", np.array([rotation[1] for rotation, _ in measured], np.float32))
    write(
        "crops",
        {
            "size": [size for size, _ in CROPS],
            "patch": [patch for _, patch in CROPS],
            "first": [
                int(center_crop(torch.arange(size[0] * size[1]).view(1, *size), patch).min())
                for size, patch in CROPS
            ],
        },
    )

    spatial, intensity, rest = build(PATCH)
    image, label = patches(rng, initial)
    drawn = parameters(rng, rotation)
    write("parameters", drawn)
    write("image", image)
    write("label", label.astype(np.int8))

    moved = [
        spatially(spatial, torch.from_numpy(image[i]), torch.from_numpy(label[i]), angle, scale)
        for i, (angle, scale) in enumerate(zip(drawn["angle"], drawn["scale"], strict=True))
    ]
    write("spatial_image", np.stack([sample["image"] for sample in moved]))
    write(
        "spatial_label", np.stack([sample["segmentation"][0] for sample in moved]).astype(np.int8)
    )

    values = {**drawn, "blur": drawn["blur_sigma"]}
    values["noise"] = list(zip(drawn["noise_std"], drawn["noise_seed"], strict=True))
    for name, transform in intensity.items():
        inner = transform.transform
        planes = torch.from_numpy(image[:, :, : PATCH[0], : PATCH[1]])
        changed = [intensely(name, inner, planes[i], values[name][i]) for i in range(BATCH)]
        write(name, np.stack(changed))
        for i, sample in enumerate(moved):
            sample["image"] = intensely(name, inner, sample["image"], values[name][i])

    mirror, mask, remove = rest
    for i, sample in enumerate(moved):
        sample = mirror.apply(sample, axes=np.flatnonzero(drawn["mirrored"][i]).tolist())
        moved[i] = remove(**mask(**sample))
    write("chain_image", np.stack([sample["image"] for sample in moved]))
    write("chain_label", np.stack([sample["segmentation"][0] for sample in moved]).astype(np.int8))


if __name__ == "__main__":
    main()
