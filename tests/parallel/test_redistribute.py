import numpy as np
import pytest

from hpcgen.parallel.partition import Partition
from hpcgen.parallel.redistribute import redistribute


@pytest.mark.parametrize("n", [0, 1, 3, 50])
@pytest.mark.parametrize("block", [1, 8])
def test_rows_arrive_in_the_new_order(comm, random, n, block):
    rows = random.integers(0, 255, (n, 2, 3), np.uint8)
    order = random.permutation(n)
    before, after = Partition.even(n, comm.size), Partition.even(n, comm.size, block)
    mine = redistribute(comm, rows[before.slice(comm.rank)], before, after, order)
    assert np.array_equal(mine, rows[order][after.slice(comm.rank)])
    inverse = np.argsort(order)
    back = redistribute(comm, mine, after, before, inverse)
    assert np.array_equal(back, rows[before.slice(comm.rank)])


@pytest.mark.parametrize("kept", [0, 1, 7, 29])
def test_rows_that_are_not_in_the_order_stay_behind(comm, random, kept):
    rows, order = random.standard_normal((30, 2)), random.permutation(30)[:kept]
    before, after = Partition.even(30, comm.size), Partition.even(kept, comm.size)
    mine = redistribute(comm, rows[before.slice(comm.rank)], before, after, order)
    assert np.array_equal(mine, rows[order][after.slice(comm.rank)])
