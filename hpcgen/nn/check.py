"""Derivatives by central differences, to check every gradient that is derived by hand."""

from collections.abc import Callable
from copy import deepcopy

import numpy as np

from hpcgen.arrays import Array, Shape
from hpcgen.nn.buffers import Buffer
from hpcgen.nn.layer import TRAIN, Backward, Layer, Parameters, Train
from hpcgen.nn.vector import Vector


def numerical_gradient(function: Callable[[], float], x: Array, step: float = 1e-6) -> Array:
    """Return the gradient of the scalar `function()` with respect to the float64 array `x`, which is changed
    in place and restored.

    The truncation error is O(step^2) and the rounding error O(1e-16 / step): about 1e-10 for values near 1.
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


def relative_error(actual: Array, expected: Array) -> float:
    """Return max|actual - expected| over max(|expected|, 1)."""
    return np.abs(actual - expected).max(initial=0) / max(np.abs(expected).max(initial=0), 1)


def check_layer(
    layer: Layer, theta: Vector, x: Array, random: np.random.Generator, train: Train | None = TRAIN
) -> dict[str, float]:
    """Return {name: largest relative error} of a layer's derivatives with respect to x and each parameter.

    The scalar is <forward(x), dy> for a random dy. `theta` is a float64 Vector, x a float64 array. Every pass
    uses the same random numbers.
    """
    y, backward = layer.forward(theta, x, deepcopy(train))
    dy = random.standard_normal(y.shape)
    grad = type(theta)(theta.layout, dtype=np.float64)
    dx = backward(dy.copy(), grad)

    def value() -> float:
        return np.vdot(layer.forward(theta, x, deepcopy(train))[0], dy)

    errors = {"x": relative_error(dx, numerical_gradient(value, x))}
    for name in layer.parameters():
        errors[name] = relative_error(grad[name], numerical_gradient(value, theta[name]))
    return errors


class Pair(Layer):
    """A layer's `tangent` as a layer: it maps (x, t), an array (2, n, ...), to (y, ty)."""

    def __init__(self, layer: Layer) -> None:
        self.layer, self.draws = layer, layer.draws

    def parameters(self) -> dict[str, Shape]:
        return self.layer.parameters()

    def buffers(self) -> dict[str, Buffer]:
        return self.layer.buffers()

    def initialize(self, theta: Vector, random: np.random.Generator) -> None:
        self.layer.initialize(theta, random)

    def forward(self, theta: Parameters, x: Array, train: Train | None = TRAIN) -> tuple[Array, Backward]:
        y, ty, layer_backward = self.layer.tangent(theta, x[0], x[1], train)

        def backward(dy: Array, grad: Vector | None = None, need_dx: bool = True) -> Array | None:
            derivatives = layer_backward(dy[0], dy[1], grad, need_dx)
            return np.stack(derivatives) if need_dx else None

        return np.stack([y, ty]), backward


def check_tangent(
    layer: Layer,
    theta: Vector,
    x: Array,
    random: np.random.Generator,
    train: Train | None = TRAIN,
    step: float = 1e-6,
) -> dict[str, float]:
    """Return {name: largest relative error} of ty and of the tangent's derivatives with respect to (x, t) and
    each parameter, by central differences. The arguments are those of `check_layer`."""
    t = random.standard_normal(x.shape)
    _, ty, _ = layer.tangent(theta, x, t, deepcopy(train))
    above, below = (layer.forward(theta, x + h * t, deepcopy(train))[0] for h in (step, -step))
    return {"ty": relative_error(ty, (above - below) / (2 * step))} | check_layer(
        Pair(layer), theta, np.stack([x, t]), random, train
    )
