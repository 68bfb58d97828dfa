"""Linear least squares from the joint moments of inputs and outputs."""

import numpy as np

from hpcgen.metrics.moments import Moments


def fit(moments: Moments, inputs: int, intercept: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the coefficients (p, q), the constants (q,) and the residuals' deviation (q,) of y (n, q) on x
    (n, p).

    `moments` are the moments of rows (x, y) of p + q numbers, with p = `inputs`. Without `intercept` the
    constants are 0. If several solutions are equally good, the smallest one is returned, in units of the
    columns' root mean squares.
    """
    shift = 0.0 if intercept else moments.mean
    products = moments.scatter + moments.count * np.outer(shift, shift)
    scale = np.sqrt(np.diag(products))
    scale[scale == 0] = 1
    products = products / np.outer(scale, scale)
    xx, xy = products[:inputs, :inputs], products[:inputs, inputs:]
    solution = np.linalg.lstsq(xx, xy, rcond=None)[0]
    squares = np.diag(products)[inputs:] - (solution * xy).sum(0)
    coefficients = solution / scale[:inputs, None] * scale[inputs:]
    mean = moments.mean
    constants = mean[inputs:] - mean[:inputs] @ coefficients if intercept else np.zeros(len(mean) - inputs)
    return coefficients, constants, scale[inputs:] * np.sqrt(np.maximum(squares, 0) / moments.count)
