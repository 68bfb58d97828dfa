import numpy as np
import pytest

from hpcgen.metrics.blocks import ROWS_A_BLOCK, blocks
from hpcgen.parallel.partition import Partition


@pytest.fixture(scope="session")
def divided():
    """divided(ranks)(function, *sets): function(*block of each set, its first row) of all blocks in order, as
    ranks would."""

    def over(ranks):
        def each(function, *sets):
            results, shares = [], Partition.even(len(sets[0]), ranks, ROWS_A_BLOCK)
            for rows in map(shares.slice, range(ranks)):
                mine = [_elsewhere(x[rows]) for x in sets]
                results += [
                    function(*(x[block] for x in mine), rows.start + block.start)
                    for block in blocks(len(mine[0]))
                ]
            return results

        return each

    return over


def _elsewhere(x):
    """Return a copy of x that starts off every cache line."""
    buffer = np.empty(x.nbytes + 64, np.uint8)
    first = (8 - buffer.ctypes.data) % 64
    copy = buffer[first : first + x.nbytes].view(x.dtype).reshape(x.shape)
    copy[...] = x
    return copy
