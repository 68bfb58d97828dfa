"""Kernel distance: the unbiased squared maximum mean discrepancy of features under a cubic kernel."""

from collections.abc import Sequence
from math import sqrt

import numpy as np

from hpcgen.metrics.blocks import ROWS_A_BLOCK, blocks, finite


def pairs(n: int, m: int) -> list[tuple[slice, slice]]:
    """Pair the blocks of two sets of n and m samples: the first of each, the second of each, and so on.

    Return pairs of slices. Only whole blocks are paired, because the estimate of a shorter block is less
    precise but would count as much. If a set has no whole block, the two sets are one pair.
    """
    return list(zip(blocks(n), blocks(m), strict=False))[: max(min(n, m) // ROWS_A_BLOCK, 1)]


def squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """Return the unbiased estimate of MMD^2 from a block x (n, d) of one set and y (m, d) of the other.

    Gretton et al. 2012 (JMLR 13), eq. 3, with the kernel (x . y / d + 1)^3. It may be negative. Raises
    ValueError if n or m is 1.
    """
    if min(len(x), len(y)) < 2:
        raise ValueError("a kernel distance needs two samples or more of each set")
    x, y = finite(x), finite(y)
    return _mean_of_others(_kernel(x, x)) + _mean_of_others(_kernel(y, y)) - 2 * float(_kernel(x, y).mean())


def distance(estimates: Sequence[float]) -> tuple[float, float]:
    """Return the mean of the estimates of all `pairs`, in order, and its standard error (nan for one pair).

    The KID of Binkowski et al. 2018 (arXiv:1801.01401), section 4, over disjoint blocks.
    """
    count = len(estimates)
    error = float(np.std(estimates, ddof=1)) / sqrt(count) if count > 1 else float("nan")
    return float(np.mean(estimates)), error


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return k(x_i, y_j) as (n, m)."""
    root = x @ y.T
    root /= x.shape[1]
    root += 1
    return root * root * root


def _mean_of_others(kernel: np.ndarray) -> float:
    """Return the mean of the off-diagonal elements of kernel (n, n)."""
    n = len(kernel)
    return float(kernel.sum() - np.trace(kernel)) / (n * (n - 1))
