import numpy as np
import pytest

from hpcgen.nn.check import numerical_gradient, relative_error
from hpcgen.nn.losses import LOSSES


def log_sigmoid(x):
    return np.log(1 / (1 + np.exp(-x)))


# As the papers write them, in the discriminator's logits.
DEFINITIONS = {
    "minimax": (lambda d: -log_sigmoid(d), lambda d: -log_sigmoid(-d), lambda d: log_sigmoid(-d)),
    "non-saturating": (lambda d: -log_sigmoid(d), lambda d: -log_sigmoid(-d), lambda d: -log_sigmoid(d)),
    "least-squares": (lambda d: (d - 1) ** 2 / 2, lambda d: d**2 / 2, lambda d: (d - 1) ** 2 / 2),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("part", [0, 1, 2])
def test_losses(name, part, random):
    loss = getattr(LOSSES[name], ("real", "fake", "generator")[part])
    logits = random.standard_normal((7, 1)) * 3
    total, slope = loss(logits)
    assert total == pytest.approx(DEFINITIONS[name][part](logits).sum())
    assert relative_error(slope, numerical_gradient(lambda: loss(logits)[0], logits)) < 1e-8


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("part", ["real", "fake", "generator"])
def test_losses_are_finite_far_out(name, part):
    total, slope = getattr(LOSSES[name], part)(np.array([[-1e4], [-100], [100], [1e4]], np.float32))
    assert np.isfinite(total) and np.isfinite(slope).all()
