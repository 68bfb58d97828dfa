"""Rows of a dataset on a rank: their bytes, the runs in which they are written, and their blocks."""

import numpy as np
import pytest

from hpcgen.files.slabs import BLOCK_BYTES, Piece, Slab, block_rows, partition
from hpcgen.parallel.partition import OWNERSHIP_BLOCK


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
    assert len(pieces) == 1 and pieces[0].start == (0, 0) and np.array_equal(pieces[0].rows, array)


@pytest.mark.parametrize("most", [1, 1 << 14, 40_000, 1 << 20])
def test_parts_are_the_pieces_cut_between_blocks(random, most):
    """A block of 1024 rows of 16 bytes that is larger than `most` is a part of its own."""
    array = random.integers(0, 99, (11_000, 2))
    slab = Slab(
        array.shape, array.dtype, [Piece((7168, 0), array[7168:]), Piece((2048, 0), array[2048:5120])]
    )
    parts = list(slab.parts(most))
    rows = [row for part in parts for row in range(part.where[0].start, part.where[0].stop)]
    assert rows == [*range(7168, 11_000), *range(2048, 5120)]
    assert all(np.array_equal(part.make(), array[part.where]) for part in parts)
    assert all(part.where[0].start % 1024 == 0 and part.where[1] == slice(0, 2) for part in parts)
    each = max(1, most // (1 << 14)) * 1024
    assert len(parts) == sum(-(-count // each) for count in (3832, 3072))


def test_ranks_that_hold_other_boxes_of_the_same_rows_hold_them_in_the_same_parts():
    array = np.zeros((9, 100, 100), np.float32)
    left, right = (
        Slab(array.shape, array.dtype, [Piece((0, 0, first), array[:, :, first:last])])
        for first, last in ((0, 25), (25, 100))
    )
    for a, b in zip(left.parts(100_000), right.parts(100_000), strict=True):
        assert a.where[:2] == b.where[:2] and a.make().shape == (a.where[0].stop - a.where[0].start, 100, 25)
    assert [part.some for part in left.parts(100_000)] == [
        slice(0, 2),
        slice(2, 4),
        slice(4, 6),
        slice(6, 8),
        slice(8, 9),
    ]


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


def test_a_rank_owns_whole_blocks_of_a_vector():
    assert block_rows((10**6,), np.float32) == OWNERSHIP_BLOCK


def test_a_block_is_what_the_files_of_older_versions_have():
    assert BLOCK_BYTES == 16384


@pytest.mark.parametrize(
    "shape, dtype, rows", [((9,), "f8", 2048), ((9, 28, 28), "u1", 20), ((9, 9999), "f4", 1)]
)
def test_rows_share_a_block_unless_they_are_larger(shape, dtype, rows):
    assert block_rows(shape, dtype) == rows


@pytest.mark.parametrize("parts", [1, 3, 7])
def test_ranks_divide_whole_blocks(parts):
    shares = partition((30_000,), np.float32, parts)
    assert shares.total == 30_000 and len(shares) == parts
    assert all(start % OWNERSHIP_BLOCK == 0 for start in shares.starts if start < 30_000)


def test_an_empty_share_has_no_pieces():
    assert Slab.rows((5, 2), 5, np.zeros((0, 2))).pieces == []
    array = np.arange(4.0)
    assert len(Slab.replicated(array, 0).pieces) == 1 and Slab.replicated(array, 2).pieces == []
