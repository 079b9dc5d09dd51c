"""Where a network runs."""

import os
import platform
import subprocess
import sys
import threading

import pytest
import torch

from slicewise.device import (
    autocast,
    choose_device,
    memory_format,
    micro_batch_size,
    set_determinism,
    side_by_side,
    surroundings,
    to_device,
)


def test_auto_takes_what_is_there():
    there = (
        "cuda"
        if torch.cuda.is_available()
        else "mps"
        if torch.backends.mps.is_available()
        else "cpu"
    )
    assert choose_device("auto").type == there


def test_a_device_that_is_not_there_is_refused():
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(ValueError, match=r"found cuda, expected auto or one of \['cpu'\]"):
        choose_device("cuda")


@pytest.fixture
def _flags_as_before(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    yield
    set_determinism(torch.device("cpu"), True)


def flags() -> tuple[bool, bool, bool, str | None]:
    """Return what is set: no machine without CUDA can show what comes of it."""
    cudnn = torch.backends.cudnn
    wanted = torch.are_deterministic_algorithms_enabled()
    return wanted, cudnn.deterministic, cudnn.benchmark, os.environ.get("CUBLAS_WORKSPACE_CONFIG")


@pytest.mark.usefixtures("_flags_as_before")
def test_cuda_repeats_or_takes_what_is_fastest():
    set_determinism(torch.device("cuda"), True)
    assert flags() == (True, True, False, ":4096:8")
    set_determinism(torch.device("cuda"), False)
    assert flags()[:3] == (False, False, True)


@pytest.mark.usefixtures("_flags_as_before")
@pytest.mark.parametrize("deterministic", [True, False])
def test_a_cpu_repeats_without_any_flag(deterministic):
    set_determinism(torch.device("cuda"), not deterministic)
    os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)
    set_determinism(torch.device("cpu"), deterministic)
    assert flags() == (False, False, False, None)


def test_surroundings_are_plain_words():
    found = surroundings(torch.device("cpu"))
    assert found["torch"] == torch.__version__
    assert {type(value) for value in found.values()} == {str}


@pytest.mark.parametrize("pinned", [True, False])
def test_only_pinned_memory_is_copied_in_the_background(pinned):
    """What may still be written to, or freed, must be copied before the program goes on."""

    class Held:
        def is_pinned(self):
            return pinned

        def to(self, device, non_blocking):
            return device, non_blocking

    assert to_device(Held(), torch.device("cpu")) == (torch.device("cpu"), pinned)


def test_the_cpu_computes_in_32_bits():
    with autocast(torch.device("cpu"), mixed_precision=True):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    assert memory_format(torch.device("cpu")) is torch.contiguous_format


@pytest.mark.parametrize(
    ("patch", "size"), [((56, 40), 59), ((256, 320), 2), ((512, 512), 1), ((2048, 2048), 1)]
)
def test_the_cpu_takes_patches_of_about_131072_voxels_at_once(patch, size):
    assert micro_batch_size(torch.device("cpu"), patch) == size


def test_a_gpu_takes_any_batch_at_once():
    assert micro_batch_size(torch.device("cuda"), (512, 512)) is None


FAULTS = """
import resource
import numpy as np
from slicewise.device import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(2**23)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

without = [faults() for _ in range(2)]
keep_freed_memory()
print(without[1], [faults() for _ in range(2)][1])
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it speaks to glibc alone")
def test_kept_memory_is_not_fetched_anew_page_by_page():
    """64 MiB are 16,384 pages of the usual size, or 32 huge ones."""
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", FAULTS]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    without, kept = map(int, found.stdout.split())
    assert without >= 16
    assert kept < without / 10


@pytest.mark.parametrize(("threads", "calls", "workers", "each"), [(3, 5, 3, 1), (4, 2, 2, 2)])
def test_threads_of_a_cpu_work_side_by_side_and_share_what_is_left(threads, calls, workers, each):
    before, meet = torch.get_num_threads(), threading.Barrier(workers, timeout=60)

    def call(index):
        if index < workers:
            meet.wait()
        return index, torch.get_num_threads()

    torch.set_num_threads(threads)
    try:
        with side_by_side(torch.device("cpu"), calls) as over:
            assert list(over(call, range(calls))) == [(index, each) for index in range(calls)]
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_an_error_in_one_of_many_calls_is_raised_and_the_threads_are_given_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(ZeroDivisionError), side_by_side(torch.device("cpu"), 9) as over:
            list(over(lambda index: 1 // (index - 4), range(9)))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
