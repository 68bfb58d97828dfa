"""Precision and recall by manifolds of nearest neighbours (Kynkaanniemi et al. 2019, arXiv:1904.06991).

The manifold of a set is the union of spheres around its samples. The radius of a sphere is the distance to
the k-th nearest other sample. Precision is the share of generated samples in the manifold of the data. Recall
is the share of the data in the manifold of the generated samples:

    radii = np.concatenate([squared_radii(x[block], x, block.start) for block in blocks(len(x))])
    precision = share([covered(y[block], x, radii) for block in blocks(len(y))])

The functions take a block of one set, and all of the other set, which is not copied if it is contiguous
float64.
"""

from collections.abc import Sequence

import numpy as np

from hpcgen.metrics.blocks import finite

NEIGHBOURS = 3


def squared_radii(x: np.ndarray, whole: np.ndarray, start: int, k: int = NEIGHBOURS) -> np.ndarray:
    """Return the squared distance (n,) of each sample of a block to its k-th nearest neighbour in the set
    `whole` (m, d).

    The block x (n, d) is the rows of `whole` from `start`. A sample is not its own neighbour, but an equal
    sample is a neighbour at distance 0. The squared distances are increased by 4 (d + 2) eps |x|^2, a bound
    on the rounding error of |x|^2 + |y|^2 - 2 x . y, so that samples lie in the spheres of equal samples.
    Raises ValueError unless m > k.
    """
    if len(whole) <= k:
        raise ValueError(f"{k} nearest neighbours need more than {k} samples, not {len(whole)}")
    x, whole = finite(x), finite(whole)
    # |x|^2 is left out here, because it does not change the order.
    distances = (-2 * x) @ whole.T
    distances += _squares(whole)
    rows = np.arange(len(x))
    distances[rows, start + rows] = np.inf
    distances.partition(k - 1, axis=1)
    squares = _squares(x)
    slack = 4 * (x.shape[1] + 2) * np.finfo(np.float64).eps * squares
    return np.maximum(distances[:, k - 1] + squares, 0) + slack


def covered(x: np.ndarray, whole: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Return whether each sample of the block x (n, d) lies in the manifold of `whole` (m, d), as bool (n,)
    (eq. 1).

    `radii` (m,) are the squared radii of all samples of `whole`. A sphere includes its surface.
    """
    x, whole = finite(x), finite(whole)
    # |x - y|^2 <= r^2 for some y.
    inside = (2 * x) @ whole.T
    inside += radii - _squares(whole)
    return inside.max(1) >= _squares(x)


def share(parts: Sequence[np.ndarray]) -> float:
    """Return the share of covered samples, from the results of all blocks."""
    return float(np.concatenate(parts).mean())


def _squares(x: np.ndarray) -> np.ndarray:
    return np.einsum("id,id->i", x, x)
