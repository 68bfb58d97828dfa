"""The sum by MPI_Allreduce: equal up to rounding, and updated by every rank."""

import numpy as np

from hpcgen.nn.vector import Vector
from hpcgen.parallel.exchange.allreduce import AllreduceExchange
from hpcgen.parallel.partition import Partition


def test_the_sum_is_equal_to_rounding(comm, layout, deals, exchanged, lane_values):
    for lanes in deals:
        state, statistics = exchanged(AllreduceExchange, comm, layout, lanes, times=2)
        values = [lane_values(layout, lane).astype(np.float64) for lane in range(lanes.total)]
        scale = np.sum([np.abs(value) for value in values], axis=0)
        names = layout.names(layout.statistics)
        assert list(statistics) == names
        found = np.concatenate([state, [statistics[name] for name in names]])
        assert np.all(np.abs(found - sum(values)) <= 1e-6 * scale)


def test_every_rank_updates_all_and_writes_a_part(comm, layout):
    exchange = AllreduceExchange(comm, layout, Partition.even(comm.size, comm.size), lambda: Vector(layout))
    assert exchange.ownership.size == layout.buffers.stop
    assert comm.allreduce(exchange.written.size) == layout.buffers.stop
    values = np.arange(3.0)
    assert exchange.collect(values) is values
    state = np.full(layout.buffers.stop, np.float32(comm.rank))
    exchange.gather(state)
    assert (state == comm.rank).all()
