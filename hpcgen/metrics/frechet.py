"""Frechet distance between Gaussians fitted to two sets of features."""

import numpy as np

from hpcgen.metrics.moments import Moments, eigenpairs


def distance(a: Moments, b: Moments) -> float:
    """Return d^2 = |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) of two `Moments`, in squared units of
    the features.

    Dowson & Landau 1982 (doi:10.1016/0047-259X(82)90077-X). With Inception's features it is the FID of Heusel
    et al. 2017 (arXiv:1706.08500), eq. 6. Covariances may be singular. Small sets bias it upwards (Binkowski
    et al. 2018, arXiv:1801.01401, section 4), so compare only values of sets of equal size. Raises ValueError
    for a set of one sample.
    """
    shift, c_a, c_b = a.mean - b.mean, a.covariance, b.covariance
    # The square roots of the eigenvalues of F F^T G G^T are the singular values of F^T G. This avoids the
    # root of an eigenvalue that should be 0: it would turn a rounding error of 1e-16 into an error of 1e-8.
    cross = np.linalg.svd(_factor(c_a).T @ _factor(c_b), compute_uv=False)
    return max(float(shift @ shift + np.trace(c_a) + np.trace(c_b) - 2 * cross.sum()), 0.0)


def _factor(covariance: np.ndarray) -> np.ndarray:
    """Return F (d, r) with F F^T = covariance, where r is the rank of the covariance."""
    values, vectors = eigenpairs(covariance)
    return vectors.T * np.sqrt(values)
