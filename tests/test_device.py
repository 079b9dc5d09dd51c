"""Where a network runs."""

import threading

import pytest
import torch

from slicewise.device import autocast, choose_device, memory_format, side_by_side


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


def test_the_cpu_computes_in_32_bits():
    with autocast(torch.device("cpu"), mixed_precision=True):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    assert memory_format(torch.device("cpu")) is torch.contiguous_format


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
