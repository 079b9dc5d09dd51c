"""A few inputs and examples of `make test-faults`, and that a broken reader would be seen."""

import os
import sys
import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults import fuzz_properties
from faults.fuzz import Seen, figure, read_inputs
from faults.fuzz_child import READERS, WARMING_UP, reader_of
from faults.mutations import mutated_bytes, mutated_json

INPUTS = 150

needs_limits = pytest.mark.skipif(sys.platform != "linux", reason="needs limits of Linux")


@needs_limits
@pytest.mark.parametrize("reader", READERS)
def test_every_input_is_read_whole_or_refused_by_name(reader):
    seen = read_inputs(reader, 0, INPUTS)
    assert not seen.faults
    assert seen.accepted + seen.refused == INPUTS
    assert min(seen.accepted, seen.refused) > 0


@pytest.mark.parametrize("reader", READERS)
def test_a_seed_and_a_number_make_the_same_input_again(reader, tmp_path):
    found = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        inputs = reader_of(reader, folder)
        for number in range(5):
            inputs.write(Random(f"0 {number}"))
        found.append({path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()})
    assert found[0] == found[1]


class Broken:
    """A reader that breaks at its third input, in the way of its subclass."""

    def __init__(self, folder):
        self.folder, self.read_so_far = folder, -WARMING_UP

    def write(self, rng):
        self.read_so_far += 1

    def read(self):
        if self.read_so_far == 3:
            self.fail()
        raise ValueError(f"{self.folder}: refused")


class Hanging(Broken):
    def fail(self):
        time.sleep(60)


class Hungry(Broken):
    def fail(self):
        try:
            bytearray(2**29)
        except MemoryError:
            raise ValueError(f"{self.folder}: too large") from None


class Dying(Broken):
    def fail(self):
        os.abort()


class Nameless(Broken):
    def fail(self):
        raise ValueError("bad")


class Undocumented(Broken):
    def fail(self):
        raise KeyError(str(self.folder))


@needs_limits
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Hanging, "took more than 1 s"),
        (Hungry, "memory: more than 256 MiB"),
        (Dying, "died of -6"),
        (Nameless, "not named in: ValueError"),
        (Undocumented, "not documented: KeyError"),
    ],
)
def test_a_broken_reader_is_seen_and_reading_goes_on(kind, said):
    seen = read_inputs(f"test_faults_fuzz.{kind.__name__}", 0, 5, seconds=1)
    first = seen.faults[0]
    assert first[0] == 2
    assert first[1].startswith(said)
    assert seen.tried == 5
    assert not figure("broken", seen, 5).holds


def test_a_promise_is_of_so_many_inputs_as_are_stated():
    assert figure("scans", Seen(2, 3), 5).holds
    assert not figure("scans", Seen(2, 2), 5).holds


@given(st.binary(max_size=50), st.integers(0, 2**32))
def test_mutated_bytes_are_bytes(content, seed):
    assert len(mutated_bytes(Random(seed), content, [b"other"])) <= 2**16


@given(st.integers(0, 2**32))
def test_mutated_json_leaves_its_document_alone(seed):
    document = {"a": [1, {"b": None}], "c": "d"}
    mutated_json(Random(seed), document, [b"{}"])
    assert document == {"a": [1, {"b": None}], "c": "d"}


# Properties


def test_every_topic_has_properties():
    for modules in fuzz_properties.TOPICS.values():
        assert sum(len(fuzz_properties.properties_of(module)) for module in modules) > 2


def test_a_property_is_tried_as_often_as_asked_or_on_all_examples_that_there_are():
    where = "test_geometry", "test_axis_codes_read_the_affine"
    assert fuzz_properties.try_in_a_process(where, 20, 0) == (20, "")
    assert fuzz_properties.try_in_a_process(where, 1000, 0) == (48, "")


@given(st.integers(0, 100))
def falls_at_ten(number):
    assert number < 10


def test_a_property_that_does_not_hold_says_so():
    held, said = fuzz_properties.try_in_a_process(("test_faults_fuzz", "falls_at_ten"), 100, 0)
    assert held < 100
    assert "number=10" in said
