"""The exact sum: the bits of one rank, which are those of the tree's definition."""

import numpy as np
from mpi4py import MPI

from hpcgen.nn.vector import Layout, Vector
from hpcgen.parallel.deal import Deal
from hpcgen.parallel.exchange.exact import ExactExchange
from hpcgen.parallel.ownership import Ownership
from hpcgen.parallel.partition import Partition
from hpcgen.parallel.tree import middle


def defined(values, lo, hi):
    """Return the sum over the lanes [lo, hi) as the tree adds them."""
    if hi - lo == 1:
        return values[lo]
    return defined(values, lo, middle(lo, hi)) + defined(values, middle(lo, hi), hi)


def test_the_sum_has_the_bits_of_one_rank(comm, layout, deals, exchanged):
    for lanes in deals:
        state, statistics = exchanged(ExactExchange, comm, layout, lanes, times=2)
        alone = exchanged(ExactExchange, MPI.COMM_SELF, layout, Partition([lanes.total]))
        assert state.tobytes() == alone[0].tobytes()
        assert statistics == alone[1]


def test_the_sum_is_that_of_the_tree(comm, layout, deals, exchanged, lane_values):
    for lanes in deals:
        state, statistics = exchanged(ExactExchange, comm, layout, lanes)
        expected = defined([lane_values(layout, lane) for lane in range(lanes.total)], 0, lanes.total)
        assert state.tobytes() == expected[: layout.buffers.stop].tobytes()
        names = layout.names(layout.statistics)
        assert statistics == dict(zip(names, expected[layout.statistics].tolist()))


def test_ranks_may_own_any_ranges(comm, layout, exchanged):
    """The last rank owns all, the end before the start, and the others nothing."""
    size, cut = layout.buffers.stop, layout.buffers.stop // 3
    ranges = [[] for _ in range(comm.size)]
    ranges[-1] = [slice(cut, size), slice(0, cut)]

    def last_owns_all(*arguments):
        return ExactExchange(*arguments, ownership=Ownership(ranges, comm.rank))

    lanes = Partition.even(2 * comm.size + 1, comm.size)
    found, even = (exchanged(kind, comm, layout, lanes) for kind in (last_owns_all, ExactExchange))
    assert found[0].tobytes() == even[0].tobytes() and found[1] == even[1]


def test_what_owners_say_comes_in_the_order_of_the_ranks(comm):
    layout = Layout({"w": (10,)}, statistics={"loss": ()})
    exchange = ExactExchange(comm, layout, Deal(Partition.even(comm.size, comm.size)), lambda: Vector(layout))
    mine = np.full(comm.rank % 2 + 1, float(comm.rank))
    expected = [float(rank) for rank in range(comm.size) for _ in range(rank % 2 + 1)]
    assert exchange.collect(mine).tolist() == expected
    exchange.close()


def test_each_rank_holds_about_one_vector_of_others(comm, layout):
    deal = Deal(Partition.even(8 * comm.size, comm.size))
    exchange = ExactExchange(comm, layout, deal, lambda: Vector(layout))
    received = sum(array.size for *_, array in exchange._foreign)
    assert received <= 4 * (layout.size + comm.size * 4096)
    exchange.close()
