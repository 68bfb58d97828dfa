"""Embedding of tokens."""

import numpy as np

from hpcgen.arrays import Array, Shape, standard_normal
from hpcgen.nn.layer import TRAIN, Backward, Layer, Parameters, Train
from hpcgen.nn.vector import Vector


class Embedding(Layer):
    """y = W[x]: map integer tokens x (n, ...) to y (n, ..., features). PyTorch's Embedding, with W (tokens,
    features)."""

    def __init__(self, name: str, tokens: int, features: int) -> None:
        self.weight, self.tokens, self.features = f"{name}/weight", tokens, features

    def parameters(self) -> dict[str, Shape]:
        return {self.weight: (self.tokens, self.features)}

    def initialize(self, theta: Vector, random: np.random.Generator) -> None:
        weight = theta[self.weight]
        weight[...] = standard_normal(random, weight.shape, weight.dtype)

    def forward(self, theta: Parameters, x: Array, train: Train | None = TRAIN) -> tuple[Array, Backward]:
        if x.size and x.min() < 0:
            raise IndexError(f"token {x.min()} is negative")

        def backward(dy: Array, grad: Vector | None = None, need_dx: bool = True) -> None:
            """Write the derivative of W. Return None: tokens have no derivative."""
            if grad is not None:
                # A stable sort groups the rows of each token and keeps their order. They are added in this
                # order.
                order = np.argsort(x, axis=None, kind="stable")
                tokens, starts = np.unique(x.reshape(-1)[order], return_index=True)
                grad[self.weight][...] = 0
                if x.size:
                    grad[self.weight][tokens] = np.add.reduceat(
                        dy.reshape(-1, self.features)[order], starts, axis=0
                    )

        return theta[self.weight][x], backward
