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
    "hinge": (lambda d: np.maximum(0, 1 - d), lambda d: np.maximum(0, 1 + d), lambda d: -d),
    "wasserstein": (lambda d: -d, lambda d: d, lambda d: -d),
}
PARTS = ("real", "fake", "generator")
SMOOTHED = {
    "minimax": lambda d: -0.9 * log_sigmoid(d) - 0.1 * log_sigmoid(-d),
    "non-saturating": lambda d: -0.9 * log_sigmoid(d) - 0.1 * log_sigmoid(-d),
    "least-squares": lambda d: (d - 0.9) ** 2 / 2,
}


def test_all_are_here():
    assert set(DEFINITIONS) == set(LOSSES) and set(SMOOTHED) == {
        name for name in LOSSES if LOSSES[name].smooths
    }


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("part", [0, 1, 2])
def test_losses(name, part, random):
    assert_slope(getattr(LOSSES[name](), PARTS[part]), DEFINITIONS[name][part], random)


@pytest.mark.parametrize("name", SMOOTHED)
@pytest.mark.parametrize("part", [0, 1, 2])
def test_one_sided_label_smoothing(name, part, random):
    """Only what the discriminator makes of real samples changes."""
    assert_slope(
        getattr(LOSSES[name](0.1), PARTS[part]), (SMOOTHED[name], *DEFINITIONS[name][1:])[part], random
    )


def assert_slope(loss, definition, random):
    logits = random.standard_normal((7, 1)) * 3
    total, slope = loss(logits)
    assert total == pytest.approx(definition(logits).sum())
    assert relative_error(slope, numerical_gradient(lambda: loss(logits)[0], logits)) < 1e-8


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("part", PARTS)
def test_losses_are_finite_far_out(name, part):
    total, slope = getattr(LOSSES[name](), part)(np.array([[-1e4], [-100], [100], [1e4]], np.float32))
    assert np.isfinite(total) and np.isfinite(slope).all() and slope.dtype == np.float32
