import numpy as np
import pytest

from hpcgen.metrics import frechet
from hpcgen.metrics.moments import Moments


def gaussian(mean, covariance):
    return Moments(101, np.asarray(mean, np.float64), 100 * np.asarray(covariance, np.float64))


def test_in_one_dimension_it_is_the_squared_differences_of_means_and_deviations():
    assert frechet.distance(gaussian([1], [[4]]), gaussian([3], [[25]])) == pytest.approx(
        (3 - 1) ** 2 + (5 - 2) ** 2
    )


@pytest.mark.parametrize("zeros", [0, 5])
def test_covariances_of_the_same_axes(zeros, random):
    """Then it is the sum of the squared differences of deviations; also where these are 0, in one or both."""
    axes = np.linalg.qr(random.standard_normal((16, 16)))[0]
    s, t = random.uniform(0.1, 2, (2, 16))
    s[:zeros] = t[zeros // 2 : zeros // 2 + zeros] = 0
    a, b = (gaussian(np.zeros(16), (axes * d**2) @ axes.T) for d in (s, t))
    assert frechet.distance(a, b) == pytest.approx(((s - t) ** 2).sum(), rel=1e-12)


def test_against_scipy(random):
    linalg = pytest.importorskip("scipy.linalg")
    a, b = (
        Moments.of(random.standard_normal((60, 8)) @ random.standard_normal((8, 8)) + shift)
        for shift in (0, 1)
    )
    root = linalg.sqrtm(a.covariance @ b.covariance).real
    expected = ((a.mean - b.mean) ** 2).sum() + np.trace(a.covariance + b.covariance - 2 * root)
    assert frechet.distance(a, b) == pytest.approx(expected, rel=1e-10)


def test_few_samples_of_many_features(random):
    x = random.standard_normal((10, 40))
    a, b = Moments.of(x), Moments.of(3 * x)
    assert 0 <= frechet.distance(a, a) < 1e-12
    assert frechet.distance(a, b) == pytest.approx(4 * (a.mean @ a.mean + np.trace(a.covariance)), rel=1e-12)


def test_equal_samples_are_points(random):
    a, b = (Moments.of(np.full((5, 3), value)) for value in (0.1, 1.1))
    assert frechet.distance(a, a) == 0
    assert frechet.distance(a, b) == pytest.approx(3)
    c = Moments.of(random.standard_normal((9, 3)))
    assert frechet.distance(a, c) == pytest.approx(((a.mean - c.mean) ** 2).sum() + np.trace(c.covariance))


def test_one_sample_is_refused(random):
    with pytest.raises(ValueError, match="two samples"):
        frechet.distance(
            Moments.of(random.standard_normal((1, 3))), Moments.of(random.standard_normal((9, 3)))
        )
