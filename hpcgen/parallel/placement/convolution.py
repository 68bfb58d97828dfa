"""Convolutions on cells.

A convolution needs the inputs of a region around each cell: Halo, then the layer without padding. Its
adjoint, the transposed convolution, makes the outputs of such a region from the inputs of each cell, and
neighbours add up where regions overlap: the layer without padding, then the adjoint of Halo. Nothing is
computed twice.
Along axes that are not divided the layer keeps its padding.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hpcgen.arrays import Shape
from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.convolution.samples import Whole
from hpcgen.nn.divided import Divided
from hpcgen.nn.kernels import contiguous
from hpcgen.nn.layer import TRAIN, Backward, Parameters, TangentBackward, Train
from hpcgen.nn.layers.convolution import Conv, Convolution
from hpcgen.parallel.operators.halo import Halo, Region
from hpcgen.parallel.placement.layer import Placed
from hpcgen.parallel.team import Team


class _Cells:
    """The cells themselves, read and written like the regions of a Halo."""

    def __init__(self, team: Team, sizes: Shape) -> None:
        self.team, self.sizes = team, [team.grid.sizes(cell, sizes) for cell in team.mine]

    def gather(self, x: Divided) -> list[Whole]:
        return [Whole(cell) for cell in x.cells]

    def spread(self, n: int, rest: Shape, dtype: Any) -> list[Whole]:
        return [Whole(np.empty((n, *sizes, *rest), dtype)) for sizes in self.sizes]

    def add(self, spreads: Sequence[Whole]) -> Divided:
        return self.team.divided([spread.array for spread in spreads])


class PlacedConvolution(Placed):
    """A convolution, or a transposed one, between activations whose places have these sizes.

    x and y: distributed.
    """

    layer: Convolution

    def __init__(self, layer: Convolution, team: Team, sizes: Shape, made: Shape) -> None:
        super().__init__(layer)
        self.weight, self.axis = layer.weight, layer.axis
        parts = (*team.grid.shape, *[1] * (len(sizes) - len(team.grid.shape)))
        cut = [count > 1 for count in parts]
        self._core = layer.without_padding(cut)
        self._team = team
        windows, places = (made, sizes) if isinstance(layer, Conv) else (sizes, made)
        regions = [
            _region(layer.geometry, team.grid.whole_region(cell, windows), places, cut)
            for cell in range(len(team.grid))
        ]
        halo, cells = Halo(team, places, regions), _Cells(team, windows)
        self._x: Any
        self._y: Any
        self._x, self._y = (halo, cells) if isinstance(layer, Conv) else (cells, halo)
        self._sizes = halo.shapes if isinstance(layer, Conv) else cells.sizes

    def forward(self, theta: Parameters, x: Any, train: Train | None = TRAIN) -> tuple[Any, Backward]:
        core = self._core
        y, multiplied = self._multiply(theta, x)
        for cell in y.cells:
            core.finish(cell, theta)

        def backward(dy: Any, grad: Any = None, need_dx: bool = True) -> Any:
            dy = dy.map(contiguous)
            for i, cell in enumerate(dy.cells):
                core.begin(cell, y.cells[i], None if grad is None else grad.leaves[i])
            return multiplied(dy, grad, need_dx)

        return y, backward

    def _multiply(self, theta: Parameters, x: Divided) -> tuple[Divided, Callable[[Divided, Any, bool], Any]]:
        """Return W x without bias and activation, and its backward."""
        core, n = self._core, len(x)
        xs, ys = self._x.gather(x), self._y.spread(n, (core.leads_to,), x.dtype)
        weights = core.weights(theta)
        for cell, sizes in enumerate(self._sizes):
            core.multiply(weights, n, sizes, xs[cell], ys[cell])
            xs[cell].release()
        y = self._y.add(ys)
        rest = x.cells[0].shape[-1:]

        def backward(dy: Divided, grad: Any, need_dx: bool) -> Any:
            dys, weights = self._y.gather(dy), core.weights(theta)
            dxs = self._x.spread(n, rest, dy.dtype) if need_dx else [None] * len(dys)
            for cell, sizes in enumerate(self._sizes):
                dw = None if grad is None else grad.leaves[cell][self.weight]
                core.multiply_adjoint(weights, n, sizes, xs[cell], dys[cell], dxs[cell], dw)
                xs[cell].release()
            return self._x.add(dxs) if need_dx else None

        return y, backward

    def tangent(
        self, theta: Parameters, x: Any, t: Any, train: Train | None = TRAIN
    ) -> tuple[Any, Any, TangentBackward]:
        """As `hpcgen.nn.layers.affine.Affine`: ty = f' W t."""
        core = self._core
        (y, y_backward), (ty, multiplied) = self.forward(theta, x), self._multiply(theta, t)
        self._rectify(ty, y)

        def backward(dy: Any, dty: Any, grad: Any = None, need_dx: bool = True) -> tuple[Any, Any]:
            dty = dty.map(contiguous)
            self._rectify(dty, y)
            dt = multiplied(dty, grad, need_dx)
            if dy is None:
                for leaf in grad.leaves if grad is not None and core.bias else ():
                    leaf[core.bias][...] = 0
                return None, dt
            of_t = [leaf[self.weight].copy() for leaf in grad.leaves] if grad is not None else []
            dx = y_backward(dy, grad, need_dx)
            for leaf, derivative in zip(grad.leaves if grad is not None else (), of_t, strict=True):
                leaf[self.weight][...] += derivative
            return dx, dt

        return y, ty, backward

    def _rectify(self, d: Divided, y: Divided) -> None:
        for cell, reached in zip(d.cells, y.cells, strict=True):
            self._core.rectify_gradient(cell, reached)


def _region(geometry: Geometry, windows: tuple[slice, ...], places: Shape, cut: list[bool]) -> Region:
    """Return the places that the windows [b, e) of a cell cover: from b s - p to (e - 1) s - p + k."""
    axes = zip(geometry.kernel, geometry.stride, geometry.padding, windows, places, cut, strict=True)
    return tuple(
        (part.start * s - p, (part.stop - 1) * s - p + k) if divided else (0, size)
        for k, s, p, part, size, divided in axes
    )
