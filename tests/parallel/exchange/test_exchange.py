"""What every exchange does: it lends vectors, and completes what the ranks own."""

import numpy as np
import pytest

from hpcgen.nn.vector import Layout, Vector
from hpcgen.parallel.deal import Deal
from hpcgen.parallel.exchange import EXCHANGES
from hpcgen.parallel.exchange.exchange import complete
from hpcgen.parallel.ownership import Ownership
from hpcgen.parallel.partition import Partition


@pytest.mark.parametrize("kind", EXCHANGES)
def test_vectors_are_lent_again(comm, kind):
    """As many are made as are held at once: a few for many lanes, and none after the first step."""
    layout, made = Layout({"w": (5,)}, statistics={"loss": ()}), []

    def make():
        made.append(Vector(layout))
        return made[-1]

    lanes = Partition.even(8 * comm.size, comm.size)
    mine = lanes.slice(comm.rank)
    exchange = EXCHANGES[kind](comm, layout, Deal(lanes), make)
    first = None
    for _ in range(3):
        for lane in range(mine.start, mine.stop):
            vector = exchange.vector()
            vector.data[...] = 1
            exchange.add(lane, vector)
        _, statistics = exchange.reduce()
        assert statistics == {"loss": lanes.total}
        first = first or len(made)
        assert len(made) == first <= 4
    exchange.close()


@pytest.mark.parametrize("deal", ["even", "turned", "one"])
def test_all_ranks_complete_what_each_owns(comm, deal):
    """Whether ranks own one range, several in any order, or nothing."""
    size, ranks = 24, comm.size
    blocks = [slice(start, start + 2) for start in range(0, size, 2)]
    ranges = {
        "even": [[Partition.even(size, ranks).slice(rank)] for rank in range(ranks)],
        "turned": [blocks[rank::ranks][::-1] for rank in range(ranks)],
        "one": [[]] * (ranks - 1) + [[slice(0, size)]],
    }[deal]
    own, expected = Ownership(ranges, comm.rank), np.arange(size, dtype=np.float32)
    vector = np.full(size, np.nan, np.float32)
    own.put(vector, own.take(expected))
    complete(comm, vector, own)
    assert np.array_equal(vector, expected)
