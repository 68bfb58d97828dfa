"""Convolutions on cells.

A convolution reads a region around each cell: Halo gathers the region, then the layer runs without padding.
The transposed convolution is its adjoint. It writes such a region for each cell: the layer runs without
padding, then the adjoint of Halo adds the regions where they overlap. No product is computed twice.

Along axes that are not divided, the layer keeps its padding.
"""

from collections.abc import Callable, Sequence
from typing import Any

from hpcgen.arrays import Shape, empty
from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.convolution.samples import Samples, Whole
from hpcgen.nn.divided import Divided
from hpcgen.nn.kernels import contiguous
from hpcgen.nn.layer import TRAIN, Backward, Parameters, TangentBackward, Train
from hpcgen.nn.layers.convolution import Conv, Convolution
from hpcgen.parallel.operators.halo import Halo, Region
from hpcgen.parallel.placement.layer import Placed, leaves_of
from hpcgen.parallel.team import Team


class _Cells:
    """This rank's cells, with the interface of a Halo: each region is the cell itself."""

    def __init__(self, team: Team, sizes: Shape) -> None:
        self.team, self.sizes = team, [team.grid.sizes(cell, sizes) for cell in team.mine]

    def gather(self, x: Divided) -> list[Whole]:
        return [Whole(cell) for cell in x.cells]

    def spread(self, n: int, rest: Shape, dtype: Any) -> list[Whole]:
        return [Whole(empty((n, *sizes, *rest), dtype)) for sizes in self.sizes]

    def add(self, spreads: Sequence[Whole]) -> Divided:
        return self.team.divided([spread.array for spread in spreads])


class Multiplying(Placed):
    """A convolution whose products are divided among the cells. A subclass implements `multiply`.

    `cores` has a convolution for each cell of this rank, which computes the cell's part of y.
    """

    layer: Convolution
    cores: list[Convolution]

    def __init__(self, layer: Convolution, team: Team) -> None:
        super().__init__(layer)
        self.weight, self.axis, self.team = layer.weight, layer.axis, team

    def multiply(self, theta: Parameters, x: Any) -> tuple[Divided, Callable[[Divided, Any, bool], Any]]:
        """Return W x without bias and activation, and its backward(dy, grad, need_dx)."""
        raise AssertionError(f"{type(self).__name__} has no product")

    def forward(self, theta: Parameters, x: Any, train: Train | None = TRAIN) -> tuple[Any, Backward]:
        y, multiplied = self.multiply(theta, x)
        self.team.each(lambda core, part: part.size and core.finish(part, theta), self.cores, y.cells)
        # Only an activation needs y again.
        reached = y if self.layer.slope != 1 else None

        def backward(dy: Any, grad: Any = None, need_dx: bool = True) -> Any:
            dy = dy.map(contiguous)
            ys = dy if reached is None else reached
            if self.layer.bias and grad is not None and grad.whole is not None:
                # Each cell of a `SharedConvolution` writes only a part of it.
                grad.whole[self.layer.bias][...] = 0
            self.team.each(
                lambda core, part, *others: part.size and core.begin(part, *others),
                self.cores,
                dy.cells,
                ys.cells,
                leaves_of(grad, dy),
            )
            return multiplied(dy, grad, need_dx)

        return y, backward

    def tangent(
        self, theta: Parameters, x: Any, t: Any, train: Train | None = TRAIN
    ) -> tuple[Any, Any, TangentBackward]:
        """Return y, ty = f' W t, and the backward, as `hpcgen.nn.layers.affine.Affine` does."""
        (y, y_backward), (ty, multiplied) = self.forward(theta, x), self.multiply(theta, t)
        self._rectify(ty, y)

        def backward(dy: Any, dty: Any, grad: Any = None, need_dx: bool = True) -> tuple[Any, Any]:
            dty = dty.map(contiguous)
            self._rectify(dty, y)
            dt = multiplied(dty, grad, need_dx)
            leaves = grad.leaves if grad is not None else []
            if dy is None:
                for leaf in leaves if self.layer.bias else ():
                    leaf[self.layer.bias][...] = 0
                return None, dt
            # Both closures write their derivative with respect to W. The result is the sum.
            of_t = [leaf[self.weight].copy() for leaf in leaves]
            dx = y_backward(dy, grad, need_dx)
            for leaf, derivative in zip(leaves, of_t, strict=True):
                leaf[self.weight][...] += derivative
            return dx, dt

        return y, ty, backward

    def _rectify(self, d: Divided, y: Divided) -> None:
        self.team.each(self.layer.rectify_gradient, d.cells, y.cells)


class PlacedConvolution(Multiplying):
    """A convolution or transposed convolution on cells of places.

    x has places of `sizes`, y has places of `made`. x and y: distributed.
    """

    def __init__(self, layer: Convolution, team: Team, sizes: Shape, made: Shape) -> None:
        super().__init__(layer, team)
        parts = (*team.grid.shape, *[1] * (len(sizes) - len(team.grid.shape)))
        cut = [count > 1 for count in parts]
        core = layer.without_padding(cut)
        self.cores = [core] * len(team.mine)
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

    def multiply(self, theta: Parameters, x: Any) -> tuple[Divided, Callable[[Divided, Any, bool], Any]]:
        core, n = self.cores[0], len(x)
        xs, ys = self._x.gather(x), self._y.spread(n, (core.leads_to,), x.dtype)
        weights = core.weights(theta)

        def multiply(sizes: Shape, x: Samples, y: Samples) -> None:
            core.multiply(weights, n, sizes, x, y)
            x.release()

        self.team.each(multiply, self._sizes, xs, ys)
        y = self._y.add(ys)

        def backward(dy: Any, grad: Any, need_dx: bool) -> Any:
            dys, weights = self._y.gather(dy), core.weights(theta)
            dxs = self._x.spread(n, (core.comes_from,), dy.dtype) if need_dx else [None] * len(dys)

            def multiply_adjoint(sizes: Shape, x: Samples, dy: Samples, dx: Samples, leaf: Any) -> None:
                dw = None if leaf is None else leaf[self.weight]
                core.multiply_adjoint(weights, n, sizes, x, dy, dx, dw)
                x.release()

            self.team.each(multiply_adjoint, self._sizes, xs, dys, dxs, leaves_of(grad, dy))
            return self._x.add(dxs) if need_dx else None

        return y, backward


def region_of(geometry: Geometry, windows: tuple[slice, ...], places: Shape, cut: list[bool]) -> Region:
    """Return the places that the windows [b, e) of a cell cover: from b s - p to (e - 1) s - p + k.

    k is the kernel, s the stride and p the padding. An axis that is not `cut` is covered as a whole.
    """
    axes = zip(geometry.kernel, geometry.stride, geometry.padding, windows, places, cut, strict=True)
    return tuple(
        (part.start * s - p, (part.stop - 1) * s - p + k) if divided else (0, size)
        for k, s, p, part, size, divided in axes
    )
