import numpy as np
import pytest

from hpcgen.metrics.blocks import blocks
from hpcgen.metrics.moments import Moments, eigenpairs, merge


def test_merged_moments_are_those_of_all_samples(random):
    x = random.standard_normal((700, 5)) @ random.standard_normal((5, 5)) + 3
    moments = merge(Moments.of(x[block]) for block in blocks(len(x)))
    assert moments.count == 700
    assert moments.mean == pytest.approx(x.mean(0), abs=1e-14)
    assert moments.covariance == pytest.approx(np.cov(x.T), abs=1e-13)
    assert np.array_equal(moments.scatter, moments.scatter.T)


def test_a_large_mean_costs_little(random):
    """Squares of 1e12, whose rounding would be 1e-4."""
    x = random.integers(-8, 9, (600, 3)).astype(np.float64)
    moments = merge(Moments.of(x[block] + 2.0**20) for block in blocks(len(x)))
    assert moments.covariance == pytest.approx(np.cov(x.T), rel=1e-9, abs=1e-9)


def test_equal_samples_have_no_scatter():
    moments = merge(Moments.of(np.full((n, 2), 0.1)) for n in (3, 256, 7))
    assert not moments.scatter.any() and np.array_equal(moments.mean, [0.1, 0.1])


def test_one_sample_has_no_covariance():
    moments = Moments.of(np.ones((1, 2)))
    assert not moments.scatter.any()
    with pytest.raises(ValueError, match="two samples"):
        moments.covariance


def test_eigenpairs_leave_rounding_out(random):
    factor = random.standard_normal((9, 4))
    values, vectors = eigenpairs(factor @ factor.T)
    assert values.shape == (4,) and (np.diff(values) < 0).all()
    assert (vectors.T * values) @ vectors == pytest.approx(factor @ factor.T, abs=1e-13)
