import numpy as np
import pytest
from mpi4py import MPI

from hpcgen.nn.buffers import Buffer
from hpcgen.nn.vector import Layout, Vector
from hpcgen.parallel.deal import Deal
from hpcgen.parallel.exchange import EXCHANGES, ExactExchange
from hpcgen.parallel.ownership import Ownership
from hpcgen.parallel.partition import Partition

# Below, at and above a block of 4096; fewer blocks than ranks and more.
LAYOUTS = [
    Layout({"w": (10, 3)}, statistics={"loss": (), "count": ()}),
    Layout({"w": (4096,)}, statistics={"loss": ()}),
    Layout({"w": (100, 200), "b": (7,)}, {"mean": Buffer((50,))}, {"loss": (), "count": ()}),
]


def lane_values(layout, lane):
    random = np.random.default_rng([7, lane])
    return (random.standard_normal(layout.size) * 10.0 ** random.integers(-3, 4)).astype(np.float32)


def exchanged(kind, comm, layout, lanes, times=1):
    """Return the complete sums and the statistics after exchanging `times` times."""
    exchange = EXCHANGES[kind](comm, layout, Deal(lanes), lambda: Vector(layout))
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


def deals(size):
    yield from (Partition.even(lanes, size) for lanes in (size, 2 * size, 7 + size))
    yield Partition.weighted(4 * size, [1 + rank for rank in range(size)])
    yield Partition([3 * size] + [1] * (size - 1))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_exact_sum_has_the_bits_of_one_rank(comm, layout):
    for lanes in deals(comm.size):
        state, statistics = exchanged("exact", comm, layout, lanes, times=2)
        alone = exchanged("exact", MPI.COMM_SELF, layout, Partition([lanes.total]))
        assert state.tobytes() == alone[0].tobytes()
        assert statistics == alone[1]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_allreduce_is_equal_to_rounding(comm, layout):
    for lanes in deals(comm.size):
        state, statistics = exchanged("allreduce", comm, layout, lanes, times=2)
        values = [lane_values(layout, lane).astype(np.float64) for lane in range(lanes.total)]
        scale = np.sum([np.abs(value) for value in values], axis=0)
        assert np.all(
            np.abs(state - sum(values)[: layout.buffers.stop]) <= 1e-6 * scale[: layout.buffers.stop]
        )
        assert list(statistics) == layout.names(layout.statistics)


def test_an_ownership_covers_the_state(comm):
    layout, deal = LAYOUTS[2], Deal(Partition.even(comm.size, comm.size))
    parameters = Ownership.even(layout.parameters.stop, comm.size, comm.rank)
    with pytest.raises(ValueError, match="of a state of 20057 numbers"):
        ExactExchange(comm, layout, deal, lambda: Vector(layout), parameters)


def test_each_rank_holds_about_one_vector_of_others(comm):
    layout = LAYOUTS[2]
    deal = Deal(Partition.even(8 * comm.size, comm.size))
    exchange = ExactExchange(comm, layout, deal, lambda: Vector(layout))
    received = sum(array.size for *_, array in exchange._foreign)
    assert received <= 4 * (layout.size + comm.size * 4096)
    exchange.close()
