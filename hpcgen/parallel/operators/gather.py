"""Gather: the cells of a lane's samples in one array on every rank of the team, and the adjoint."""

from collections.abc import Sequence
from math import prod

import numpy as np

from hpcgen.arrays import Array
from hpcgen.nn.divided import Divided
from hpcgen.parallel.team import Team


class Gather:
    """Between divided samples and whole ones, whose places have `sizes`.

    `whole` and `parts` are each other's adjoint, where an array that is the same on all ranks counts once.
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
        out = np.empty((n, *self.sizes, *rest), x.dtype)
        cells = x.cells if team.comm.size == 1 else self._all(x, shapes)
        for region, cell in zip(self._regions, cells, strict=True):
            out[(slice(None), *region)] = cell
        return out

    def _all(self, x: Divided, shapes: list[tuple[int, ...]]) -> list[Array]:
        from mpi4py import MPI

        team, lengths = self.team, [prod(shape) for shape in shapes]
        room = np.empty(sum(lengths), x.dtype)
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        starts = [bounds[start] * room.itemsize for start in team.deal.starts]
        stops = [
            bounds[start + count] * room.itemsize
            for start, count in zip(team.deal.starts, team.deal.counts, strict=True)
        ]
        counts = [stop - start for start, stop in zip(starts, stops, strict=True)]
        packed = np.concatenate([cell.reshape(-1) for cell in x.cells])
        others = team.comm.size - 1
        with team.traffic(others, others * packed.nbytes):
            team.comm.Allgatherv([packed, MPI.BYTE], [room, counts, starts, MPI.BYTE])
        return [part.reshape(shape) for part, shape in zip(np.split(room, bounds[1:-1]), shapes, strict=True)]

    def parts(self, whole: Array) -> Divided:
        """Return the cells here of a whole array. whole: the same on all ranks; the cells: distributed."""
        return self.team.cut(whole)
