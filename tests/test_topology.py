"""Strides, kernels, patches and memory estimates against nnU-Net's (golden/record_network.py)."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from networks import architecture_of
from slicewise.planners import PLANNERS
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


edges = st.tuples(*[st.integers(1, 600)] * 2)
spacings = st.tuples(*[st.floats(0.05, 10)] * 2)


@given(spacings, edges, st.sampled_from([4, 8]))
def test_the_strides_divide_the_patch_and_leave_an_edge_that_is_long_enough(spacing, size, edge):
    found = pool_and_kernel_sizes(spacing, size, edge)
    assert found.strides[0] == (1, 1)
    assert len(found.kernel_sizes) == len(found.strides)
    for axis in range(2):
        divisor = math.prod(stride[axis] for stride in found.strides)
        assert divisor == found.divisor[axis]
        assert found.patch_size[axis] % divisor == 0
        assert 0 <= found.patch_size[axis] - size[axis] < divisor
        assert divisor == 1 or found.patch_size[axis] // divisor >= edge


@given(spacings, edges, st.integers(2, 20), st.sampled_from(list(PLANNERS)))
def test_a_larger_patch_or_more_classes_never_take_less_memory(spacing, size, classes, planner):
    topology = pool_and_kernel_sizes(spacing, size)
    network = PLANNERS[planner].architecture(topology)
    estimate = conv_feature_map_size(network, topology.patch_size, classes)
    for axis in range(2):
        larger = list(topology.patch_size)
        larger[axis] += topology.divisor[axis]
        assert conv_feature_map_size(network, larger, classes) > estimate
    assert conv_feature_map_size(network, topology.patch_size, classes + 1) > estimate


def test_planning_a_network_does_not_import_torch(root):
    code = "import sys, slicewise.topology; sys.exit('torch' in sys.modules)"
    scripts = root / "workflow" / "scripts"
    subprocess.run([sys.executable, "-c", code], cwd=scripts, check=True)
