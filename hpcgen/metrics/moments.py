"""Means and covariances of features, merged from blocks."""

from collections.abc import Iterable
from functools import reduce
from typing import NamedTuple

import numpy as np

from hpcgen.metrics.blocks import finite


class Moments(NamedTuple):
    """The first two moments of `count` samples: `mean` (d,) and `scatter` (d, d), the sum of (x - mean)(x -
    mean)^T."""

    count: int  # type: ignore[assignment]
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray) -> "Moments":
        """Return the moments of the block x (n, d)."""
        mean, rows = centred(x)
        return cls(len(rows), mean, rows.T @ rows)

    @property
    def covariance(self) -> np.ndarray:
        """The unbiased covariance (d, d). Raises ValueError for one sample."""
        if self.count < 2:
            raise ValueError("a covariance needs two samples or more")
        return self.scatter / (self.count - 1)


def merge(parts: Iterable[Moments]) -> Moments:
    """Merge the moments of blocks, in order, into the moments of all samples (Chan, Golub & LeVeque 1979,
    STAN-CS-79-773)."""
    return reduce(_join, parts)


def _join(a: Moments, b: Moments) -> Moments:
    count, delta = a.count + b.count, b.mean - a.mean
    scatter = np.outer(delta, delta)
    scatter *= a.count * b.count / count
    scatter += a.scatter
    scatter += b.scatter
    return Moments(count, a.mean + delta * (b.count / count), scatter)


def centred(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean (d,) of x (n, d), and x minus its mean, which is exactly 0 if all samples are equal."""
    x = finite(x)
    # Subtract the first sample: the mean of n equal numbers may be rounded, the mean of n zeros is exact.
    rows = x - x[0]
    shift = rows.mean(0)
    rows -= shift
    return x[0] + shift, rows


def eigenpairs(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenvalues (r,), descending, and the eigenvectors (r, d) of a symmetric, positive
    semidefinite (d, d) matrix of rank r.

    Eigenvalues up to d eps times the largest are treated as rounding errors and left out.
    """
    values, vectors = np.linalg.eigh(matrix)
    above = values > len(values) * np.finfo(values.dtype).eps * values[-1]
    return values[above][::-1], vectors.T[above][::-1]
