"""The base class of placed layers, and layers that do not depend on the kind of the original layer.

If a layer works on cells, x, y and their derivatives are `Divided`. Otherwise they are arrays. A gradient is
`Leaves`, or None.
"""

from typing import Any

import numpy as np

from hpcgen.arrays import Shape
from hpcgen.nn.buffers import Buffer
from hpcgen.nn.divided import Divided, Leaves
from hpcgen.nn.layer import TRAIN, Backward, Layer, Parameters, TangentBackward, Train
from hpcgen.nn.vector import Vector
from hpcgen.parallel.operators.gather import Gather, GatherChannels


class Placed(Layer):
    """A layer of a placed network. Its parameters and buffers are those of the original, `layer`."""

    def __init__(self, layer: Layer) -> None:
        self.layer, self.draws = layer, layer.draws

    def parameters(self) -> dict[str, Shape]:
        return self.layer.parameters()

    def buffers(self) -> dict[str, Buffer]:
        return self.layer.buffers()

    def initialize(self, theta: Vector, random: np.random.Generator) -> None:
        self.layer.initialize(theta, random)

    @property
    def without_tangent(self) -> list[str]:
        return self.layer.without_tangent


class Replicated(Placed):
    """A layer on whole samples. All ranks of the team compute the same.

    Only the rank with the first cell writes the derivatives, so they count once. x and y: the same on all
    ranks.
    """

    def forward(self, theta: Parameters, x: Any, train: Train | None = TRAIN) -> tuple[Any, Backward]:
        y, layer_backward = self.layer.forward(theta, x, train)

        def backward(dy: Any, grad: Any = None, need_dx: bool = True) -> Any:
            return layer_backward(dy, None if grad is None else grad.whole, need_dx)

        return y, backward

    def tangent(
        self, theta: Parameters, x: Any, t: Any, train: Train | None = TRAIN
    ) -> tuple[Any, Any, TangentBackward]:
        y, ty, layer_backward = self.layer.tangent(theta, x, t, train)

        def backward(dy: Any, dty: Any, grad: Any = None, need_dx: bool = True) -> tuple[Any, Any]:
            return layer_backward(dy, dty, None if grad is None else grad.whole, need_dx)

        return y, ty, backward


class Cellwise(Placed):
    """A layer that acts on each place separately. `layers` has one layer for each cell of this rank.

    x and y: distributed.
    """

    def __init__(self, layer: Layer, layers: list[Layer]) -> None:
        super().__init__(layer)
        self._layers = layers

    def forward(self, theta: Parameters, x: Any, train: Train | None = TRAIN) -> tuple[Any, Backward]:
        pairs = x.team.each(lambda layer, cell: layer.forward(theta, cell, train), self._layers, x.cells)
        ys, backwards = zip(*pairs, strict=True)

        def backward(dy: Any, grad: Any = None, need_dx: bool = True) -> Any:
            dxs = x.team.each(
                lambda back, cell, leaf: back(cell, leaf, need_dx), backwards, dy.cells, leaves_of(grad, x)
            )
            return Divided(dxs, x.team) if need_dx else None

        return Divided(ys, x.team), backward

    def tangent(
        self, theta: Parameters, x: Any, t: Any, train: Train | None = TRAIN
    ) -> tuple[Any, Any, TangentBackward]:
        made = x.team.each(
            lambda layer, cell, tangent: layer.tangent(theta, cell, tangent, train),
            self._layers,
            x.cells,
            t.cells,
        )
        ys, tys, backwards = zip(*made, strict=True)

        def backward(dy: Any, dty: Any, grad: Any = None, need_dx: bool = True) -> tuple[Any, Any]:
            dys = [None] * len(x.cells) if dy is None else dy.cells
            pairs = x.team.each(
                lambda back, dy, dty, leaf: back(dy, dty, leaf, need_dx),
                backwards,
                dys,
                dty.cells,
                leaves_of(grad, x),
            )
            if not need_dx:
                return None, None
            dxs, dts = zip(*pairs, strict=True)
            return None if dxs[0] is None else Divided(dxs, x.team), Divided(dts, x.team)

        return Divided(ys, x.team), Divided(tys, x.team), backward


def leaves_of(grad: Leaves | None, x: Divided) -> list[Any]:
    """Return the Vector for the derivatives of each cell of this rank, or None for each cell."""
    return [None] * len(x.cells) if grad is None else grad.leaves


class Gathering(Layer):
    """Gather as a layer, from divided samples to whole ones. x: distributed; y: the same on all ranks."""

    def __init__(self, gather: Gather | GatherChannels) -> None:
        self._gather = gather

    def forward(self, theta: Parameters, x: Any, train: Train | None = TRAIN) -> tuple[Any, Backward]:
        def backward(dy: Any, grad: Any = None, need_dx: bool = True) -> Any:
            return self._gather.parts(dy) if need_dx else None

        return self._gather.whole(x), backward

    def tangent(
        self, theta: Parameters, x: Any, t: Any, train: Train | None = TRAIN
    ) -> tuple[Any, Any, TangentBackward]:
        def backward(dy: Any, dty: Any, grad: Any = None, need_dx: bool = True) -> tuple[Any, Any]:
            if not need_dx:
                return None, None
            return None if dy is None else self._gather.parts(dy), self._gather.parts(dty)

        return self._gather.whole(x), self._gather.whole(t), backward


class Scattering(Layer):
    """The adjoint of Gather as a layer, from whole samples to divided ones.

    x: the same on all ranks; y: distributed.
    """

    def __init__(self, gather: Gather) -> None:
        self._gather = gather

    def forward(self, theta: Parameters, x: Any, train: Train | None = TRAIN) -> tuple[Any, Backward]:
        def backward(dy: Any, grad: Any = None, need_dx: bool = True) -> Any:
            return self._gather.whole(dy) if need_dx else None

        return self._gather.parts(x), backward

    def tangent(
        self, theta: Parameters, x: Any, t: Any, train: Train | None = TRAIN
    ) -> tuple[Any, Any, TangentBackward]:
        def backward(dy: Any, dty: Any, grad: Any = None, need_dx: bool = True) -> tuple[Any, Any]:
            if not need_dx:
                return None, None
            return None if dy is None else self._gather.whole(dy), self._gather.whole(dty)

        return self._gather.parts(x), self._gather.parts(t), backward
