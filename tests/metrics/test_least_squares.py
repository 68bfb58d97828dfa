import numpy as np
import pytest

from hpcgen.metrics.blocks import blocks
from hpcgen.metrics.least_squares import fit
from hpcgen.metrics.moments import Moments, merge


@pytest.mark.parametrize("intercept", [False, True])
def test_against_lstsq(random, intercept):
    """Also where columns lie far from zero and in units of their own."""
    x = random.standard_normal((1000, 3)) * [1, 1e4, 1e-3] + np.array([0, 1e6, 5]) * intercept
    y = x @ random.standard_normal((3, 2)) + [3, -7] + random.standard_normal((1000, 2))
    both = np.hstack([x, y])
    moments = merge(Moments.of(both[block]) for block in blocks(1000))
    coefficients, constants, deviation = fit(moments, 3, intercept)
    columns = np.hstack([x, np.ones((1000, 1))]) if intercept else x
    expected, squares, _, _ = np.linalg.lstsq(columns, y, rcond=None)
    assert coefficients == pytest.approx(expected[:3], rel=1e-6)
    assert constants == pytest.approx(expected[3] if intercept else np.zeros(2), rel=1e-6)
    assert deviation == pytest.approx(np.sqrt(squares / 1000), rel=1e-6)


def test_columns_that_repeat_each_other_share_the_coefficient(random):
    x = random.standard_normal((50, 1))
    coefficients, _, deviation = fit(Moments.of(np.hstack([x, x, 0 * x, 3 * x])), 3, False)
    assert coefficients[:, 0] == pytest.approx([1.5, 1.5, 0]) and deviation == pytest.approx(0, abs=1e-7)
