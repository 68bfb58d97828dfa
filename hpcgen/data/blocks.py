"""The rows of a source that is larger than memory: they are read in blocks, twice.

First each rank reads its share of the rows in the order of the file, and checks them. Then it makes the rows
that it writes, a block at a time. It reads the rows of a block in ascending order, and puts each into its new
place. The ranks do not exchange rows.

The second reading costs more, because the rows of a block lie anywhere in the file. Rows that are nearer to
each other than `columns.NEAR_BYTES` are read together, with the rows between them. Of a compressed HDF5 file
whole chunks are read. Therefore all ranks together read a file at most as many times as it is larger than a
block, as long as the rows of a chunk fit into a window (an eighth of the memory). Otherwise a chunk is read
again for each window. The rows of a .npy file in Fortran order are stored together, as those of one chunk.
"""

import logging
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from hpcgen.data.checks import require_usable
from hpcgen.data.columns import Column
from hpcgen.data.sources import Source
from hpcgen.errors import InputError
from hpcgen.files.slabs import Slab, partition
from hpcgen.parallel.agreement import agree
from hpcgen.parallel.partition import Partition

if TYPE_CHECKING:
    from mpi4py import MPI

logger = logging.getLogger(__name__)

# How many times the rows are in memory when the ranks hold them, and exchange them.
COPIES = 5
# Approximate bytes that the number, the place and the window of a row take while a block is read.
PLACE_BYTES = 200
# The part of the memory that holds the rows of a window, as the file has them.
WINDOW_PART = 8
MIB = 1 << 20


def too_large(source: Source, ranks: int) -> bool:
    """Return whether the share of one of so many ranks, and the copies made of it, exceed `source.memory`."""
    if source.memory is None:
        return False
    share = -(-source.rows // ranks) * sum(column.row_bytes for column in source.stored.values())
    return _held(source) + COPIES * share > source.memory


def _held(source: Source) -> int:
    """Return the bytes of a source that stay in memory."""
    return sum(column.stored.held for column in source.stored.values())


def _memory_for_rows(source: Source) -> int:
    """Return the bytes of `source.memory` that rows may take: at least half of it, and enough for one row.

    Raises InputError if there are fewer.
    """
    assert source.memory is not None
    columns = source.stored.values()
    others = _held(source) + max(column.stored.needed for column in columns)
    least = max(2 * others, others + sum(column.least_memory for column in columns))
    if least > source.memory:
        what = "a row" if others == _held(source) else "a compressed chunk"
        raise InputError(
            f"{source.name}: --memory is too small to read {what} at a time; "
            f"give --memory {-(-least // MIB)}MiB or more"
        )
    return source.memory - others


def _warn_if_slow(source: Source, memory: int) -> None:
    """Warn if more rows are stored together than can be read at a time."""
    for name, column in source.stored.items():
        together, most = column.stored.together, column.most_rows(memory // WINDOW_PART)
        if together > most:
            logger.warning(
                "%s: %s rows of the %s are stored together, but --memory allows only %s at a time: this may "
                "be slow; give a larger --memory, or store the array in C order and in chunks of fewer rows",
                source.name,
                f"{together:,}",
                name,
                f"{most:,}",
            )


class Blocks:
    """The rows of a source whose `stored` columns are read in blocks, so that a rank holds at most
    `source.memory` bytes of rows.

    `total` counts the rows. `samples` are the smallest and the largest number of this rank's share. A rank
    also holds the order of the rows: 8 bytes for each row of the source. Making it is collective over `comm`.
    Raises InputError for a bad row, and for a `source.memory` that is too small for one row.
    """

    def __init__(self, source: Source, comm: "MPI.Comm") -> None:
        self._comm, self._columns = comm, source.stored
        self._memory = _memory_for_rows(source)
        _warn_if_slow(source, self._memory)
        self.total = source.rows
        mine = Partition.even(source.rows, comm.size).slice(comm.rank)
        with agree(comm):
            extremes = [self._checked(source, block) for block in self._blocks(mine)]
        self.samples = np.array(extremes, source.dtype)

    def _blocks(self, mine: slice) -> list[slice]:
        """Return the parts in which the rows of this rank are checked. They end between chunks."""
        # A row is in memory as it is stored, as it becomes, and with the results of the checks.
        row = sum(column.least_memory for column in self._columns.values())
        rows, together = max(1, self._memory // 4 // row), self._columns["samples"].stored.together
        rows = rows // together * together or rows
        bounds = [mine.start, *range((mine.start // rows + 1) * rows, mine.stop, rows), mine.stop]
        return [slice(*ends) for ends in pairwise(bounds) if ends[0] < ends[1]]

    @staticmethod
    def _checked(source: Source, block: slice) -> tuple[float, float]:
        """Check the rows of a block. Return their smallest and their largest number."""
        rows = source.read(block.start, block.stop)
        require_usable(source.name, rows, block.start)
        return rows.samples.min(), rows.samples.max()

    def slab(self, name: str, chosen: np.ndarray) -> Slab:
        """Return this rank's share of the `chosen` rows of a column. They are read when they are written."""
        column = self._columns[name]
        shape = (len(chosen), *column.shape[1:])
        mine = partition(shape, column.dtype, self._comm.size).slice(self._comm.rank)
        return Slab.rows(shape, mine.start, _Taken(column, chosen[mine], self._memory))


class _Taken:
    """Rows of a column, in the order of their `numbers` (n,). They are read when they are asked for.

    Rows are asked for in ascending order. A block of them, half of the `memory`, is read at once: the more
    rows, the nearer they are to each other in the file.
    """

    def __init__(self, column: Column, numbers: np.ndarray, memory: int) -> None:
        self.shape, self.dtype = (len(numbers), *column.shape[1:]), column.dtype
        self._column, self._numbers, self._memory = column, numbers, memory
        # The block, and the rows that it has.
        self._block, self._first, self._stop = np.empty(0), 0, 0

    def __getitem__(self, some: slice) -> np.ndarray:
        if some.stop > self._stop:
            self._read(some.start, some.stop - some.start)
        # A copy: the block may change before these rows are written.
        asked = self._block[some.start - self._first : some.stop - self._first].copy()
        if some.stop == len(self._numbers):
            self._block = np.empty(0)
        return asked

    def _read(self, start: int, asked: int) -> None:
        """Read a block from row `start` on, of a multiple of the number of rows that was asked for."""
        column = self._column
        # Besides the block there are a window of the file, and a copy of the rows that were asked for.
        spare = self._memory - column.least_memory + column.row_bytes
        rows = max(1, min(self._memory // 2, spare) // (column.row_bytes + PLACE_BYTES))
        if not len(self._block):
            # One array for all blocks: malloc might not find room for the next one where this one was.
            block = min(max(1, rows // asked) * asked, len(self._numbers))
            self._block = np.empty((block, *self.shape[1:]), self.dtype)
        numbers = self._numbers[start : start + len(self._block)]
        for first in range(0, len(numbers), rows):
            some = slice(first, min(first + rows, len(numbers)))
            column.take(numbers[some], self._block[some], self._memory // WINDOW_PART)
        self._first, self._stop = start, start + len(numbers)
