"""Where a network runs."""

import pytest
import torch

from slicewise.device import autocast, choose_device, memory_format


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
