"""Strides, kernels, patches and memory estimates against nnU-Net's (golden/record_network.py)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from networks import architecture_of
from slicewise.plans import BLOCKS, PLAIN, RESIDUAL, Architecture
from slicewise.topology import conv_feature_map_size, pool_and_kernel_sizes

GOLDEN = Path(__file__).parent / "golden" / "network" / "topology.json"
ESTIMATE = {PLAIN: "feature_map_size", RESIDUAL: "residual_feature_map_size"}
RECORDS = json.loads(GOLDEN.read_text())
DEEP = [record for record in RECORDS if "feature_map_size" in record]


def nested(pairs: list) -> tuple:
    return tuple(tuple(pair) for pair in pairs)


def plan(record: dict):
    return pool_and_kernel_sizes(record["spacing"], record["patch_size"])


def architecture(record: dict, class_name: str) -> Architecture:
    """Return the network of a record; features double from 32 up to 512, as nnU-Net's do in 2D."""
    features = [min(512, 32 * 2**stage) for stage in range(len(record["strides"]))]
    return architecture_of(class_name, {**record, "features_per_stage": features})


def test_strides_equal_nnunets():
    wrong = [r for r in RECORDS if plan(r).strides != nested(r["strides"])]
    assert not wrong


def test_kernel_sizes_equal_nnunets():
    wrong = [r for r in RECORDS if plan(r).kernel_sizes != nested(r["kernel_sizes"])]
    assert not wrong


def test_padded_patches_equal_nnunets():
    wrong = [r for r in RECORDS if plan(r).patch_size != tuple(r["padded"])]
    assert not wrong


def test_divisors_equal_nnunets():
    wrong = [r for r in RECORDS if plan(r).divisor != tuple(r["divisor"])]
    assert not wrong


@pytest.mark.parametrize("class_name", BLOCKS)
def test_memory_estimates_equal_nnunets(class_name):
    found = [
        conv_feature_map_size(
            architecture(record, class_name), record["padded"], record["num_classes"]
        )
        for record in DEEP
    ]
    assert found == [record[ESTIMATE[class_name]] for record in DEEP]


def test_the_records_cover_shallow_and_anisotropic_networks():
    assert len(DEEP) < len(RECORDS)
    assert any([1, 2] in r["strides"] and [1, 3] in r["kernel_sizes"] for r in RECORDS)


@pytest.mark.parametrize(("min_edge", "stages"), [(4, 5), (8, 4), (16, 3)])
def test_feature_maps_keep_the_shortest_edge_asked_for(min_edge, stages):
    assert len(pool_and_kernel_sizes((1, 1), (64, 64), min_edge).strides) == stages


def test_planning_a_network_does_not_import_torch(root):
    code = "import sys, slicewise.topology; sys.exit('torch' in sys.modules)"
    scripts = root / "workflow" / "scripts"
    subprocess.run([sys.executable, "-c", code], cwd=scripts, check=True)
