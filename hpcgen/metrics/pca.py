"""Principal components: linear features to compare samples of many numbers."""

from typing import NamedTuple

import numpy as np

from hpcgen.metrics.blocks import blocks, finite
from hpcgen.metrics.moments import Moments, centred, eigenpairs, merge

# Rows of the largest matrix that is decomposed, which takes 8 MiB and a second.
LARGEST_MATRIX = 1024


class PrincipalComponents(NamedTuple):
    """The mean (d,), orthonormal axes (k, d), and the variances (k,) along the axes, descending.

    The coordinate of largest magnitude of each axis is positive.
    """

    mean: np.ndarray
    axes: np.ndarray
    variances: np.ndarray

    def project(self, x: np.ndarray) -> np.ndarray:
        """Return the coordinates (n, k) of the block x (n, d) on the axes, in units of x, not whitened."""
        return (finite(x) - self.mean) @ self.axes.T


def principal_components(x: np.ndarray, k: int) -> PrincipalComponents:
    """Return the k leading `PrincipalComponents` of x (n, d), or as many as the samples span.

    If d <= 1024 they are computed from the moments of all samples. If d is larger, the covariance matrix
    would take too much memory. Then they are computed from the Gram matrix of the first 1024 samples (Turk &
    Pentland 1991, doi:10.1162/jocn.1991.3.1.71); other samples are not used. Raises ValueError if all samples
    are equal.
    """
    if x.shape[1] <= LARGEST_MATRIX:
        return from_moments(merge(Moments.of(x[block]) for block in blocks(len(x))), k)
    mean, rows = centred(x[:LARGEST_MATRIX])
    values, vectors = eigenpairs(rows @ rows.T)
    # These axes are orthogonal up to rounding errors, which are large if variances are small.
    axes = np.linalg.qr((vectors[:k] @ rows).T)[0].T
    return _oriented(mean, axes, values[:k] / (len(rows) - 1))


def from_moments(moments: Moments, k: int) -> PrincipalComponents:
    """Return the k leading `PrincipalComponents`, or all if there are fewer, of samples with these `Moments`.

    Raises ValueError if all samples are equal.
    """
    values, vectors = eigenpairs(moments.scatter)
    return _oriented(moments.mean, vectors[:k], values[:k] / (moments.count - 1))


def _oriented(mean: np.ndarray, axes: np.ndarray, variances: np.ndarray) -> PrincipalComponents:
    if not len(axes):
        raise ValueError("samples that are all equal have no principal components")
    largest = np.abs(axes).argmax(1, keepdims=True)
    return PrincipalComponents(mean, axes * np.sign(np.take_along_axis(axes, largest, 1)), variances)
