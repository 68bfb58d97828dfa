"""What every exchange is."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from hpcgen.arrays import Array, from_host, to_host
from hpcgen.nn.vector import Layout, Vector
from hpcgen.parallel.deal import Deal
from hpcgen.parallel.ownership import Ownership

if TYPE_CHECKING:
    from mpi4py import MPI


class Exchange(ABC):
    """The sum of one player's lane gradients over all ranks, and who owns which part of it.

    `vector()` lends a Vector of the player's layout. `add(leaf, vector)` takes it back with the sums of a
    leaf in it: a lane, or a cell of a lane, leaves in ascending order. `reduce()` returns the sums over all
    leaves. After the optimizer's
    step `gather(state)` completes a state vector, of which each rank has updated what it owns.

    `ownership` says which ranges of the state (parameters and buffers) this rank updates. `written` says
    which ranges it writes to a checkpoint: there each number has one writer, even if several ranks update it.
    """

    ownership: Ownership
    written: Ownership

    def __init__(self, comm: "MPI.Comm", layout: Layout, deal: Deal, make: Callable[[], Vector]) -> None:
        self.comm, self.layout, self.deal = comm, layout, deal
        self._make = make
        self._free: list[Vector] = []
        self._names = layout.names(layout.statistics)

    def vector(self) -> Vector:
        """Lend a Vector, whose numbers are not set."""
        return self._free.pop() if self._free else self._make()

    @abstractmethod
    def add(self, leaf: int, vector: Vector) -> None:
        """Take back a Vector that holds the sums of a leaf (`Deal.leaf`)."""

    @abstractmethod
    def reduce(self) -> tuple[Array, dict[str, float]]:
        """Return the sums over all leaves: of the numbers that this rank owns, packed, and of the statistics.

        Collective over `comm`. The next `add` may overwrite the array.
        """

    @abstractmethod
    def gather(self, state: Array) -> None:
        """Complete `state` on every rank from the numbers that the ranks own. Collective over `comm`."""

    @abstractmethod
    def collect(self, values: np.ndarray) -> np.ndarray:
        """Return the `values` of all owners, rank after rank. Collective over `comm`."""

    def close(self) -> None:
        """Release what the exchange holds."""

    def _statistics(self, sums: Array) -> dict[str, float]:
        """Return the statistics by name."""
        return dict(zip(self._names, to_host(sums).tolist(), strict=True))


def complete(comm: "MPI.Comm", vector: Array, ownership: Ownership) -> None:
    """Complete `vector` on every rank from the numbers that the ranks own. Collective over `comm`."""
    from mpi4py import MPI

    host = to_host(vector)
    for counts, starts in ownership.rounds:
        comm.Allgatherv(MPI.IN_PLACE, [host, counts, starts, MPI.FLOAT])
    # Where both are one array, NumPy copies nothing.
    vector[...] = from_host(host)
