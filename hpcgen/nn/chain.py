"""Layers in sequence."""

from collections.abc import Iterable

import numpy as np

from hpcgen.arrays import Array, Shape
from hpcgen.nn.buffers import Buffer
from hpcgen.nn.layer import TRAIN, Backward, Layer, Parameters, TangentBackward, Train
from hpcgen.nn.vector import Vector


class Chain(Layer):
    """A layer that runs layers one after the other; its backward runs their closures in reverse.

    `shapes`, if given, has the shape of a sample before the first layer and after each layer.
    """

    def __init__(self, layers: Iterable[Layer], shapes: Iterable[Shape] = ()) -> None:
        self.layers, self.shapes = list(layers), list(shapes)
        self.draws = any(layer.draws for layer in self.layers)
        # Layers before the first one with parameters need no derivative, unless dx is needed.
        self._first = next((i for i, layer in enumerate(self.layers) if layer.parameters()), len(self.layers))

    def parameters(self) -> dict[str, Shape]:
        return {name: shape for layer in self.layers for name, shape in layer.parameters().items()}

    def buffers(self) -> dict[str, Buffer]:
        return {name: shape for layer in self.layers for name, shape in layer.buffers().items()}

    def initialize(self, theta: Vector, random: np.random.Generator) -> None:
        for layer in self.layers:
            layer.initialize(theta, random)

    def forward(self, theta: Parameters, x: Array, train: Train | None = TRAIN) -> tuple[Array, Backward]:
        backwards = []
        for layer in self.layers:
            x, layer_backward = layer.forward(theta, x, train)
            backwards.append(layer_backward)

        def backward(dy: Array, grad: Vector | None = None, need_dx: bool = True) -> Array | None:
            for i in reversed(range(0 if need_dx else self._first, len(backwards))):
                # Pop the closure: this frees the arrays that it holds as soon as they are used.
                dy = backwards.pop()(dy, grad, need_dx or i > self._first)
            return dy if need_dx else None

        return x, backward

    def tangent(
        self, theta: Parameters, x: Array, t: Array, train: Train | None = TRAIN
    ) -> tuple[Array, Array, TangentBackward]:
        backwards = []
        for layer in self.layers:
            x, t, layer_backward = layer.tangent(theta, x, t, train)
            backwards.append(layer_backward)

        def backward(
            dy: Array | None, dty: Array, grad: Vector | None = None, need_dx: bool = True
        ) -> tuple[Array | None, Array | None]:
            for i in reversed(range(0 if need_dx else self._first, len(backwards))):
                dy, dty = backwards.pop()(dy, dty, grad, need_dx or i > self._first)
            return (dy, dty) if need_dx else (None, None)

        return x, t, backward

    @property
    def without_tangent(self) -> list[str]:
        return sorted({name for layer in self.layers for name in layer.without_tangent})
