"""Derivatives by central differences, the oracle for every hand-derived gradient."""

import numpy as np

from hpcgen.nn.layer import TRAIN


def numerical_gradient(function, x, step=1e-6):
    """Return the gradient of the scalar `function()` in the float64 array `x`, which is perturbed in place and restored.

    Error O(step^2) from truncation and O(1e-16 / step) from rounding, hence about 1e-10 for values near 1.
    """
    if x.dtype != np.float64:
        raise ValueError(f"central differences need float64, not {x.dtype}")
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        saved = x[index]
        x[index] = saved + step
        above = function()
        x[index] = saved - step
        below = function()
        x[index] = saved
        gradient[index] = (above - below) / (2 * step)
    return gradient


def relative_error(actual, expected):
    """Return max|actual - expected| over max(|expected|, 1)."""
    return np.abs(actual - expected).max(initial=0) / max(np.abs(expected).max(initial=0), 1)


def check_layer(layer, theta, x, random, train=TRAIN):
    """Return the largest relative error of a layer's derivatives: in x and in each parameter.

    The scalar is <forward(x), dy> for a random dy. `theta` is a float64 Vector, x a float64 array.
    """
    y, backward = layer.forward(theta, x, train)
    dy = random.standard_normal(y.shape)
    grad = type(theta)(theta.layout, dtype=np.float64)
    dx = backward(dy.copy(), grad)

    def value():
        return np.vdot(layer.forward(theta, x, train)[0], dy)

    errors = {"x": relative_error(dx, numerical_gradient(value, x))}
    for name in layer.parameters():
        errors[name] = relative_error(grad[name], numerical_gradient(value, theta[name]))
    return errors
