"""Random numbers that depend on what they are for."""

import numpy as np

from slicewise.randomness import generator, seed_from


def test_the_same_key_gives_the_same_numbers():
    first, second = (generator(1, 0, "train", 7).random(5) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_every_part_of_the_key_matters():
    keys = [(1, 0, "a", 7), (2, 0, "a", 7), (1, 1, "a", 7), (1, 0, "b", 7), (1, 0, "a", 8)]
    assert len({generator(*key).random() for key in keys}) == len(keys)


def test_neighbouring_parts_do_not_run_together():
    assert generator(1, 12, 3).random() != generator(1, 1, 23).random()


def test_streams_do_not_change_from_one_version_to_the_next():
    drawn = generator(0, "fixed").integers(10**9, size=3).tolist()
    assert drawn == [144731610, 249620944, 891215562]


def test_seeds_fit_torch():
    assert 0 <= seed_from(0, 1, "weights") < 2**63
