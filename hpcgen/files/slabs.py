"""Slabs: the rows of a dataset that one rank holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from hpcgen.parallel.partition import OWNERSHIP_BLOCK, Partition

# Bytes that one checksum covers. They are part of the file format. They equal the unit in which ranks own
# parts of a float32 vector, so that a rank writes and reads whole blocks of a checkpoint.
BLOCK_BYTES = OWNERSHIP_BLOCK * np.dtype(np.float32).itemsize


@dataclass
class Slab:
    """The rows of a dataset (n, ...) of `shape` and `dtype` that this rank holds.

    `pieces` lists (first row, rows). A rank may hold any number of pieces, or none, in any order. A piece
    starts at a multiple of `block_rows(shape, dtype)`, and ends at one or at the end of the dataset.
    `partition` divides rows in this way.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    pieces: list[tuple[int, np.ndarray]]

    @classmethod
    def rows(cls, shape: tuple[int, ...], start: int, local: np.ndarray) -> "Slab":
        """Return the slab of consecutive rows that start at row `start`."""
        return cls(tuple(shape), local.dtype, [(start, local)] if len(local) else [])

    @classmethod
    def replicated(cls, array: np.ndarray, rank: int) -> "Slab":
        """Return the slab of a replicated array. Rank 0 writes it."""
        return cls.rows(array.shape, 0, array if rank == 0 else array[:0])

    @property
    def row_bytes(self) -> int:
        """The bytes of one row."""
        return prod(self.shape[1:]) * self.dtype.itemsize

    @property
    def bytes(self) -> int:
        """The bytes of the whole dataset."""
        return self.shape[0] * self.row_bytes

    def calls(self, most: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the pieces as (first row, rows), cut into parts of at most `most` bytes."""
        rows = max(1, most // max(1, self.row_bytes))
        for start, local in self.pieces:
            for first in range(0, len(local), rows):
                yield start + first, local[first : first + rows]


def block_rows(shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> int:
    """Return the number of rows that one checksum covers: 16 KiB of rows, or a single larger row."""
    return max(1, BLOCK_BYTES // max(1, prod(shape[1:]) * np.dtype(dtype).itemsize))


def partition(shape: tuple[int, ...], dtype: np.typing.DTypeLike, parts: int) -> Partition:
    """Return the Partition of a dataset's rows over `parts` ranks."""
    return Partition.even(shape[0], parts, block_rows(shape, dtype))
