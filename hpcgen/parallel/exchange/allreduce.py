"""The sum by MPI_Allreduce."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from hpcgen.arrays import Array, from_host, to_host
from hpcgen.nn.vector import Layout, Vector
from hpcgen.parallel.deal import Deal
from hpcgen.parallel.exchange.exchange import Exchange
from hpcgen.parallel.ownership import Ownership

if TYPE_CHECKING:
    from mpi4py import MPI


class AllreduceExchange(Exchange):
    """The sum by MPI_Allreduce, in place. The MPI library chooses the order, so rounding may differ.

    Every rank updates the whole state.
    """

    def __init__(self, comm: "MPI.Comm", layout: Layout, deal: Deal, make: Callable[[], Vector]) -> None:
        super().__init__(comm, layout, deal, make)
        self.ownership = Ownership.even(layout.buffers.stop, 1, 0)
        self.written = Ownership.even(layout.buffers.stop, comm.size, comm.rank)
        self._sum: Vector | None = None

    def add(self, leaf: int, vector: Vector) -> None:
        if self._sum is None:
            self._sum = vector
        else:
            self._sum.data += vector.data
            self._free.append(vector)

    def reduce(self) -> tuple[Array, dict[str, float]]:
        from mpi4py import MPI

        total, self._sum = self._sum, None
        assert total is not None, "a rank has at least one lane"
        host = to_host(total.data)
        self.comm.Allreduce(MPI.IN_PLACE, host)
        self._free.append(total)
        sums = from_host(host)
        return self.ownership.take(sums), self._statistics(sums[self.layout.statistics])

    def gather(self, state: Array) -> None:
        """Do nothing: every rank has updated the whole state."""

    def collect(self, values: np.ndarray) -> np.ndarray:
        """Return `values`: every rank owns all of them."""
        return values
