"""Layers with few places, whose channels are divided among the cells.

This is channel and filter parallelism (Dryden et al. 2019, doi:10.1145/3295500.3356207). Each cell has all
places of some channels. The products of a convolution need all channels of x. They are gathered for the
products, forward and backward, and a rank keeps only the channels of its cells.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from hpcgen.arrays import Array, Shape
from hpcgen.nn.convolution.samples import Kept, Whole
from hpcgen.nn.divided import Divided, Leaves
from hpcgen.nn.kernels import contiguous
from hpcgen.nn.layer import TRAIN, Backward, Parameters, Train
from hpcgen.nn.layers.convolution import Convolution
from hpcgen.nn.layers.normalization import BatchNorm
from hpcgen.parallel.operators.gather import Gather, GatherChannels
from hpcgen.parallel.placement.convolution import Multiplying
from hpcgen.parallel.placement.layer import Placed, leaves_of
from hpcgen.parallel.team import Team


class SharedConvolution(Multiplying):
    """A convolution or transposed convolution. Each cell computes some channels of y, and of dx.

    `source` gathers x, or is None if x is whole. y: distributed, divided by channels.
    """

    def __init__(self, layer: Convolution, team: Team, source: Gather | GatherChannels | None) -> None:
        super().__init__(layer, team)
        self._source = source
        self._of_y, self._of_x = (GatherChannels(team, count) for count in (layer.leads_to, layer.comes_from))
        self.cores = [layer.with_channels(part, of_y=True) for part in self._of_y.mine]
        self._adjoints = [layer.with_channels(part, of_y=False) for part in self._of_x.mine]

    def multiply(self, theta: Parameters, x: Any) -> tuple[Divided, Callable[[Divided, Any, bool], Any]]:
        n, kept = len(x), self._whole(x)
        sizes = kept.array.shape[1:-1]

        def multiply(core: Convolution) -> Array:
            y = np.empty_like(kept.array, shape=(n, *core.sizes(sizes), core.leads_to))
            if y.size:
                core.multiply(core.weights(theta), n, sizes, kept, Whole(y))
            return y

        def backward(dy: Any, grad: Any, need_dx: bool) -> Any:
            if grad is not None:
                self._write(theta, self._whole(x), dy, grad)
            return self._pull(theta, sizes, dy) if need_dx else None

        return self.team.divided(self.team.each(multiply, self.cores)), backward

    def _whole(self, x: Any) -> Kept:
        return Kept(contiguous(x if self._source is None else self._source.whole(x)))

    def _write(self, theta: Parameters, x: Kept, dy: Divided, grad: Any) -> None:
        """Write to each cell's Vector the derivative with respect to the weights of its channels of y."""
        if grad.whole is not None:
            # It may hold old numbers. The other leaves are zero where no cell writes.
            grad.whole[self.weight][...] = 0
        sizes = x.array.shape[1:-1]

        def write(core: Convolution, part: Array, leaf: Any) -> None:
            if part.size:
                dw = np.empty_like(part, shape=leaf[self.weight][core.part].shape)
                core.multiply_adjoint(core.weights(theta), len(part), sizes, x, Whole(part), dw=dw)
                leaf[self.weight][core.part] = dw

        self.team.each(write, self.cores, dy.cells, grad.leaves)

    def _pull(self, theta: Parameters, sizes: Shape, dy: Divided) -> Any:
        """Return dx, divided in the same way as x."""
        kept = Kept(self._of_y.whole(dy))

        def pull(core: Convolution) -> Array:
            dx = np.empty_like(kept.array, shape=(len(dy), *sizes, core.comes_from))
            if dx.size:
                core.multiply_adjoint(core.weights(theta), len(dy), sizes, None, kept, Whole(dx))
            return dx

        dx = self.team.divided(self.team.each(pull, self._adjoints))
        if isinstance(self._source, GatherChannels):
            return dx
        whole = self._of_x.whole(dx)
        return whole if self._source is None else self._source.parts(whole)


class _Part:
    """Some channels of a Vector of derivatives, with the interface of a gradient with a single cell."""

    def __init__(self, vector: Any, channels: slice) -> None:
        self._vector, self._channels = vector, channels

    def __getitem__(self, name: str) -> Array:
        return self._vector[name][self._channels]

    @property
    def leaves(self) -> list["_Part"]:
        """The gradients of the cells."""
        return [self]

    @property
    def whole(self) -> "_Part":
        """The gradient that takes derivatives and statistics of the whole lane."""
        return self


class SharedBatchNorm(Placed):
    """Batch norm of samples that are divided by channels. Each cell normalises its own channels.

    x and y: distributed.
    """

    def __init__(self, layer: BatchNorm, team: Team) -> None:
        super().__init__(layer)
        self._channels = GatherChannels(team, layer.channels).mine
        self._layers = [layer.with_channels(part.stop - part.start) for part in self._channels]

    def forward(self, theta: Parameters, x: Any, train: Train | None = TRAIN) -> tuple[Any, Backward]:
        names = [*self.parameters(), *self.buffers()]

        def forward(layer: BatchNorm, channels: slice, cell: Array) -> tuple[Array, Backward]:
            part = {name: theta[name][channels] for name in names}
            return layer.forward(part, cell, train) if cell.size else (cell, _nothing)

        ys, backwards = zip(*x.team.each(forward, self._layers, self._channels, x.cells), strict=True)

        def backward(dy: Any, grad: Leaves | None = None, need_dx: bool = True) -> Any:
            if grad is not None and grad.whole is not None:
                for name in names:
                    grad.whole[name][...] = 0

            def back(layer_backward: Backward, channels: slice, cell: Array, leaf: Any) -> Array:
                return layer_backward(cell, None if leaf is None else _Part(leaf, channels), need_dx)

            dxs = x.team.each(back, backwards, self._channels, dy.cells, leaves_of(grad, x))
            return Divided(dxs, x.team) if need_dx else None

        return Divided(ys, x.team), backward


def _nothing(dy: Any, grad: Any = None, need_dx: bool = True) -> Any:
    return dy
