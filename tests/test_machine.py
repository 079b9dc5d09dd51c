"""Errors of the machine in words."""

import errno
import os

import pytest

from slicewise.machine import MENDS, about_the_machine


@pytest.mark.parametrize("number", MENDS)
def test_a_known_error_names_file_reason_and_what_to_do(number):
    said = about_the_machine(OSError(number, os.strerror(number), "results/a.npy"))
    assert said.startswith(f"results/a.npy: {os.strerror(number)}; {MENDS[number]}")
    assert said.endswith("then start the run again")


def test_an_error_without_a_file_is_said_as_it_is():
    assert about_the_machine(OSError("12 requested and 3 written")) == "12 requested and 3 written"


def test_an_error_that_nobody_can_mend_names_its_file_and_no_more():
    error = OSError(errno.EXDEV, "Invalid cross-device link", "a.npy")
    assert about_the_machine(error) == "a.npy: Invalid cross-device link"
