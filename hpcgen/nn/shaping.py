"""Layers that only move numbers."""

import numpy as np

from hpcgen.nn.layer import TRAIN, Layer


class Reshape(Layer):
    """Each sample in another shape, in the same order; Reshape((size,)) flattens (n, height, width, channels) in that order.

    PyTorch flattens (channels, height, width): a Dense layer's rows then stand in another order there.
    """

    def __init__(self, shape):
        self.shape = tuple(shape)

    def forward(self, theta, x, train=TRAIN):
        def backward(dy, grad=None, need_dx=True):
            return dy.reshape(x.shape) if need_dx else None

        return x.reshape(len(x), *self.shape), backward


class Upsample(Layer):
    """Nearest neighbour: each place of x (n, *sizes, channels) becomes `factor` places on each axis.

    PyTorch's Upsample(scale_factor, mode="nearest").
    """

    def __init__(self, factor):
        self.factor = tuple(factor)

    def forward(self, theta, x, train=TRAIN):
        n, *sizes, channels = x.shape
        ones = tuple(part for size in sizes for part in (size, 1))
        repeated = tuple(part for pair in zip(sizes, self.factor) for part in pair)
        y = np.empty_like(x, shape=(n, *repeated, channels))
        y[...] = x.reshape(n, *ones, channels)

        def backward(dy, grad=None, need_dx=True):
            if not need_dx:
                return None
            return dy.reshape(y.shape).sum(axis=tuple(range(2, 2 + 2 * len(sizes), 2)))

        return y.reshape(n, *(size * factor for size, factor in zip(sizes, self.factor)), channels), backward
