"""Elementwise layers: y = f(x), dx = f'(x) dy."""

import numpy as np

from hpcgen.nn.functions import sigmoid


class Elementwise:
    """A layer without parameters; a subclass gives `evaluate(x) -> (y, slope)`, where slope(dy) is f'(x) dy."""

    def parameters(self):
        return {}

    def initialize(self, theta, random):
        pass

    def forward(self, theta, x, train=True):
        y, slope = self.evaluate(x)

        def backward(dy, grad=None, need_dx=True):
            return slope(dy) if need_dx else None

        return y, backward


class ReLU(Elementwise):
    """max(x, 0)."""

    def evaluate(self, x):
        y = np.maximum(x, 0)
        return y, lambda dy: dy * (y > 0)


class LeakyReLU(Elementwise):
    """max(x, 0.2 x), the slope of DCGAN (Radford et al. 2015, arXiv:1511.06434)."""

    SLOPE = 0.2

    def evaluate(self, x):
        return np.maximum(x, self.SLOPE * x), lambda dy: np.where(x > 0, dy, self.SLOPE * dy)


class Tanh(Elementwise):
    """tanh(x)."""

    def evaluate(self, x):
        y = np.tanh(x)
        return y, lambda dy: dy * (1 - y * y)


class Sigmoid(Elementwise):
    """1 / (1 + exp(-x))."""

    def evaluate(self, x):
        y = sigmoid(x)
        return y, lambda dy: dy * (y * (1 - y))


class Linear(Elementwise):
    """x itself."""

    def evaluate(self, x):
        return x, lambda dy: dy


ACTIVATIONS = {"relu": ReLU, "leaky-relu": LeakyReLU, "tanh": Tanh, "sigmoid": Sigmoid, "linear": Linear}
