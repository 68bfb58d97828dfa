"""Kernels on matrices (rows, channels): scaling, rectifying, and sums over the rows."""

import numpy as np

from hpcgen.arrays import Array

# Number of rows in a partial sum. Partial sums have a smaller rounding error than one long sum. The compiled
# loops add in the same order.
ROWS_A_SUM = 256


def outer(left: Array, right: Array, out: Array) -> None:
    """out <- left right^T: left (rows, 1), right (channels, 1), out (rows, channels)."""
    np.multiply(left, right.T, out=out)


def rectify(y: Array, bias: Array | None, slope: float) -> None:
    """y <- t if t = y + bias > 0, else slope t. y (rows, channels), bias (channels,) or None."""
    if bias is not None:
        y += bias
    if slope != 1:
        y *= _slopes(y, slope)


def rectify_gradient(dy: Array, y: Array, slope: float) -> None:
    """dy <- dy where y > 0, else slope dy. Any shape."""
    dy *= _slopes(y, slope)


def _slopes(y: Array, slope: float) -> Array:
    return np.array([slope, 1], y.dtype, like=y)[(y > 0).view(np.uint8)]


def scale_rectify(x: Array, scale: Array, shift: Array, slope: float, out: Array) -> None:
    """out <- t if t = x scale + shift > 0, else slope t. x (rows, channels), scale and shift (channels,)."""
    np.multiply(x, scale, out=out)
    rectify(out, shift, slope)


def column_sums(x: Array) -> Array:
    """Return the sums (channels,) over the rows of x (rows, channels)."""
    return _sums(x)


def column_squares(x: Array, mean: Array) -> Array:
    """Return the sums (channels,) over rows of (x - mean)^2, with mean (channels,)."""
    centred = x - mean
    centred *= centred
    return _sums(centred)


def column_products(dy: Array, x: Array, mean: Array) -> tuple[Array, Array]:
    """Return the sums (channels,) over rows of dy, and of (x - mean) dy."""
    centred = x - mean
    centred *= dy
    return _sums(dy), _sums(centred)


def _sums(x: Array) -> Array:
    starts = range(0, len(x), ROWS_A_SUM)
    first, *others = (np.add.reduce(x[start : start + ROWS_A_SUM], axis=0) for start in starts)
    total = first.copy()
    for partial in others:
        total += partial
    return total


def combine(dy: Array, x: Array, a: Array, b: Array, c: Array) -> None:
    """dy <- dy a + (x b + c), with a, b and c (channels,)."""
    dy *= a
    rest = x * b
    rest += c
    dy += rest
