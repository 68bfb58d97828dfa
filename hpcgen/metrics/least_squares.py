"""Linear least squares from sums over blocks of rows."""

from typing import NamedTuple

import numpy as np

from hpcgen.metrics.blocks import finite


class Normal(NamedTuple):
    """The normal equations of y (n, q) on x (n, p) and a last column of ones: x^T x, x^T y and y^T y, of `count` rows."""

    count: int = 0
    xx: np.ndarray = 0.0
    xy: np.ndarray = 0.0
    yy: np.ndarray = 0.0

    @classmethod
    def of(cls, x, y):
        """Return those of a block."""
        x, y = finite(np.column_stack([x, np.ones(len(x))])), finite(y)
        return cls(len(x), x.T @ x, x.T @ y, np.square(y).sum(0))

    def __add__(self, other):
        return Normal(*(a + b for a, b in zip(self, other)))

    @property
    def mean(self):
        """The mean of y, (q,)."""
        return self.xy[-1] / self.count


def fit(normal, intercept):
    """Return the coefficients (p, q), with `intercept` (p + 1, q), the constants last, and the deviation (q,) of the residuals.

    Columns are scaled to equal squares first. Of solutions that are equally good the smallest is taken.
    """
    size = len(normal.xx) if intercept else len(normal.xx) - 1
    xx, xy = normal.xx[:size, :size], normal.xy[:size]
    scale = np.sqrt(np.diag(xx))
    scale[scale == 0] = 1
    solution = np.linalg.lstsq(xx / np.outer(scale, scale), xy / scale[:, None], rcond=None)[0] / scale[:, None]
    squares = normal.yy - (solution * xy).sum(0)
    return solution, np.sqrt(np.maximum(squares, 0) / normal.count)
