"""Gather: join the cells of a lane in one array on every rank of the team. The adjoint cuts an array."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import prod

import numpy as np

from hpcgen.arrays import Array, Shape, from_host, to_host
from hpcgen.nn.divided import Divided
from hpcgen.nn.kernels import contiguous
from hpcgen.parallel.partition import Partition
from hpcgen.parallel.team import Team, require_countable


class Gather:
    """The operator between divided samples and whole samples with places of `sizes`.

    `whole` and `parts` are adjoint to each other. In the scalar product, an array that is the same on all
    ranks counts once.
    """

    def __init__(self, team: Team, sizes: Sequence[int]) -> None:
        self.team, self.sizes = team, tuple(sizes)
        self._regions = [team.grid.region(cell, sizes) for cell in range(len(team.grid))]
        self._shapes = [team.grid.sizes(cell, sizes) for cell in range(len(team.grid))]

    def whole(self, x: Divided) -> Array:
        """Return all cells in one array (n, *sizes, ...). x: distributed; the array: the same on all ranks.

        Collective over the team.
        """
        team, n, rest = self.team, len(x), x.cells[0].shape[1 + len(self.sizes) :]
        shapes = [(n, *shape, *rest) for shape in self._shapes]
        out = np.empty_like(x.cells[0], shape=(n, *self.sizes, *rest), order="C")
        cells = all_of(team, x.cells, shapes)
        for region, cell in zip(self._regions, cells, strict=True):
            out[(slice(None), *region)] = cell
        return out

    def parts(self, whole: Array) -> Divided:
        """Return this rank's cells of a whole array. whole: the same on all ranks; the cells: distributed."""
        return self.team.cut(whole)


class GatherChannels:
    """The operator between samples (n, ..., channels) that are divided by channels, and whole samples.

    `whole` and `parts` are adjoint to each other, as those of `Gather`.
    """

    def __init__(self, team: Team, channels: int) -> None:
        self.team, self._deal = team, Partition.even(channels, len(team.grid))
        # The channels of this rank's cells.
        self.mine = [self._deal.slice(cell) for cell in team.mine]

    def whole(self, x: Divided) -> Array:
        """Return all channels in one array. x: distributed; the array: the same on all ranks.

        Collective over the team.
        """
        shapes = [(*x.cells[0].shape[:-1], count) for count in self._deal.counts]
        return np.concatenate(all_of(self.team, x.cells, shapes), axis=-1)

    def parts(self, whole: Array) -> Divided:
        """Return the channels of this rank's cells. whole: the same on all ranks; the cells: distributed."""
        return self.team.divided([contiguous(whole[..., part]) for part in self.mine])


def all_of(team: Team, parts: Sequence[Array], shapes: Sequence[Shape]) -> list[Array]:
    """Return the arrays of all cells, the same on all ranks.

    `parts` are the arrays of this rank's cells, `shapes` the shapes for all cells. Collective over the team.
    """
    if team.comm.size == 1:
        return list(parts)
    ends = list(accumulate(map(prod, shapes), initial=0))
    require_countable(ends[-1])
    packed = to_host(np.concatenate([part.reshape(-1) for part in parts]))
    # MPI writes to host memory.
    room = np.empty(ends[-1], packed.dtype)
    starts = [ends[start] for start in team.deal.starts]
    counts = [
        ends[start + count] - ends[start]
        for start, count in zip(team.deal.starts, team.deal.counts, strict=True)
    ]
    others = team.comm.size - 1
    with team.traffic(others, others * packed.nbytes):
        team.comm.Allgatherv(packed, [room, (counts, starts)])
    whole = from_host(room)
    return [
        whole[start:end].reshape(shape) for (start, end), shape in zip(pairwise(ends), shapes, strict=True)
    ]
