"""What jobs ask of a cluster: what was measured, more for larger data and at each attempt."""

import os

import numpy as np
import pytest

from benchmarks import many
from chain import Chain, analyse, plan
from defaults import training_settings
from scans import write_dataset
from slicewise import resources
from slicewise.files import write_csv, write_parquet
from slicewise.planners import PLANNERS
from slicewise.plans import read_plan
from slicewise.resources import Need, Scans
from slicewise.topology import pool_and_kernel_sizes


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """Return the chain of a tiny dataset, one of whose scans is larger than the others."""
    folder = tmp_path_factory.mktemp("planned")
    shapes = [(12, 14, 9)] * 3 + [(24, 28, 9)]
    return plan(analyse(Chain(write_dataset(folder / "raw", shapes), folder)))


class Planned:
    """The part of a plan that decides on memory and time, for a patch and a batch."""

    def __init__(self, patch, batch, spacing=(1, 1)):
        topology = pool_and_kernel_sizes(spacing, patch)
        self.patch_size, self.batch_size = topology.patch_size, batch
        self.architecture = PLANNERS["default"].architecture(topology)


CPU = training_settings(device="cpu", threads=2)


def test_each_attempt_asks_for_twice_as_much():
    need = Need(2000 - resources.STARTED_MB, 6 * 60 * 60 / resources.SLOWER)
    assert [need.mem_mb(attempt) for attempt in (1, 2, 3)] == [2000, 4000, 8000]
    assert [need.runtime(attempt) for attempt in (1, 2, 3)] == [360, 720, 1440]


def test_no_job_asks_for_less_than_it_takes_to_start_or_for_more_than_a_day():
    assert Need(0).mem_mb(1) >= resources.STARTED_MB
    assert Need(0).runtime(1) == resources.FEWEST_MINUTES
    assert Need(0, 1e9).runtime(2) == resources.MOST_MINUTES


@pytest.mark.parametrize(
    ("planned", "channels", "measured"),
    [
        (Planned((56, 40), 48), 1, 845),
        (Planned((56, 40), 281), 1, 1504),
        (Planned((256, 256), 5), 1, 1575),
        (Planned((24, 256), 50, (6.09, 0.86)), 1, 1931),
        (Planned((320, 320), 11), 2, 2495),
        (Planned((512, 512), 12), 1, 5075),
    ],
)
def test_a_training_asks_for_what_trainings_took_and_not_for_much_more(planned, channels, measured):
    """Measured, in MB: the training steps of the README, and trainings on generated scans."""
    need = resources.training(planned, CPU, channels, 3)
    assert measured < need.memory_mb < 1.6 * measured


def test_a_training_that_takes_its_batch_in_smaller_parts_asks_for_less():
    whole, parts = (
        resources.training(Planned((256, 256), 12), CPU | {"micro_batch_size": size}, 1, 3)
        for size in (None, 1)
    )
    assert parts.memory_mb < whole.memory_mb / 2


def test_each_of_several_devices_holds_a_part_of_its_own():
    one, two = (
        resources.training(
            Planned((256, 256), 12), CPU | {"micro_batch_size": 3, "devices": devices}, 1, 3
        )
        for devices in (1, 2)
    )
    maps = one.memory_mb - resources.TORCH_MB
    assert two.memory_mb - 2 * resources.TORCH_MB > 1.8 * maps


def test_no_device_holds_more_than_its_share_of_a_batch():
    three, all_twelve = (
        resources.training(
            Planned((256, 256), 12), CPU | {"micro_batch_size": size, "devices": 4}, 1, 3
        )
        for size in (3, 12)
    )
    assert three.memory_mb == all_twelve.memory_mb


@pytest.mark.parametrize(
    ("changes", "cores"),
    [
        ({"devices": 4, "loader_workers": 2}, 12),
        ({"devices": 4, "loader_workers": 0, "threads": 9}, 9),
        ({"devices": 4, "loader_workers": 2, "device": "cpu"}, 2),
        ({"devices": 1, "loader_workers": 8}, 2),
    ],
)
def test_each_of_several_gpus_has_a_core_and_one_for_each_worker(changes, cores):
    """One GPU has what the config says, and so have the processes of a CPU, which share it."""
    assert resources.training_cores(training_settings(threads=2) | changes) == cores


def test_a_training_asks_for_less_time_with_more_threads_and_for_more_with_more_epochs():
    planned = Planned((56, 40), 60)
    once = resources.training(planned, CPU, 1, 3).seconds
    assert resources.training(planned, CPU | {"threads": 4}, 1, 3).seconds == once / 2
    longer = CPU | {"epochs": 3 * CPU["epochs"]}
    assert resources.training(planned, longer, 1, 3).seconds == pytest.approx(3 * once)


def test_a_training_on_a_gpu_keeps_feature_maps_there():
    plan, settings = Planned((512, 512), 12), CPU | {"device": "auto"}
    on_gpu, on_cpu = (resources.training(plan, s, 1, 3) for s in (settings, CPU))
    assert on_gpu.memory_mb < on_cpu.memory_mb
    assert on_gpu.seconds < on_cpu.seconds


def test_grids_are_read_from_the_spacing_table_of_a_run(planned):
    found = resources.read_scans(planned.spacing)
    assert found.names == tuple(planned.cases)
    np.testing.assert_array_equal(found.voxels(), [12 * 14 * 9] * 3 + [24 * 28 * 9])
    exported = found.exported(read_plan(planned.plan).preparation)
    np.testing.assert_allclose(exported, found.voxels())  # all have the target spacing


def test_a_table_that_was_written_anew_is_read_anew(planned, tmp_path):
    table = tmp_path / "spacing.csv"
    text = planned.spacing.read_text()
    table.write_text(text)
    assert len(resources.read_scans(table).names) == 4
    table.write_text("\n".join(text.splitlines()[:-1]) + "\n")
    os.utime(table, ns=(1, 1))
    assert len(resources.read_scans(table).names) == 3


def test_the_largest_scan_of_a_group_decides_on_its_export(planned):
    found, preparation = resources.read_scans(planned.spacing), read_plan(planned.plan).preparation
    small, both = (
        resources.exporting(found.of(names), preparation, 1)
        for names in (["case_00"], ["case_00", "case_03"])
    )
    assert both.memory_mb > small.memory_mb
    assert both.seconds > small.seconds


def test_scans_that_become_larger_by_resampling_ask_for_more(planned):
    one = np.array([[100.0, 100, 100]])
    preparation = read_plan(planned.plan).preparation
    spacing = np.ones(3)
    spacing[list(preparation.transpose_forward[1:])] = 2 * np.array(preparation.spacing)
    found = Scans(("a",), one, one, spacing[None])
    assert found.exported(preparation) == pytest.approx([4e6])


def test_a_prediction_by_several_networks_takes_as_many_times_as_long():
    plan, how = Planned((56, 40), 60), {"mirroring": True, "tile_step": 0.5}
    one, five = (resources.predicting(plan, (1e6, 1e7), CPU, how, 3, n) for n in (1, 5))
    assert five.seconds == pytest.approx(5 * one.seconds)
    assert five.memory_mb == one.memory_mb


def test_larger_files_ask_for_more():
    for estimate in (resources.merging, resources.drawing, resources.unpacking):
        assert estimate(10**9).seconds > estimate(10**6).seconds
    assert resources.analysing([10**8]).memory_mb > resources.analysing([10**6] * 100).memory_mb
    assert resources.analysing([]).mem_mb(1) == resources.analysing([0]).mem_mb(1)


def test_a_figure_asks_for_what_figures_took_as_their_tables_grew(tmp_path):
    """Measured, in MB: plot_dice_profile of as many rows in 45 tables, with its imports."""
    per_slice = many.scores_of(("coarsest", 0, 0), range(0, 4000, 5), many.SLICES)
    write_parquet(tmp_path / "per_slice.parquet", per_slice)
    (tmp_path / "best.json").write_text("not a table")
    size = resources.table_bytes(tmp_path.iterdir())
    assert size == (tmp_path / "per_slice.parquet").stat().st_size
    assert 530 < resources.drawing(45 * size).memory_mb < 1.6 * 530


def test_tables_of_both_kinds_count(tmp_path):
    frame = many.scores_of(("coarsest", 0, 0), range(10), many.SLICES)
    write_csv(tmp_path / "per_case.csv", frame)
    one = resources.table_bytes(tmp_path.iterdir())
    write_parquet(tmp_path / "per_slice.parquet", frame)
    assert resources.table_bytes(tmp_path.iterdir()) > one > 0
