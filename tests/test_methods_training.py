"""What the methods say of network and training."""

import pytest

from slicewise.loss import deep_supervision_weights
from slicewise.methods_training import supervision_weights


@pytest.mark.parametrize("heads", range(1, 9))
def test_weights_of_resolutions_are_those_of_the_loss(heads):
    expected = [weight for weight in deep_supervision_weights(heads) if weight]
    assert supervision_weights(heads) == pytest.approx(expected)
