"""Sliced Wasserstein distance: the mean of one-dimensional distances along random directions."""

import numpy as np

from hpcgen.metrics.blocks import finite


def directions(random: np.random.Generator, count: int, d: int) -> np.ndarray:
    """Return `count` unit vectors (count, d), uniform on the sphere, drawn from `random`."""
    normal = random.standard_normal((count, d))
    return normal / np.linalg.norm(normal, axis=1, keepdims=True)


def project(x: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Return the coordinates (n, count) of the block x (n, d) along the directions (count, d)."""
    return finite(x) @ directions.T


def distance(x: np.ndarray, y: np.ndarray) -> float:
    """Return the mean over directions of the Wasserstein-1 distance between two sets, in units of the
    features.

    x (n, count) and y (m, count) are the coordinates of all samples. Along one direction the distance is the
    integral over t from 0 to 1 of |F^-1(t) - G^-1(t)|, where F^-1 and G^-1 are the quantile functions. It is
    exact for any n and m. Rabin et al. 2011 (doi:10.1007/978-3-642-24785-9_37), Bonneel et al. 2015
    (doi:10.1007/s10851-014-0506-3).
    """
    n, m = len(x), len(y)
    # The positions where one of the quantile functions steps, in units of 1 / (n m).
    steps = np.union1d(np.arange(n + 1) * m, np.arange(m + 1) * n)
    left, widths = steps[:-1], np.diff(steps) / (n * m)
    gaps = np.sort(x, axis=0)[left // m]
    gaps -= np.sort(y, axis=0)[left // n]
    return float((widths @ np.abs(gaps, out=gaps)).mean())
