"""Dropout."""

import numpy as np

from hpcgen.arrays import Array, Shape, uniform
from hpcgen.nn.layer import TRAIN, Backward, Layer, Parameters, TangentBackward, Train
from hpcgen.nn.vector import Vector


class Dropout(Layer):
    """In training each number is zero with probability `rate`, else divided by 1 - rate (Srivastava et al.
    2014).

    The numbers come from the lane's stream, `train.random`: who computes a lane changes nothing.
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
        """t is dropped where x is: the derivative of the one pass, which is its own adjoint, serves t and
        both of theirs."""
        y, drop = self.forward(theta, x, train)

        def backward(
            dy: Array | None, dty: Array, grad: Vector | None = None, need_dx: bool = True
        ) -> tuple[Array | None, Array | None]:
            return (None if dy is None else drop(dy), drop(dty)) if need_dx else (None, None)

        return y, drop(t.copy()), backward
