"""Dropout."""

import numpy as np

from hpcgen.nn.layer import TRAIN, Layer


class Dropout(Layer):
    """In training, set each number to 0 with probability `rate`, else divide it by 1 - rate (Srivastava et
    al. 2014).

    The random numbers come from the lane's stream, `train.random`. They do not depend on which rank computes
    the lane.
    """

    draws = True

    def __init__(self, rate):
        self.rate = rate

    def forward(self, theta, x, train=TRAIN):
        if train is None or self.rate == 0:
            return x, lambda dy, grad=None, need_dx=True: dy if need_dx else None
        kept = train.random.random(x.shape, dtype=np.float32) >= np.float32(self.rate)
        factors = np.empty_like(x)
        np.multiply(kept, 1 / (1 - self.rate), out=factors, casting="same_kind")
        return (
            x * factors,
            lambda dy, grad=None, need_dx=True: np.multiply(dy, factors, out=dy) if need_dx else None,
        )

    def tangent(self, theta, x, t, train=TRAIN):
        """Drop the same numbers of t as of x. The map is linear and equal to its adjoint. Therefore the same
        function is applied to t and to both derivatives."""
        y, drop = self.forward(theta, x, train)

        def backward(dy, dty, grad=None, need_dx=True):
            return (None if dy is None else drop(dy), drop(dty)) if need_dx else (None, None)

        return y, drop(t.copy()), backward
