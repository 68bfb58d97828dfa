"""Scalar functions of layers and losses, numerically stable for any finite argument."""

import numpy as np

from hpcgen.arrays import Array


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)). If exp overflows, the result is 0."""
    y = np.negative(x)
    with np.errstate(over="ignore"):
        np.exp(y, out=y)
    y += 1
    return np.divide(1, y, out=y)


def softplus(x: Array) -> Array:
    """Return log(1 + exp(x)) as max(x, 0) + log1p(exp(-|x|))."""
    y = np.abs(x)
    np.negative(y, out=y)
    np.exp(y, out=y)
    np.log1p(y, out=y)
    y += np.maximum(x, 0)
    return y
