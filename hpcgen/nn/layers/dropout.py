"""Dropout."""

import numpy as np

from hpcgen.arrays import Array, Shape, uniform
from hpcgen.nn.layer import TRAIN, Backward, Layer, Parameters, TangentBackward, Train
from hpcgen.nn.vector import Vector


class Dropout(Layer):
    """In training, set each number to 0 with probability `rate`, else divide it by 1 - rate (Srivastava et
    al. 2014).

    The random numbers come from the lane's stream, `train.random`. They do not depend on which rank computes
    the lane.
    """

    draws = True

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def forward(self, theta: Parameters, x: Array, train: Train | None = TRAIN) -> tuple[Array, Backward]:
        if train is None or self.rate == 0:
            return x, lambda dy, grad=None, need_dx=True: dy if need_dx else None
        assert train.random is not None, "a layer that draws gets a stream"
        factors = self.factors(x, train.random)
        return (
            x * factors,
            lambda dy, grad=None, need_dx=True: np.multiply(dy, factors, out=dy) if need_dx else None,
        )

    def factors(self, x: Array, random: np.random.Generator) -> Array:
        """Draw what each number of x is multiplied with."""
        kept, factors = self.kept(random, x.shape), np.empty_like(x)
        np.multiply(kept, 1 / (1 - self.rate), out=factors, casting="same_kind")
        return factors

    def kept(self, random: np.random.Generator, shape: Shape) -> Array:
        """Draw which numbers stay."""
        return uniform(random, shape) >= np.float32(self.rate)

    def tangent(
        self, theta: Parameters, x: Array, t: Array, train: Train | None = TRAIN
    ) -> tuple[Array, Array, TangentBackward]:
        """Drop the same numbers of t as of x. The map is linear and equal to its adjoint. Therefore the same
        function is applied to t and to both derivatives."""
        y, drop = self.forward(theta, x, train)

        def backward(
            dy: Array | None, dty: Array, grad: Vector | None = None, need_dx: bool = True
        ) -> tuple[Array | None, Array | None]:
            return (None if dy is None else drop(dy), drop(dty)) if need_dx else (None, None)

        return y, drop(t.copy()), backward
