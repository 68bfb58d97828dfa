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

from hpcgen.arrays import Array, Shape, empty
from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.convolution.samples import Kept, Samples, Whole
from hpcgen.nn.divided import Divided, each
from hpcgen.nn.kernels import contiguous
from hpcgen.nn.layer import TRAIN, Backward, Parameters, TangentBackward, Train
from hpcgen.nn.layers.convolution import Conv, Convolution
from hpcgen.parallel.operators.gather import GatherChannels
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
        return [Whole(empty((n, *sizes, *rest), dtype)) for sizes in self.sizes]

    def add(self, spreads: Sequence[Whole]) -> Divided:
        return self.team.divided([spread.array for spread in spreads])


class _Multiplying(Placed):
    """A convolution whose products the cells share. A subclass says how, in `_multiply`."""

    layer: Convolution

    def __init__(self, layer: Convolution, team: Team) -> None:
        super().__init__(layer)
        self.weight, self.axis, self._team = layer.weight, layer.axis, team

    def _multiply(self, theta: Parameters, x: Any) -> tuple[Any, Callable[[Any, Any, bool], Any]]:
        """Return W x without bias and activation, and its backward(dy, grad, need_dx)."""
        raise AssertionError(f"{type(self).__name__} has no product")

    def forward(self, theta: Parameters, x: Any, train: Train | None = TRAIN) -> tuple[Any, Backward]:
        y, multiplied = self._multiply(theta, x)
        self._team.each(lambda part: self.layer.finish(part, theta), _parts(y))

        def backward(dy: Any, grad: Any = None, need_dx: bool = True) -> Any:
            dy = each(contiguous, dy)
            self._team.each(self.layer.begin, _parts(dy), _parts(y), _leaves(grad, y))
            return multiplied(dy, grad, need_dx)

        return y, backward

    def tangent(
        self, theta: Parameters, x: Any, t: Any, train: Train | None = TRAIN
    ) -> tuple[Any, Any, TangentBackward]:
        """As `hpcgen.nn.layers.affine.Affine`: ty = f' W t."""
        (y, y_backward), (ty, multiplied) = self.forward(theta, x), self._multiply(theta, t)
        self._rectify(ty, y)

        def backward(dy: Any, dty: Any, grad: Any = None, need_dx: bool = True) -> tuple[Any, Any]:
            dty = each(contiguous, dty)
            self._rectify(dty, y)
            dt = multiplied(dty, grad, need_dx)
            if dy is None:
                for leaf in _leaves(grad, y) if self.layer.bias else ():
                    if leaf is not None:
                        leaf[self.layer.bias][...] = 0
                return None, dt
            # Both backwards write the derivative in W. Their sum is needed.
            of_t = [leaf[self.weight].copy() for leaf in grad.leaves] if grad is not None else []
            dx = y_backward(dy, grad, need_dx)
            for leaf, derivative in zip(grad.leaves if grad is not None else (), of_t, strict=True):
                leaf[self.weight][...] += derivative
            return dx, dt

        return y, ty, backward

    def _rectify(self, d: Any, y: Any) -> None:
        self._team.each(self.layer.rectify_gradient, _parts(d), _parts(y))


def _parts(y: Any) -> list[Array]:
    """Return the cells of divided samples, or the one array of whole samples."""
    return y.cells if isinstance(y, Divided) else [y]


def _leaves(grad: Any, y: Any) -> list[Any]:
    """Return what takes the derivatives of each of these parts: those of whole samples count once."""
    if grad is None:
        return [None] * len(_parts(y))
    return grad.leaves if isinstance(y, Divided) else [grad.whole]


class PlacedConvolution(_Multiplying):
    """A convolution, or a transposed one, between activations whose places have these sizes.

    x and y: distributed.
    """

    def __init__(self, layer: Convolution, team: Team, sizes: Shape, made: Shape) -> None:
        super().__init__(layer, team)
        parts = (*team.grid.shape, *[1] * (len(sizes) - len(team.grid.shape)))
        cut = [count > 1 for count in parts]
        self._core = layer.without_padding(cut)
        windows, places = (made, sizes) if isinstance(layer, Conv) else (sizes, made)
        regions = [
            region_of(layer.geometry, team.grid.whole_region(cell, windows), places, cut)
            for cell in range(len(team.grid))
        ]
        halo, cells = Halo(team, places, regions), _Cells(team, windows)
        self._x: Any
        self._y: Any
        self._x, self._y = (halo, cells) if isinstance(layer, Conv) else (cells, halo)
        self._sizes = halo.shapes if isinstance(layer, Conv) else cells.sizes

    def _multiply(self, theta: Parameters, x: Any) -> tuple[Any, Callable[[Any, Any, bool], Any]]:
        core, n = self._core, len(x)
        xs, ys = self._x.gather(x), self._y.spread(n, (core.leads_to,), x.dtype)
        weights = core.weights(theta)

        def multiply(sizes: Shape, x: Samples, y: Samples) -> None:
            core.multiply(weights, n, sizes, x, y)
            x.release()

        self._team.each(multiply, self._sizes, xs, ys)
        y = self._y.add(ys)

        def backward(dy: Any, grad: Any, need_dx: bool) -> Any:
            dys, weights = self._y.gather(dy), core.weights(theta)
            dxs = self._x.spread(n, (core.comes_from,), dy.dtype) if need_dx else [None] * len(dys)

            def multiply_adjoint(sizes: Shape, x: Samples, dy: Samples, dx: Samples, leaf: Any) -> None:
                dw = None if leaf is None else leaf[self.weight]
                core.multiply_adjoint(weights, n, sizes, x, dy, dx, dw)
                x.release()

            self._team.each(multiply_adjoint, self._sizes, xs, dys, dxs, _leaves(grad, dy))
            return self._x.add(dxs) if need_dx else None

        return y, backward


class SharedConvolution(_Multiplying):
    """A convolution, or a transposed one, of whole samples with few places, whose channels the cells share.

    Each cell makes some channels of y, with the weights that lead to them, and in the derivative some
    channels of x (channel and filter parallelism, Dryden et al. 2019, doi:10.1145/3295500.3356207). x and y:
    the same on all ranks.
    """

    def __init__(self, layer: Convolution, team: Team) -> None:
        super().__init__(layer, team)
        self._gather_y, self._gather_x = (
            GatherChannels(team, count) for count in (layer.leads_to, layer.comes_from)
        )
        self._of_y, self._of_x = (
            [layer.with_channels(part, of_y) for part in gather.mine]
            for gather, of_y in ((self._gather_y, True), (self._gather_x, False))
        )

    def _multiply(self, theta: Parameters, x: Any) -> tuple[Any, Callable[[Any, Any, bool], Any]]:
        x = contiguous(x)
        n, sizes = len(x), x.shape[1:-1]
        kept = Kept(x)
        made = [np.empty_like(x, shape=(n, *core.sizes(sizes), core.leads_to)) for core in self._of_y]

        def multiply(core: Convolution, y: Array) -> None:
            if y.size:
                core.multiply(core.weights(theta), n, sizes, kept, Whole(y))

        self._team.each(multiply, self._of_y, made)

        def backward(dy: Any, grad: Any, need_dx: bool) -> Any:
            if grad is not None:
                self._write(theta, Kept(x), dy, grad)
            return self._pull(theta, x.shape, dy) if need_dx else None

        return self._gather_y.whole(made), backward

    def _write(self, theta: Parameters, x: Kept, dy: Array, grad: Any) -> None:
        """Write to each cell's Vector the derivative in the weights that lead to its channels of y."""
        if grad.whole is not None:
            grad.whole[self.weight][...] = 0
        sizes = x.array.shape[1:-1]

        def write(core: Convolution, part: Array, leaf: Any) -> None:
            if part.size:
                dw = np.empty_like(dy, shape=leaf[self.weight][core.part].shape)
                core.multiply_adjoint(core.weights(theta), len(dy), sizes, x, Whole(part), dw=dw)
                leaf[self.weight][core.part] = dw

        self._team.each(write, self._of_y, self._gather_y.parts(dy), grad.leaves)

    def _pull(self, theta: Parameters, shape: Shape, dy: Array) -> Array:
        """Return dx."""
        n, *sizes, _ = shape
        kept = Kept(dy)
        made = [np.empty_like(dy, shape=(n, *sizes, core.comes_from)) for core in self._of_x]

        def pull(core: Convolution, dx: Array) -> None:
            if dx.size:
                core.multiply_adjoint(core.weights(theta), n, tuple(sizes), None, kept, Whole(dx))

        self._team.each(pull, self._of_x, made)
        return self._gather_x.whole(made)


def region_of(geometry: Geometry, windows: tuple[slice, ...], places: Shape, cut: list[bool]) -> Region:
    """Return the places that the windows [b, e) of a cell cover: from b s - p to (e - 1) s - p + k."""
    axes = zip(geometry.kernel, geometry.stride, geometry.padding, windows, places, cut, strict=True)
    return tuple(
        (part.start * s - p, (part.stop - 1) * s - p + k) if divided else (0, size)
        for k, s, p, part, size, divided in axes
    )
