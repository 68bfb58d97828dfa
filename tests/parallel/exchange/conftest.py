"""What the tests of exchanges share: layouts, deals of lanes, and the sums that all ranks get."""

import numpy as np
import pytest

from hpcgen.nn.buffers import Buffer
from hpcgen.nn.vector import Layout, Vector
from hpcgen.parallel.deal import Deal
from hpcgen.parallel.partition import Partition

# Below, at and above a block of 4096; fewer blocks than ranks and more.
LAYOUTS = [
    Layout({"w": (10, 3)}, statistics={"loss": (), "count": ()}),
    Layout({"w": (4096,)}, statistics={"loss": ()}),
    Layout({"w": (100, 200), "b": (7,)}, {"mean": Buffer((50,))}, {"loss": (), "count": ()}),
]


@pytest.fixture(params=LAYOUTS, ids=["small", "a block", "several blocks"])
def layout(request):
    return request.param


@pytest.fixture
def deals(comm):
    """Deals of lanes: even and uneven ones."""
    size = comm.size
    even = [Partition.even(lanes, size) for lanes in (size, 2 * size, 7 + size)]
    weighted = Partition.weighted(4 * size, [1 + rank for rank in range(size)])
    return [*even, weighted, Partition([3 * size] + [1] * (size - 1))]


@pytest.fixture(scope="session")
def lane_values():
    """lane_values(layout, lane): the numbers of a lane, of another size for each."""

    def make(layout, lane):
        random = np.random.default_rng([7, lane])
        return (random.standard_normal(layout.size) * 10.0 ** random.integers(-3, 4)).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def exchanged(lane_values):
    """exchanged(kind, comm, layout, lanes, times): the complete sums and the statistics after exchanging."""

    def exchange_all(kind, comm, layout, lanes, times=1):
        exchange = kind(comm, layout, Deal(lanes), lambda: Vector(layout))
        mine = lanes.slice(comm.rank)
        for _ in range(times):
            for lane in range(mine.start, mine.stop):
                vector = exchange.vector()
                vector.data[...] = lane_values(layout, lane)
                exchange.add(lane, vector)
            segment, statistics = exchange.reduce()
            state = np.full(layout.buffers.stop, np.nan, np.float32)
            exchange.ownership.put(state, segment)
            exchange.gather(state)
        exchange.close()
        return state, statistics

    return exchange_all
