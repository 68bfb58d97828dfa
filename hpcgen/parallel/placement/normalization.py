"""Batch norm and layer norm on cells. Sums over places include the cells of all ranks of the team."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from hpcgen.arrays import Array, Shape
from hpcgen.nn.divided import Divided, total
from hpcgen.nn.kernels import contiguous
from hpcgen.nn.layer import TRAIN, Backward, Parameters, Train
from hpcgen.nn.layers.normalization import BatchNorm, LayerNorm
from hpcgen.parallel.team import Team


class PlacedBatchNorm(BatchNorm):
    """Batch norm over the samples and all places of a lane. x and y: distributed."""

    def __init__(self, layer: BatchNorm, team: Team, sizes: Shape) -> None:
        self.__dict__.update(layer.__dict__)
        self._team, self._places = team, prod(sizes)
        self._here = sum(prod(team.grid.sizes(cell, sizes)) for cell in team.mine)

    def forward(self, theta: Parameters, x: Any, train: Train | None = TRAIN) -> tuple[Any, Backward]:
        x = x.map(contiguous)
        if train is None:
            return x.map(lambda cell: self._infer(theta, cell)[0]), _refused
        ys, cells_backward = self.normalize(theta, x.cells, len(x), train.parts)

        def backward(dy: Any, grad: Any = None, need_dx: bool = True) -> Any:
            dxs = cells_backward(dy.map(contiguous).cells, grad, need_dx)
            return Divided(dxs, x.team) if need_dx else None

        return Divided(ys, x.team), backward

    def each(self, function: Callable[..., Any], *cells: Sequence[Array]) -> list[Any]:
        return self._team.each(function, *cells)

    def total(self, parts: Sequence[Array]) -> Array:
        return self._team.total(parts)

    def count(self, xs: Sequence[Array]) -> int:
        return sum(map(len, xs)) // self._here * self._places


def _refused(dy: Any, grad: Any = None, need_dx: bool = True) -> Any:
    raise AssertionError("inference on cells has no derivative")


class PlacedLayerNorm(LayerNorm):
    """Layer norm of each sample over all of its places. x and y: distributed."""

    def __init__(self, layer: LayerNorm, team: Team) -> None:
        self.__dict__.update(layer.__dict__)
        self._team, self._numbers = team, prod(layer.shape)
        sizes = layer.shape[: len(team.grid.shape)]
        self._regions = [team.grid.region(cell, sizes) for cell in team.mine]

    def _own(self, parameter: Array) -> Any:
        return self._team.divided([parameter[region] for region in self._regions])

    def _mean(self, a: Any) -> Array:
        axes = tuple(range(-len(self.shape), 0))
        return total(lambda cell: cell.sum(axes, keepdims=True), a) / self._numbers

    def _write(self, grad: Any, dy: Any, normal: Any, dty: Any = None, tn: Any = None) -> None:
        if grad is None:
            return
        products = dy * normal
        if dty is not None:
            tangents = dty * tn
        for i, (leaf, region) in enumerate(zip(grad.leaves, self._regions, strict=True)):
            for name, cell in ((self.beta, dy.cells[i]), (self.gamma, products.cells[i])):
                leaf[name][...] = 0
                leaf[name][region] = cell.sum(0)
            if dty is not None:
                leaf[self.gamma][region] += tangents.cells[i].sum(0)
