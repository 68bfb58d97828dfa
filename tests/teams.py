"""Teams of any number of ranks and any deal, and the cells that they have of whole arrays."""

import numpy as np
import pytest
from mpi4py import MPI

from hpcgen.parallel.cells import Grid
from hpcgen.parallel.partition import Partition
from hpcgen.parallel.team import Team


class Teams:
    """Teams over the ranks of `comm`: `of(grid, ranks, random)` has so many ranks, or fewer in the last one.

    `random` deals the cells out, at least one to each rank.
    """

    def __init__(self, comm):
        self.comm = comm
        self._groups = {ranks: comm.Split(comm.rank // ranks, comm.rank) for ranks in range(1, comm.size + 1)}

    def close(self):
        for group in self._groups.values():
            group.Free()

    def most(self, grid):
        """Return the most ranks that can share the cells of a grid."""
        return min(self.comm.size, int(np.prod(grid)))

    def of(self, grid, ranks, random):
        group, cells = self._groups[ranks], int(np.prod(grid))
        # Groups of other sizes draw other cuts: the generator itself goes on alike on all ranks.
        own = np.random.default_rng(random.integers(1 << 32))
        cuts = sorted(own.choice(np.arange(1, cells), group.size - 1, replace=False).tolist())
        return Team(group, Grid(grid), Partition(np.diff([0, *cuts, cells]).tolist()))

    def each(self, grid, random):
        """Yield a team of each number of ranks."""
        for ranks in range(1, self.most(grid) + 1):
            yield self.of(grid, ranks, random)

    def alone(self, grid):
        """Return the team of this rank, which has all cells."""
        return Team(MPI.COMM_SELF, Grid(grid), Partition([int(np.prod(grid))]))

    def agreed(self, wrong):
        """Fail on all ranks if anything is wrong on any: then all draw and shrink the same examples."""
        if self.comm.allreduce(len(wrong)):
            raise AssertionError(
                [f"rank {rank}: {each}" for rank, each in enumerate(self.comm.allgather(wrong))]
            )


@pytest.fixture(scope="session")
def teams(_test_comm):
    made = Teams(_test_comm)
    yield made
    made.close()


def cells_of(team, whole):
    """Return the cells here of a whole array (n, *places, ...), each a copy."""
    sizes = whole.shape[1 : 1 + len(team.grid.shape)]
    return team.divided([whole[(slice(None), *team.grid.region(cell, sizes))].copy() for cell in team.mine])


@pytest.fixture(scope="session")
def cut():
    """cut(team, whole): the cells here of a whole array."""
    return cells_of
