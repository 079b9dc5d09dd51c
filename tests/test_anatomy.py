"""The anatomy of a phantom."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from slicewise import anatomy

seeds = st.integers(0, 2**32)


@given(seeds)
def test_wall_is_thick_enough_to_see_from_base_to_apex(seed):
    heart = anatomy.draw_heart(np.random.default_rng(seed))
    turns = np.linspace(-np.pi, np.pi, 37)[:, None, None]
    radii = np.linspace(0, 1.5 * heart.radius, 200)[:, None]
    depths = np.linspace(0, 0.7, 8) * heart.length
    frame = (radii * np.cos(turns), radii * np.sin(turns), np.broadcast_to(depths, (37, 200, 8)))
    surface = anatomy.surfaces(heart, frame)
    wall = (surface["epicardium"] < 0) & (surface["endocardium"] > 0)
    assert (wall.sum(axis=1) * radii[1, 0] > 2.5).all()


def test_heart_is_drawn_in_tens_of_millimetres():
    rng = np.random.default_rng(0)
    lengths = [anatomy.draw_heart(rng).length for _ in range(200)]
    assert 46 <= min(lengths) < 50 < 74 < max(lengths) <= 78


@given(seeds)
def test_the_same_seed_draws_the_same_heart(seed):
    first, second = (anatomy.draw_heart(np.random.default_rng(seed)) for _ in range(2))
    assert (first.length, first.radius, first.tilt) == (second.length, second.radius, second.tilt)
