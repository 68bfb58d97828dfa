"""Rows that a rank writes, and the blocks of rows that share a checksum."""

import numpy as np
import pytest

from hpcgen.files.slabs import BLOCK_BYTES, Slab, block_rows, partition
from hpcgen.parallel.partition import OWNERSHIP_BLOCK


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


def test_calls_are_the_pieces_in_runs_of_few_bytes():
    rows = np.arange(24, dtype=np.float32).reshape(12, 2)
    slab = Slab((20, 2), rows.dtype, [(12, rows[:5]), (0, rows[5:])])
    calls = list(slab.calls(24))
    assert [start for start, _ in calls] == [12, 15, 0, 3, 6]
    assert np.array_equal(np.concatenate([local for _, local in calls]), rows)
    assert slab.row_bytes == 8 and slab.bytes == 160
    # A larger row goes alone.
    assert len(list(slab.calls(1))) == 12


def test_an_empty_share_has_no_pieces():
    assert Slab.rows((5, 2), 5, np.zeros((0, 2))).pieces == []
    array = np.arange(4.0)
    assert len(Slab.replicated(array, 0).pieces) == 1 and Slab.replicated(array, 2).pieces == []
