"""The exact sum: its bits do not depend on the number of ranks."""

from collections.abc import Callable
from typing import Any

import numpy as np
from mpi4py import MPI

from hpcgen.arrays import Array, from_host, to_host
from hpcgen.nn.vector import Layout, Vector
from hpcgen.parallel.deal import Deal
from hpcgen.parallel.exchange.exchange import Exchange, complete
from hpcgen.parallel.ownership import Ownership, counts_and_starts
from hpcgen.parallel.tree import TreeSum


class ExactExchange(Exchange):
    """The sum in the fixed tree of `hpcgen.parallel.tree`.

    Each rank adds the subtrees that consist of its own leaves. Then it receives the numbers that it owns, and
    the statistics, from all other ranks, and completes the tree for them. Only the owner updates a number:
    optimizer state and time are divided by the number of ranks (ZeRO stage 1, Rajbhandari et al. 2020,
    arXiv:1910.02054).

    `ownership` may be any Ownership that covers the state. By default each rank owns one range.
    """

    def __init__(
        self,
        comm: MPI.Comm,
        layout: Layout,
        deal: Deal,
        make: Callable[[], Vector],
        ownership: Ownership | None = None,
    ) -> None:
        super().__init__(comm, layout, deal, make)
        if ownership is None:
            ownership = Ownership.even(layout.buffers.stop, comm.size, comm.rank)
        self.ownership = self.written = ownership
        if self.ownership.covered != slice(0, layout.buffers.stop):
            raise ValueError(
                f"ranks own {self.ownership.covered} of a state of {layout.buffers.stop} numbers"
            )
        self._tree: TreeSum[Vector] = self._sum(_add_vectors, self._free.append)
        # A message to a rank holds two parts of a vector: the numbers that the rank owns, and the statistics.
        statistics = slice(layout.buffers.stop, layout.size)
        self._to = [_datatype([*mine, statistics]) for mine in self.ownership.ranges]
        self._length = self.ownership.size
        self._foreign = [
            (rank, tag, lo, hi, np.empty(self._length + statistics.stop - statistics.start, np.float32))
            for rank in range(comm.size)
            if rank != comm.rank
            for tag, (lo, hi) in enumerate(deal.nodes(rank))
        ]

    def close(self) -> None:
        for datatype in self._to:
            datatype.Free()

    def _sum(
        self, add: Callable[[Any, Any], None], free: Callable[[Any], object] = lambda right: None
    ) -> Any:
        return TreeSum(self.deal.lanes.total, add, free, self.deal.cells_a_lane)

    def add(self, leaf: int, vector: Vector) -> None:
        self._tree.push(leaf, leaf + 1, vector)

    def reduce(self) -> tuple[Array, dict[str, float]]:
        comm = self.comm
        others = [rank for rank in range(comm.size) if rank != comm.rank]
        own = self._tree.take()
        sent = [to_host(vector.data) for _, _, vector in own] if others else []
        requests = [comm.Irecv(array, rank, tag) for rank, tag, _, _, array in self._foreign]
        requests += [
            comm.Isend([array, 1, self._to[rank]], rank, tag)
            for rank in others
            for tag, array in enumerate(sent)
        ]
        MPI.Request.Waitall(requests)
        arrived = [(lo, hi, from_host(array)) for _, _, lo, hi, array in self._foreign]
        pieces = [(lo, hi, (array[: self._length], array[self._length :])) for lo, hi, array in arrived]
        pieces += [
            (lo, hi, (self.ownership.take(v.data), v.data[self.layout.statistics])) for lo, hi, v in own
        ]
        tree: TreeSum[tuple[Array, Array]] = self._sum(_add_pieces)
        for piece in sorted(pieces, key=lambda piece: piece[0]):
            tree.push(*piece)
        self._free += [vector for _, _, vector in own]
        ((_, _, (sums, statistics)),) = tree.take()
        return sums, self._statistics(statistics)

    def gather(self, state: Array) -> None:
        complete(self.comm, state, self.ownership)

    def collect(self, values: np.ndarray) -> np.ndarray:
        return np.concatenate(self.comm.allgather(values))


def _datatype(ranges: list[slice]) -> MPI.Datatype:
    """Return the MPI datatype of these ranges of a float32 vector."""
    return MPI.FLOAT.Create_indexed(*counts_and_starts(ranges)).Commit()


def _add_vectors(left: Vector, right: Vector) -> None:
    left.data += right.data


def _add_pieces(left: tuple[Array, Array], right: tuple[Array, Array]) -> None:
    for a, b in zip(left, right, strict=True):
        a += b
