"""What the methods say of network and training."""

import itertools

import pytest

from slicewise.loss import deep_supervision_weights


@pytest.mark.parametrize("heads", range(1, 9))
def test_resolutions_are_weighed_by_the_loss_as_the_methods_say(heads):
    """Each half as much as the next finer one, without the coarsest of several, to a sum of 1."""
    weights = list(deep_supervision_weights(heads))
    counted = weights if heads == 1 else weights[:-1]
    assert heads == 1 or weights[-1] == 0
    assert sum(counted) == pytest.approx(1)
    for finer, coarser in itertools.pairwise(counted):
        assert coarser == pytest.approx(finer / 2)
