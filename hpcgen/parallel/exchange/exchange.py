"""The base class of exchanges."""

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
    """The sum of one player's lane gradients over all ranks, and the ownership of its parts.

    `vector()` lends a Vector of the player's layout. `add(leaf, vector)` takes it back with the sums of a
    leaf: a lane, or a cell of a lane. Leaves are added in ascending order. `reduce()` returns the sums over
    all leaves. After the optimizer's step, each rank has updated its own part of the state vector, and
    `gather(state)` completes the vector.

    `ownership` gives the ranges of the state (parameters and buffers) that this rank updates. `written` gives
    the ranges that it writes to a checkpoint. Exactly one rank writes each number, even if several ranks
    update it.
    """

    ownership: Ownership
    written: Ownership

    def __init__(self, comm: "MPI.Comm", layout: Layout, deal: Deal, make: Callable[[], Vector]) -> None:
        self.comm, self.layout, self.deal = comm, layout, deal
        self._make = make
        self._free: list[Vector] = []
        self._names = layout.names(layout.statistics)

    def vector(self) -> Vector:
        """Lend an uninitialised Vector."""
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
        """Complete `state` on every rank with the numbers of their owners. Collective over `comm`."""

    @abstractmethod
    def collect(self, values: np.ndarray) -> np.ndarray:
        """Return the `values` of all owners, in rank order. Collective over `comm`."""

    def close(self) -> None:
        """Release the resources of the exchange."""

    def _statistics(self, sums: Array) -> dict[str, float]:
        """Return the statistics by name."""
        return dict(zip(self._names, to_host(sums).tolist(), strict=True))


def complete(comm: "MPI.Comm", vector: Array, ownership: Ownership) -> None:
    """Complete `vector` on every rank with the numbers of their owners. Collective over `comm`."""
    if comm.size == 1:
        return
    from mpi4py import MPI

    host = to_host(vector)
    for counts, starts in ownership.rounds:
        comm.Allgatherv(MPI.IN_PLACE, [host, counts, starts, MPI.FLOAT])
    # If both are the same array, NumPy copies nothing.
    vector[...] = from_host(host)
