"""Layers that change only the shape of samples."""

from collections.abc import Sequence

import numpy as np

from hpcgen.arrays import Array
from hpcgen.nn.layer import TRAIN, Backward, Layer, Parameters, TangentBackward, Train
from hpcgen.nn.vector import Vector


class Shaping(Layer):
    """A linear map without parameters. It maps the tangent in the same way as x."""

    def tangent(
        self, theta: Parameters, x: Array, t: Array, train: Train | None = TRAIN
    ) -> tuple[Array, Array, TangentBackward]:
        (y, y_backward), (ty, ty_backward) = self.forward(theta, x, train), self.forward(theta, t, train)

        def backward(
            dy: Array | None, dty: Array, grad: Vector | None = None, need_dx: bool = True
        ) -> tuple[Array | None, Array | None]:
            return None if dy is None else y_backward(dy, grad, need_dx), ty_backward(dty, grad, need_dx)

        return y, ty, backward


class Reshape(Shaping):
    """Change the shape of each sample, and keep the order of its numbers.

    Reshape((size,)) flattens (n, height, width, channels) in this order. PyTorch flattens (channels, height,
    width): the rows of a Dense layer's W then have another order.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape = tuple(shape)

    def forward(self, theta: Parameters, x: Array, train: Train | None = TRAIN) -> tuple[Array, Backward]:
        def backward(dy: Array, grad: Vector | None = None, need_dx: bool = True) -> Array | None:
            return dy.reshape(x.shape) if need_dx else None

        return x.reshape(len(x), *self.shape), backward


class Upsample(Shaping):
    """Nearest-neighbour upsampling: repeat each point of x (n, *sizes, channels) `factor` times on each axis.

    This is PyTorch's Upsample(scale_factor, mode="nearest").
    """

    def __init__(self, factor: Sequence[int]) -> None:
        self.factor = tuple(factor)

    def forward(self, theta: Parameters, x: Array, train: Train | None = TRAIN) -> tuple[Array, Backward]:
        n, *sizes, channels = x.shape
        ones = tuple(part for size in sizes for part in (size, 1))
        repeated = tuple(part for pair in zip(sizes, self.factor, strict=True) for part in pair)
        y = np.empty_like(x, shape=(n, *repeated, channels))
        y[...] = x.reshape(n, *ones, channels)

        def backward(dy: Array, grad: Vector | None = None, need_dx: bool = True) -> Array | None:
            if not need_dx:
                return None
            return dy.reshape(y.shape).sum(axis=tuple(range(2, 2 + 2 * len(sizes), 2)))

        return y.reshape(
            n, *(size * factor for size, factor in zip(sizes, self.factor, strict=True)), channels
        ), backward
