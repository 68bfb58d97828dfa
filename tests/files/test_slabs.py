"""Rows of a dataset on a rank: their bytes, the runs in which they are written, and their blocks."""

import numpy as np
import pytest

from hpcgen.files.slabs import BLOCK_BYTES, Slab, block_rows, partition


@pytest.mark.parametrize("shape, dtype", [((10, 3, 2), "f4"), ((7,), "f8"), ((0, 5), "u1"), ((4, 0), "u1")])
def test_bytes_are_those_of_the_array(shape, dtype):
    array = np.zeros(shape, dtype)
    slab = Slab.rows(shape, 0, array)
    assert slab.bytes == array.nbytes and slab.row_bytes == (array[0].nbytes if shape[0] else 5)
    assert slab.dtype == array.dtype and slab.shape == shape


def test_rows_that_are_not_there_are_no_piece():
    assert Slab.rows((10, 3), 4, np.zeros((0, 3))).pieces == []


def test_a_replicated_array_is_written_once(comm):
    array = np.arange(12.0).reshape(4, 3)
    slabs = comm.allgather(Slab.replicated(array, comm.rank))
    assert all(slab.shape == (4, 3) for slab in slabs)
    pieces = [piece for slab in slabs for piece in slab.pieces]
    assert len(pieces) == 1 and pieces[0][0] == 0 and np.array_equal(pieces[0][1], array)


@pytest.mark.parametrize("most", [1, 8, 20, 48, 1000])
def test_calls_are_the_pieces_cut_to_a_size(random, most):
    """A row of 16 bytes that is larger than a call is a call of its own."""
    array = random.integers(0, 99, (11, 2))
    calls = list(Slab(array.shape, array.dtype, [(7, array[7:]), (2, array[2:5])]).calls(most))
    assert [first for first, _ in calls] == [7, 2] or most < 1000
    rows = [(first + i, row.tolist()) for first, part in calls for i, row in enumerate(part)]
    assert rows == [(i, array[i].tolist()) for i in [*range(7, 11), *range(2, 5)]]
    assert all(part.nbytes <= max(most, 16) for _, part in calls)
    assert len(calls) == sum(-(-count // max(1, most // 16)) for count in (4, 3))


@pytest.mark.parametrize(
    "shape, dtype, rows",
    [
        ((100,), "f4", BLOCK_BYTES // 4),
        ((100, 28, 28, 1), "u1", 20),
        ((5, 9000), "f8", 1),
        ((5, BLOCK_BYTES), "u1", 1),
        ((5, BLOCK_BYTES // 2), "u1", 2),
        ((5, 0), "u1", BLOCK_BYTES),
    ],
)
def test_a_block_has_as_many_rows_as_16_kib_hold(shape, dtype, rows):
    assert block_rows(shape, dtype) == rows


@pytest.mark.parametrize("parts", [1, 3, 4, 50])
def test_ranks_divide_rows_at_blocks(parts):
    shape = (1003, 28, 28, 1)
    dealt = partition(shape, np.uint8, parts)
    block = block_rows(shape, np.uint8)
    assert len(dealt) == parts and dealt.total == 1003
    assert all(start % block == 0 or start == 1003 for start in dealt.starts)
    assert max(dealt.counts) <= -(-1003 // parts) + block
