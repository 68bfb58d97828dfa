from math import isnan, sqrt

import numpy as np
import pytest

from hpcgen.metrics import kernel
from hpcgen.metrics.blocks import ROWS_A_BLOCK


def distance(x, y):
    return kernel.distance([kernel.squared_mmd(x[a], y[b]) for a, b in kernel.pairs(len(x), len(y))])


def test_against_the_sums_as_written(random):
    x, y = random.standard_normal((7, 4)), random.standard_normal((5, 4)) + 1

    def k(a, b):
        return (a @ b / 4 + 1) ** 3

    expected = (
        sum(k(x[i], x[j]) for i in range(7) for j in range(7) if i != j) / (7 * 6)
        + sum(k(y[i], y[j]) for i in range(5) for j in range(5) if i != j) / (5 * 4)
        - 2 * sum(k(a, b) for a in x for b in y) / (7 * 5)
    )
    assert kernel.squared_mmd(x, y) == pytest.approx(expected, rel=1e-12)


def test_it_has_no_bias(random):
    """(xy + 1)^3 has the features x^3, sqrt(3) x^2, sqrt(3) x: MMD^2 is the squared difference of their
    means."""
    x, y = random.standard_normal((2, 64 * ROWS_A_BLOCK, 1))
    mean, error = distance(x, y)
    assert abs(mean) < 3 * error < 0.2
    shift = 0.5
    mean, error = distance(x, y + shift)
    assert abs(mean - ((shift**3 + 3 * shift) ** 2 + 3 * shift**4 + 3 * shift**2)) < 3 * error < 1


def test_the_standard_error_is_that_of_the_mean():
    assert kernel.distance([1.0, 2.0, 6.0]) == pytest.approx((3, sqrt((4 + 1 + 9) / 2 / 3)))


def test_one_pair_has_no_standard_error():
    mean, error = kernel.distance([0.25])
    assert mean == 0.25 and isnan(error)


def test_pairs_are_whole_blocks_or_the_first():
    def sizes(n, m):
        return [(len(range(n)[a]), len(range(m)[b])) for a, b in kernel.pairs(n, m)]

    assert sizes(3 * ROWS_A_BLOCK - 1, 5 * ROWS_A_BLOCK) == [(ROWS_A_BLOCK, ROWS_A_BLOCK)] * 2
    assert sizes(7, 5 * ROWS_A_BLOCK) == [(7, ROWS_A_BLOCK)]
    assert sizes(7, 9) == [(7, 9)]


@pytest.mark.parametrize("n, m", [(1, 5), (5, 1)])
def test_one_sample_is_refused(n, m):
    with pytest.raises(ValueError, match="two samples or more"):
        distance(np.ones((n, 2)), np.ones((m, 2)))


def test_constant_features_are_no_distance_apart():
    assert distance(np.ones((5, 2)), np.ones((6, 2))) == pytest.approx((0, float("nan")), nan_ok=True)
