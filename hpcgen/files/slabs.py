"""Slabs: the parts of a dataset that one rank holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import NamedTuple, Protocol

import numpy as np

from hpcgen.parallel.partition import OWNERSHIP_BLOCK, Partition

# Bytes that one checksum covers. They are part of the file format. They equal the unit in which ranks own
# parts of a float32 vector, so that a rank writes and reads whole blocks of a checkpoint.
BLOCK_BYTES = OWNERSHIP_BLOCK * np.dtype(np.float32).itemsize


class Sliceable(Protocol):
    """Rows (n, ...) in memory, as in an ndarray, or rows that rows[first:last] makes when it is called."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype: ...
    def __getitem__(self, some: slice, /) -> np.ndarray: ...


class Piece(NamedTuple):
    """A box of a dataset: `rows` (n, ...), whose first number has the index `start` (one for each axis)."""

    start: tuple[int, ...]
    rows: Sliceable

    @property
    def where(self) -> tuple[slice, ...]:
        """The box of the dataset."""
        return tuple(slice(start, start + n) for start, n in zip(self.start, self.rows.shape, strict=True))


class Part(NamedTuple):
    """Some rows of a piece, which are made and written at once. They are the box `where` of the dataset."""

    piece: Piece
    some: slice

    @property
    def where(self) -> tuple[slice, ...]:
        first = self.piece.start[0]
        return (slice(first + self.some.start, first + self.some.stop), *self.piece.where[1:])

    def make(self) -> np.ndarray:
        """Return the rows. Raise ValueError if they are not what the piece promised."""
        rows, found = self.piece.rows, self.piece.rows[self.some]
        shape = (self.some.stop - self.some.start, *rows.shape[1:])
        if (found.shape, found.dtype) != (shape, rows.dtype):
            raise ValueError(f"rows are {found.dtype} {found.shape}, not {rows.dtype} {shape}")
        return found


@dataclass
class Slab:
    """The parts of a dataset (n, ...) of `shape` and `dtype` that this rank holds.

    A rank may hold any number of pieces, or none, in any order. A piece is a box of whole checksums: on each
    axis it starts at a multiple of `hpcgen.files.checksums.lengths(shape, dtype)`, and ends at one or at the
    end of the dataset. `partition` divides whole rows in this way. Writing makes each row of a piece once, in
    ascending order.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    pieces: list[Piece]

    @classmethod
    def rows(cls, shape: tuple[int, ...], start: int, local: Sliceable) -> "Slab":
        """Return the slab of consecutive whole rows that start at row `start`."""
        piece = Piece((start, *[0] * (len(shape) - 1)), local)
        return cls(tuple(shape), local.dtype, [piece] if local.shape[0] else [])

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

    def parts(self, most: int) -> Iterator[Part]:
        """Yield the pieces in parts of whole blocks of rows, of at most `most` bytes or one block.

        These are the bytes of whole rows, although a piece may hold only some of each: ranks that make pieces
        of the same rows together make the same rows in each part.
        """
        block = block_rows(self.shape, self.dtype)
        rows = max(1, most // max(1, block * self.row_bytes)) * block
        for piece in self.pieces:
            count = piece.rows.shape[0]
            for first in range(0, count, rows):
                yield Part(piece, slice(first, min(first + rows, count)))


def block_rows(shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> int:
    """Return the number of rows that one checksum covers: 16 KiB of rows, or a single larger row."""
    return max(1, BLOCK_BYTES // max(1, prod(shape[1:]) * np.dtype(dtype).itemsize))


def partition(shape: tuple[int, ...], dtype: np.typing.DTypeLike, parts: int) -> Partition:
    """Return the Partition of a dataset's rows over `parts` ranks."""
    return Partition.even(shape[0], parts, block_rows(shape, dtype))
