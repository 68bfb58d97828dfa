"""Elementwise layers: y = f(x), dx = f'(x) dy, ty = f'(x) t."""

from collections.abc import Callable

import numpy as np

from hpcgen.arrays import Array
from hpcgen.nn.functions import sigmoid, softplus
from hpcgen.nn.kernels import contiguous, kernels
from hpcgen.nn.layer import TRAIN, Backward, Layer, Parameters, TangentBackward, Train
from hpcgen.nn.vector import Vector


class Elementwise(Layer):
    """A layer y = f(x) without parameters.

    A subclass defines `evaluate`, and also `curvature` unless f'' is zero almost everywhere.
    """

    def evaluate(self, x: Array) -> tuple[Array, Callable[[Array], Array]]:
        """Return y = f(x) and back(dy) = f'(x) dy, which may overwrite dy."""
        raise AssertionError(f"{type(self).__name__} has no evaluate")

    def forward(self, theta: Parameters, x: Array, train: Train | None = TRAIN) -> tuple[Array, Backward]:
        y, back = self.evaluate(x)

        def backward(dy: Array, grad: Vector | None = None, need_dx: bool = True) -> Array | None:
            return back(dy) if need_dx else None

        return y, backward

    def tangent(
        self, theta: Parameters, x: Array, t: Array, train: Train | None = TRAIN
    ) -> tuple[Array, Array, TangentBackward]:
        """dx = f'(x) dy + f''(x) t dty,  dt = f'(x) dty."""
        y, back = self.evaluate(x)

        def backward(
            dy: Array | None, dty: Array, grad: Vector | None = None, need_dx: bool = True
        ) -> tuple[Array | None, Array | None]:
            if not need_dx:
                return None, None
            dx, curvature = None if dy is None else back(dy), self.curvature(x, y)
            if curvature is not None:
                curvature *= t * dty
                dx = curvature if dx is None else dx + curvature
            return dx, back(dty)

        return y, back(t.copy()), backward

    def curvature(self, x: Array, y: Array) -> Array | None:
        """Return f''(x), or None if it is zero almost everywhere."""
        return None


class LeakyReLU(Elementwise):
    """x where x > 0, else slope x. DCGAN has slope 0.2 (Radford et al. 2015, arXiv:1511.06434), ReLU has 0.

    Layers with a `slope` apply this function themselves, in the same pass over y as the bias.
    """

    def __init__(self, slope: float = 0.2) -> None:
        self.slope = slope

    def evaluate(self, x: Array) -> tuple[Array, Callable[[Array], Array]]:
        y = x.copy()
        kernels(x).rectify(y.reshape(-1, y.shape[-1]), None, self.slope)

        def back(dy: Array) -> Array:
            dy = contiguous(dy)
            kernels(dy).rectify_gradient(dy, y, self.slope)
            return dy

        return y, back


class Tanh(Elementwise):
    """tanh(x)."""

    def evaluate(self, x: Array) -> tuple[Array, Callable[[Array], Array]]:
        y = np.tanh(x)
        return y, lambda dy: dy * (1 - y * y)

    def curvature(self, x: Array, y: Array) -> Array:
        return -2 * y * (1 - y * y)


class Sigmoid(Elementwise):
    """1 / (1 + exp(-x))."""

    def evaluate(self, x: Array) -> tuple[Array, Callable[[Array], Array]]:
        y = sigmoid(x)
        return y, lambda dy: dy * (y * (1 - y))

    def curvature(self, x: Array, y: Array) -> Array:
        return y * (1 - y) * (1 - 2 * y)


class ELU(Elementwise):
    """x where x > 0, else exp(x) - 1 (Clevert et al. 2015, arXiv:1511.07289, with alpha = 1)."""

    def evaluate(self, x: Array) -> tuple[Array, Callable[[Array], Array]]:
        y = np.maximum(x, 0)
        below = np.expm1(np.minimum(x, 0))
        y += below
        return y, lambda dy: dy * (1 + below)

    def curvature(self, x: Array, y: Array) -> Array:
        return (x < 0) * (1 + y)


class Softplus(Elementwise):
    """log(1 + exp(x))."""

    def evaluate(self, x: Array) -> tuple[Array, Callable[[Array], Array]]:
        return softplus(x), lambda dy: dy * sigmoid(x)

    def curvature(self, x: Array, y: Array) -> Array:
        s = sigmoid(x)
        return s * (1 - s)


class Identity(Elementwise):
    """x itself."""

    def evaluate(self, x: Array) -> tuple[Array, Callable[[Array], Array]]:
        return x, lambda dy: dy
