"""The rows of a source that is larger than memory: they are read in blocks, twice.

First each rank reads its share of the rows one after the other, and checks them. Then it makes the rows that
it writes, a block at a time: it reads the rows of the block in the order of the file, and puts them in their
own. No rank needs another for this.

The cost of the second time depends on what is stored together. A block reads a contiguous row alone, unless
the next one is nearer than `columns.NEAR_BYTES`: then it also reads what lies between. It reads, and
decompresses, whole chunks of an HDF5 file, each once. So all ranks together read a file at most as many times
as it is larger than a block, and a chunk at most as many times as it has rows. The rows of a .npy file in
Fortran order are one chunk. More memory makes larger blocks.
"""

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from hpcgen.data.checks import require_usable
from hpcgen.data.columns import Column
from hpcgen.data.sources import Source
from hpcgen.files.slabs import Slab, partition
from hpcgen.parallel.agreement import agree
from hpcgen.parallel.partition import Partition

if TYPE_CHECKING:
    from mpi4py import MPI

# How many times the rows are in memory when the ranks hold them, and exchange them.
COPIES = 5
# About what the number, the place and the window of a row take in memory while a block is read.
PLACE_BYTES = 200


def too_large(source: Source, ranks: int) -> bool:
    """Return whether the share of one of so many ranks, and the copies made of it, exceed `source.memory`."""
    if source.memory is None:
        return False
    share = -(-source.rows // ranks) * sum(column.row_bytes for column in source.stored.values())
    return _held(source) + COPIES * share > source.memory


def _held(source: Source) -> int:
    """Return the bytes of a source that stay in memory."""
    return sum(column.stored.held for column in source.stored.values())


class Blocks:
    """The rows of a source whose `stored` columns are read in blocks, so that a rank holds `source.memory`.

    `total` counts the rows. `samples` are the smallest and the largest number of this rank's share. Making it
    is collective over `comm`. A rank also holds the order of the rows: 8 bytes for each row of the source.
    """

    def __init__(self, source: Source, comm: "MPI.Comm") -> None:
        assert source.memory is not None
        self._comm, self._columns = comm, source.stored
        self._memory = source.memory - _held(source)
        self.total = source.rows
        mine = Partition.even(source.rows, comm.size).slice(comm.rank)
        with agree(comm):
            extremes = [self._checked(source, block) for block in self._blocks(mine)]
        self.samples = np.array(extremes, source.dtype)

    def _blocks(self, mine: slice) -> list[slice]:
        """Return the parts in which the rows of this rank are checked. They end between chunks."""
        # A row is in memory as it is stored, as it becomes, and with the results of the checks.
        row = sum(column.stored_row_bytes + 2 * column.row_bytes for column in self._columns.values())
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
        rows = max(1, self._memory // 2 // (self._column.row_bytes + PLACE_BYTES))
        if not len(self._block):
            # One array for all blocks: malloc might not find room for the next one where this one was.
            block = min(max(1, rows // asked) * asked, len(self._numbers))
            self._block = np.empty((block, *self.shape[1:]), self.dtype)
        numbers = self._numbers[start : start + len(self._block)]
        for first in range(0, len(numbers), rows):
            some = slice(first, min(first + rows, len(numbers)))
            self._column.take(numbers[some], self._block[some], self._memory // 8)
        self._first, self._stop = start, start + len(numbers)
