import numpy as np
import pytest

from hpcgen.metrics import pca
from hpcgen.metrics.blocks import blocks
from hpcgen.metrics.moments import Moments, merge


@pytest.fixture(params=[20, 60], ids=["covariance", "Gram"])
def d(request, monkeypatch):
    """Numbers of features that go either way."""
    monkeypatch.setattr(pca, "LARGEST_MATRIX", 40)
    return request.param


def test_against_the_singular_value_decomposition(d, random):
    x = random.standard_normal((30, d)) * np.linspace(1, 3, d) + 5
    found = pca.principal_components(x, 7)
    _, values, axes = np.linalg.svd(x - x.mean(0), full_matrices=False)
    assert found.mean == pytest.approx(x.mean(0), rel=1e-14)
    assert found.variances == pytest.approx(values[:7] ** 2 / 29, rel=1e-12)
    assert np.abs(np.sum(found.axes * axes[:7], axis=1)) == pytest.approx(np.ones(7), abs=1e-12)
    assert found.project(x).var(0, ddof=1) == pytest.approx(found.variances, rel=1e-12)


def test_axes_are_orthonormal_and_oriented(d, random):
    x = random.standard_normal((30, d)) * 10.0 ** -np.linspace(0, 6, 30)[:, None]
    axes = pca.principal_components(x, 99).axes
    assert axes @ axes.T == pytest.approx(np.eye(len(axes)), abs=1e-13)
    assert (axes.max(1) == np.abs(axes).max(1)).all()
    turned = pca.principal_components(-x, 3).axes
    assert turned == pytest.approx(axes[:3], abs=1e-12)


def test_no_more_axes_than_samples_span(d, random):
    x = random.standard_normal((30, 4)) @ random.standard_normal((4, d))
    found = pca.principal_components(x, 9)
    assert found.axes.shape == (4, d) and found.variances.shape == (4,)
    assert found.project(x) @ found.axes + found.mean == pytest.approx(x, abs=1e-12)
    assert pca.principal_components(x[:2], 9).axes.shape == (1, d)


@pytest.mark.parametrize("n", [1, 5])
def test_equal_samples_are_refused(d, n):
    with pytest.raises(ValueError, match="all equal"):
        pca.principal_components(np.full((n, d), 0.1), 2)


def test_few_features_are_fitted_to_all_samples(random):
    x = random.standard_normal((600, 3))
    parts = [Moments.of(x[block]) for block in blocks(len(x))]
    assert np.array_equal(pca.principal_components(x, 2).axes, pca.from_moments(merge(parts), 2).axes)


def test_many_features_are_fitted_to_the_first_samples(monkeypatch, random):
    monkeypatch.setattr(pca, "LARGEST_MATRIX", 16)
    x = random.standard_normal((40, 17))
    assert np.array_equal(pca.principal_components(x, 2).axes, pca.principal_components(x[:16], 2).axes)
