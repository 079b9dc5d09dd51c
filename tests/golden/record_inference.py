"""Record nnU-Net's sliding window as tests/golden/inference/*.npz and tile_starts.json.

Run it in an environment with nnunetv2 2.8.1: `python tests/golden/record_inference.py`.
The logits are recorded twice: as nnU-Net computes them, adding up in half precision, and with its
sums and Gaussian in single precision, which shows that only rounding tells the two codes apart.
"""

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import torch
from torch import nn

FOLDER = Path(__file__).parent / "inference"
CPU = torch.device("cpu")
PATCH_SIZE = (16, 12)
PLANES = {"smaller": (11, 9), "equal": (16, 12), "larger": (27, 31), "mixed": (10, 29)}
SHAPES = [(1, 1), (8, 8), (5, 7), (16, 12), (33, 20), (56, 40)]


def tiny_network(weights: dict[str, np.ndarray]) -> nn.Module:
    """Two convolutions around what a stage of the U-Net has between them."""
    network = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.InstanceNorm2d(4),
        nn.LeakyReLU(0.01),
        nn.Conv2d(4, 3, 3, padding=1),
    )
    network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    return network


def random_weights(draw: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the weights of the tiny network, large enough that its logits span some 10 units."""
    shapes = {"0.weight": (4, 2, 3, 3), "0.bias": (4,), "3.weight": (3, 4, 3, 3), "3.bias": (3,)}
    return {name: draw.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def predictor(networks: list[dict[str, np.ndarray]], mirroring: bool, gaussian: bool):
    """Return nnU-Net's predictor of a 2D network without a trained model's folder."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    made = nnUNetPredictor(
        use_mirroring=mirroring, use_gaussian=gaussian, device=CPU, allow_tqdm=False
    )
    made.network = tiny_network(networks[0])
    made.list_of_parameters = [tiny_network(weights).state_dict() for weights in networks]
    made.allowed_mirroring_axes = (0, 1)
    made.configuration_manager = SimpleNamespace(patch_size=PATCH_SIZE)
    made.label_manager = SimpleNamespace(num_segmentation_heads=3)
    return made


def logits(made, volume: np.ndarray, single_precision: bool) -> np.ndarray:
    """Run nnU-Net's prediction of a (slice, channel, row, column) volume."""
    from nnunetv2.inference import predict_from_raw_data

    data = torch.from_numpy(volume.transpose(1, 0, 2, 3).copy())
    if not single_precision:
        return made.predict_logits_from_preprocessed_data(data).numpy()
    gaussian = partial(predict_from_raw_data.compute_gaussian, dtype=torch.float32)
    with (
        mock.patch.object(torch, "half", torch.float32),
        mock.patch.object(predict_from_raw_data, "compute_gaussian", gaussian),
    ):
        return made.predict_logits_from_preprocessed_data(data).numpy()


def logit_arrays(seed: int) -> dict[str, np.ndarray]:
    """Return weights, volumes and logits; their names are volume/mirroring/precision."""
    draw = np.random.default_rng(seed)
    networks = [random_weights(draw), random_weights(draw)]
    arrays = {
        f"network_{i}/{name}": array
        for i, weights in enumerate(networks)
        for name, array in weights.items()
    }
    for name, plane in PLANES.items():
        volume = draw.standard_normal((2, 2, *plane)).astype(np.float32)
        arrays[f"volume/{name}"] = volume
        for mirroring in (False, True):
            made = predictor(networks[:1], mirroring, gaussian=True)
            key = f"{name}/{'mirrored' if mirroring else 'plain'}"
            arrays[f"logits/{key}/half"] = logits(made, volume, single_precision=False)
            arrays[f"logits/{key}/single"] = logits(made, volume, single_precision=True)
    volume = arrays["volume/larger"]
    made = predictor(networks[:1], mirroring=True, gaussian=False)
    arrays["logits/larger/uniform/single"] = logits(made, volume, single_precision=True)
    made = predictor(networks, mirroring=True, gaussian=True)
    arrays["logits/larger/ensemble/single"] = logits(made, volume, single_precision=True)
    return arrays


def gaussian_arrays() -> dict[str, np.ndarray]:
    """Return compute_gaussian, named by rows x columns, in single and in its half precision."""
    from nnunetv2.inference.sliding_window_prediction import compute_gaussian

    arrays = {}
    for shape in SHAPES:
        for name, dtype in (("single", torch.float32), ("half", torch.float16)):
            weights = compute_gaussian(shape, 1 / 8, 10, dtype=dtype, device=CPU)
            arrays[f"{shape[0]}x{shape[1]}/{name}"] = weights.numpy()
    return arrays


def tile_rows() -> list[list]:
    """Return rows of [size, tile, step, starts], halves to round among them."""
    from nnunetv2.inference.sliding_window_prediction import compute_steps_for_sliding_window

    rows = []
    for tile in (1, 7, 40, 56, 192):
        for extra in (0, 1, 2, 3, 5, 9, 20, 21, 56, 77, 100, 333):
            size = tile + min(extra, 12 * tile)
            for step in (0.3, 0.5, 0.75, 1.0):
                starts = compute_steps_for_sliding_window((size,), (tile,), step)[0]
                rows.append([size, tile, step, starts])
    return rows


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    lines = dict.fromkeys(json.dumps(row) for row in tile_rows())
    (FOLDER / "tile_starts.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    np.savez_compressed(FOLDER / "gaussian.npz", **gaussian_arrays())
    np.savez_compressed(FOLDER / "logits.npz", **logit_arrays(seed=20))
