"""Steps of the optimizers against the formulas in their docstrings, one number at a time."""

from math import sqrt

import numpy as np
import pytest

from hpcgen.nn.kernels import plain
from hpcgen.nn.kernels.plain.updates import NUMBERS_A_BLOCK


def descend(theta, grad, rate):
    return theta - rate * grad, grad


def momentum(theta, grad, velocity, scale, decay, mu, gain, rate):
    velocity = mu * velocity + gain * (scale * grad + decay * theta)
    return theta - rate * velocity, grad, velocity


def moments(grad, m, v, scale, beta1, beta2):
    g = scale * grad
    return beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2


def adam(theta, grad, m, v, scale, beta1, beta2, correction, epsilon, eta, keep):
    m, v = moments(grad, m, v, scale, beta1, beta2)
    return keep * theta - eta * m / (sqrt(v) * correction + epsilon), grad, m, v


def adam_direction(theta, grad, m, v, scale, beta1, beta2, correction, epsilon, eta, decay):
    m, v = moments(grad, m, v, scale, beta1, beta2)
    return theta, eta * m / (sqrt(v) * correction + epsilon) + decay * theta, m, v


def rmsprop(theta, grad, square, scale, rho, rate, epsilon):
    square = rho * square + (1 - rho) * (scale * grad) ** 2
    return theta - rate * scale * grad / (sqrt(square) + epsilon), grad, square


def approach(average, values, share):
    return average + share * (values - average), values


# Each formula, the vectors that it takes, and its constants.
FORMULAS = {
    descend: (2, 1),
    momentum: (3, 5),
    adam: (4, 7),
    adam_direction: (4, 7),
    rmsprop: (3, 4),
    approach: (2, 1),
}
EACH = pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.__name__)


def arguments(formula, random, size, dtype):
    """Return vectors, the last one without negative numbers, and constants between 0 and 1."""
    count, constants = FORMULAS[formula]
    vectors = random.standard_normal((count, size)).astype(dtype)
    if formula is not approach and formula is not descend:
        vectors[-1] = np.abs(vectors[-1])
    return [*vectors], random.uniform(0.1, 0.9, constants).tolist()


@EACH
def test_formulas(random, formula):
    vectors, constants = arguments(formula, random, 50, np.float64)
    expected = [formula(*numbers, *constants) for numbers in zip(*vectors)]
    getattr(plain, formula.__name__)(*vectors, *constants)
    for ours, theirs in zip(vectors, zip(*expected)):
        assert ours == pytest.approx(theirs, rel=1e-12)


@EACH
def test_a_step_on_slices_has_the_bits_of_a_step_on_the_whole(random, formula):
    """Wherever the blocks of numbers that are passed over together end."""
    size = NUMBERS_A_BLOCK + 100
    whole, constants = arguments(formula, random, size, np.float32)
    divided = [vector.copy() for vector in whole]
    getattr(plain, formula.__name__)(*whole, *constants)
    for part in (slice(0, 70), slice(70, size)):
        getattr(plain, formula.__name__)(*(vector[part] for vector in divided), *constants)
    assert [a.tobytes() for a in whole] == [a.tobytes() for a in divided]
