"""Sums of lane gradients over all ranks.

An exchange serves one player, whose vectors `make()` makes. `vector()` lends a `Vector` of the player's layout,
`add(lane, vector)` takes it back with a lane's sums in it (lanes in ascending order), `reduce()` returns the sums over all
lanes, `gather(state)` completes a state vector of which this rank has updated its own part, `owned`, and `collect(values)`
returns the concatenation of what the owners of all parts give, in the order of the parts.
"""

import numpy as np
from mpi4py import MPI

from hpcgen.parallel.partition import state_partition
from hpcgen.parallel.tree import TreeSum, cover


class TreeExchange:
    """The exact sum: lanes are added in the fixed tree of `hpcgen.parallel.tree`, so no bit depends on the ranks.

    Each rank adds what it can of the tree from its own lanes; rank s then receives segment s of everybody's nodes, together
    with the statistics, and completes the tree on them. Only the owner updates a segment: optimizer state and time are
    divided by the number of ranks (ZeRO stage 1, Rajbhandari et al. 2020, arXiv:1910.02054).
    """

    def __init__(self, comm, layout, lanes, make):
        self.comm, self.layout, self.lanes, self._make = comm, layout, lanes, make
        self.partition = state_partition(layout, comm.size)
        self.owned = self.partition.slice(comm.rank)
        self._names = layout.names(layout.statistics)
        self._free = []
        self._tree = TreeSum(lanes.total, _add_vectors, self._free.append)
        # To rank s go two pieces of a vector at once: s's segment and the statistics.
        tail = layout.size - layout.buffers.stop
        self._to = [
            MPI.FLOAT.Create_indexed([count, tail], [start, layout.buffers.stop]).Commit()
            for start, count in zip(self.partition.starts, self.partition.counts)
        ]
        length = self.partition.counts[comm.rank]
        self._foreign = [
            (rank, tag, lo, hi, np.empty(length + tail, np.float32))
            for rank in range(comm.size)
            if rank != comm.rank
            for tag, (lo, hi) in enumerate(_nodes(lanes, rank))
        ]
        self._length = length

    def close(self):
        for datatype in self._to:
            datatype.Free()

    def vector(self):
        return self._free.pop() if self._free else self._make()

    def add(self, lane, vector):
        self._tree.push(lane, lane + 1, vector)

    def reduce(self):
        """Return the sums over all lanes: of this rank's segment (`owned`), and of the statistics by name.

        Collective over `comm`. The arrays may be overwritten by the next `add`.
        """
        comm, others = self.comm, [rank for rank in range(self.comm.size) if rank != self.comm.rank]
        own = self._tree.take()
        requests = [comm.Irecv(array, rank, tag) for rank, tag, _, _, array in self._foreign]
        requests += [
            comm.Isend([vector.data, 1, self._to[rank]], rank, tag)
            for rank in others
            for tag, (_, _, vector) in enumerate(own)
        ]
        MPI.Request.Waitall(requests)
        pieces = [
            (lo, hi, (array[: self._length], array[self._length :])) for _, _, lo, hi, array in self._foreign
        ]
        pieces += [(lo, hi, (v.data[self.owned], v.data[self.layout.statistics])) for lo, hi, v in own]
        tree = TreeSum(self.lanes.total, _add_pieces)
        for piece in sorted(pieces, key=lambda piece: piece[0]):
            tree.push(*piece)
        self._free += [vector for _, _, vector in own]
        ((_, _, (segment, statistics)),) = tree.take()
        return segment, dict(zip(self._names, statistics.tolist()))

    def gather(self, state):
        """Complete `state` on every rank from the parts that the ranks own. Collective over `comm`."""
        self.comm.Allgatherv(MPI.IN_PLACE, [state, self.partition.counts, self.partition.starts, MPI.FLOAT])

    def collect(self, values):
        """Return all ranks' `values`, arrays on one axis, one after the other. Collective over `comm`."""
        return np.concatenate(self.comm.allgather(values))


class AllreduceExchange:
    """The sum by MPI_Allreduce in place: equal to the exact one up to rounding, in an order that the MPI library chooses."""

    def __init__(self, comm, layout, lanes, make):
        self.comm, self.layout, self._make = comm, layout, make
        self.owned = slice(0, layout.buffers.stop)
        self._names = layout.names(layout.statistics)
        self._free, self._sum = [], None

    def close(self):
        pass

    def vector(self):
        return self._free.pop() if self._free else self._make()

    def add(self, lane, vector):
        if self._sum is None:
            self._sum = vector
        else:
            _add_vectors(self._sum, vector)
            self._free.append(vector)

    def reduce(self):
        """Return the sums over all lanes: of the whole state, and of the statistics by name. Collective over `comm`."""
        total, self._sum = self._sum, None
        self.comm.Allreduce(MPI.IN_PLACE, total.data)
        self._free.append(total)
        return total.data[self.owned], dict(zip(self._names, total.data[self.layout.statistics].tolist()))

    def gather(self, state):
        """Do nothing: every rank has updated the whole state."""

    def collect(self, values):
        """Return `values`: every rank has those of the whole."""
        return values


EXCHANGES = {"auto": TreeExchange, "allreduce": AllreduceExchange}


def _nodes(lanes, rank):
    mine = lanes.slice(rank)
    return cover(mine.start, mine.stop, 0, lanes.total)


def _add_vectors(left, right):
    left.data += right.data


def _add_pieces(left, right):
    for a, b in zip(left, right):
        a += b
