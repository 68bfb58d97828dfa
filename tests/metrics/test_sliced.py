from math import gamma, pi, sqrt

import numpy as np
import pytest

from hpcgen.metrics import sliced


def column(*numbers):
    return np.array(numbers, np.float64)[:, None]


def test_directions_are_uniform_on_the_sphere(random):
    axes = sliced.directions(random, 20000, 5)
    assert np.linalg.norm(axes, axis=1) == pytest.approx(np.ones(20000))
    assert np.abs(axes).mean(0) == pytest.approx(np.full(5, gamma(2.5) / (sqrt(pi) * gamma(3))), rel=0.02)
    assert axes.mean(0) == pytest.approx(np.zeros(5), abs=0.01)


def test_a_shift_is_its_mean_length_along_the_directions(random):
    x, shift = random.standard_normal((300, 4)), np.array([1.0, -2, 0, 3])
    axes = sliced.directions(random, 9, 4)
    found = sliced.distance(sliced.project(x, axes), sliced.project(x + shift, axes))
    assert found == pytest.approx(np.abs(axes @ shift).mean(), rel=1e-12)


def test_closed_forms():
    assert sliced.distance(column(0), column(3)) == 3
    assert sliced.distance(column(0), column(1, -1, 0)) == pytest.approx(2 / 3)
    assert sliced.distance(column(0, 1), column(1, 0, 0, 1, 1, 0)) == 0
    assert sliced.distance(column(0, 6), column(0, 3, 6)) == pytest.approx(1)


@pytest.mark.parametrize("n, m", [(50, 50), (64, 48), (7, 100), (101, 1)])
def test_against_scipy(n, m, random):
    wasserstein_distance = pytest.importorskip("scipy.stats").wasserstein_distance
    x, y = random.standard_normal((n, 6)), random.standard_normal((m, 6)) * 2 + 1
    expected = np.mean([wasserstein_distance(a, b) for a, b in zip(x.T, y.T)])
    assert sliced.distance(x, y) == pytest.approx(expected, rel=1e-12)
