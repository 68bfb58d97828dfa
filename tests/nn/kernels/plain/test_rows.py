"""Kernels on matrices against their definitions, one number at a time."""

from math import fsum

import numpy as np
import pytest

from hpcgen.nn.kernels import plain
from hpcgen.nn.kernels.plain.rows import ROWS_A_SUM

SLOPES = pytest.mark.parametrize("slope", [1.0, 0.0, 0.2])
ROWS = pytest.mark.parametrize("rows", [1, 7, ROWS_A_SUM, 2 * ROWS_A_SUM + 1])


def sloped(t, slope):
    return t if t > 0 else slope * t


def test_outer(random):
    left, right, out = random.standard_normal((4, 1)), random.standard_normal((3, 1)), np.empty((4, 3))
    plain.outer(left, right, out)
    assert out.tolist() == [[a * b for b in right[:, 0].tolist()] for a in left[:, 0].tolist()]


@SLOPES
@pytest.mark.parametrize("biased", [True, False])
def test_rectify_and_its_gradient(random, slope, biased):
    y, dy, bias = random.standard_normal((4, 3)), random.standard_normal((4, 3)), random.standard_normal(3)
    expected = [[sloped(value + b * biased, slope) for value, b in zip(row, bias)] for row in y]
    plain.rectify(y, bias if biased else None, slope)
    assert y == pytest.approx(np.array(expected), rel=1e-15)
    slopes = [[1 if value > 0 else slope for value in row] for row in y]
    expected = dy * slopes
    plain.rectify_gradient(dy, y, slope)
    assert np.array_equal(dy, expected)


def test_a_zero_takes_the_lower_slope():
    y, dy = np.array([[0.0, -0.0]]), np.ones((1, 2))
    plain.rectify_gradient(dy, y, 0.2)
    assert dy.tolist() == [[0.2, 0.2]]


@SLOPES
def test_scale_rectify(random, slope):
    x, out = random.standard_normal((4, 3)), np.full((4, 3), np.nan)
    scale, shift = random.standard_normal((2, 3))
    plain.scale_rectify(x, scale, shift, slope, out)
    expected = [[sloped(v * a + b, slope) for v, a, b in zip(row, scale, shift)] for row in x]
    assert out == pytest.approx(np.array(expected), rel=1e-15)


@ROWS
def test_sums_over_rows(random, rows):
    x, dy, mean = *random.standard_normal((2, rows, 3)), random.standard_normal(3)
    sums, products = plain.column_products(dy, x, mean)
    found = [plain.column_sums(x), plain.column_squares(x, mean), sums, products]
    expected = [x, (x - mean) ** 2, dy, (x - mean) * dy]
    for ours, terms in zip(found, expected):
        assert ours == pytest.approx([fsum(column) for column in terms.T], rel=1e-12, abs=1e-12)


def test_long_sums_round_little():
    """One long sum of float32 would be off by a part in a thousand."""
    x = np.full((200_000, 2), 0.1, np.float32)
    assert plain.column_sums(x) == pytest.approx(20_000, rel=1e-5)


def test_combine(random):
    dy, x = random.standard_normal((2, 4, 3))
    a, b, c = random.standard_normal((3, 3))
    expected = dy * a + x * b + c
    plain.combine(dy, x, a, b, c)
    assert dy == pytest.approx(expected, rel=1e-12)
