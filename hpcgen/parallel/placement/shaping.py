"""Upsampling and dropout on cells."""

from typing import Any

import numpy as np

from hpcgen.arrays import Array, Shape
from hpcgen.nn.divided import Divided
from hpcgen.nn.kernels import contiguous
from hpcgen.nn.layer import TRAIN, Backward, Parameters, TangentBackward, Train
from hpcgen.nn.layers.dropout import Dropout
from hpcgen.nn.layers.shaping import Upsample
from hpcgen.parallel.operators.halo import Halo, Slices, Spread
from hpcgen.parallel.placement.layer import Placed
from hpcgen.parallel.team import Team


class PlacedUpsample(Placed):
    """Nearest-neighbour upsampling from places of `sizes` to places of `made`. x and y: distributed.

    A cell of y repeats the places of a region of x. Repeats outside the cell are cut off.
    """

    layer: Upsample

    def __init__(self, layer: Upsample, team: Team, sizes: Shape, made: Shape) -> None:
        super().__init__(layer)
        cells = [team.grid.whole_region(cell, made) for cell in range(len(team.grid))]
        regions = [
            tuple((part.start // f, -(-part.stop // f)) for part, f in zip(cell, layer.factor, strict=True))
            for cell in cells
        ]
        self._halo = Halo(team, sizes, regions)
        # The position of each cell in its upsampled region.
        self._inside = [
            tuple(
                slice(part.start - start * f, part.stop - start * f)
                for part, (start, _), f in zip(cells[cell], regions[cell], layer.factor, strict=True)
            )
            for cell in team.mine
        ]

    def forward(self, theta: Parameters, x: Any, train: Train | None = TRAIN) -> tuple[Any, Backward]:
        n, rest = len(x), x.cells[0].shape[-1:]
        everything = slice(0, n)
        made = x.team.each(
            lambda region: self.layer.forward(theta, region.read(everything), train), self._halo.gather(x)
        )
        ys = [
            contiguous(y[(slice(None), *inside)]) for (y, _), inside in zip(made, self._inside, strict=True)
        ]
        shapes, backwards = [y.shape for y, _ in made], [back for _, back in made]

        def backward(dy: Any, grad: Any = None, need_dx: bool = True) -> Any:
            if not need_dx:
                return None
            spreads = self._halo.spread(n, rest, dy.dtype)

            def back(spread: Spread, cell: Array, shape: Shape, inside: Slices, backward: Backward) -> None:
                whole = np.zeros_like(cell, shape=shape, order="C")
                whole[(slice(None), *inside)] = cell
                spread.open(everything)[...] = backward(whole)
                spread.close(everything)

            x.team.each(back, spreads, dy.cells, shapes, self._inside, backwards)
            return self._halo.add(spreads)

        return Divided(ys, x.team), backward

    def tangent(
        self, theta: Parameters, x: Any, t: Any, train: Train | None = TRAIN
    ) -> tuple[Any, Any, TangentBackward]:
        (y, y_backward), (ty, ty_backward) = self.forward(theta, x, train), self.forward(theta, t, train)

        def backward(dy: Any, dty: Any, grad: Any = None, need_dx: bool = True) -> tuple[Any, Any]:
            return None if dy is None else y_backward(dy, grad, need_dx), ty_backward(dty, grad, need_dx)

        return y, ty, backward


class PlacedDropout(Dropout):
    """Dropout on cells. The mask is drawn for all cells of the lane, and each rank keeps its own part.

    x and y: distributed.
    """

    def __init__(self, layer: Dropout, team: Team, shape: Shape) -> None:
        super().__init__(layer.rate)
        self._team, self._shape = team, shape
        self._regions = [team.grid.region(cell, shape[: len(team.grid.shape)]) for cell in team.mine]

    def factors(self, x: Any, random: np.random.Generator) -> Any:
        kept = [np.empty_like(cell, bool, order="C") for cell in x.cells]
        # Draw one plane at a time, so that a rank never holds a mask for the whole activation.
        for sample in range(len(x)):
            for place in range(self._shape[0]):
                plane = self.kept(random, self._shape[1:])
                for (first, *others), cell in zip(self._regions, kept, strict=True):
                    if first.start <= place < first.stop:
                        cell[sample, place - first.start] = plane[tuple(others)]
        scale = x.dtype.type(1 / (1 - self.rate))
        return self._team.divided([np.multiply(cell, scale) for cell in kept])
