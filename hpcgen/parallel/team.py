"""The ranks that share a lane, and the cells that each of them has."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from hpcgen.arrays import Array, from_host, to_host
from hpcgen.errors import InputError
from hpcgen.nn.divided import Divided
from hpcgen.nn.kernels import contiguous
from hpcgen.parallel.cells import Grid
from hpcgen.parallel.mesh import LARGEST_COUNT
from hpcgen.parallel.partition import Partition
from hpcgen.parallel.stopwatch import Stopwatch
from hpcgen.parallel.threads import ALONE, Workers
from hpcgen.parallel.tree import tree_sum

if TYPE_CHECKING:
    from mpi4py import MPI

Result = TypeVar("Result")


@dataclass
class Traffic:
    """The messages and bytes that this rank has sent to the other ranks of its team.

    `watch` counts the time of the messages, including waiting, as "team".
    """

    watch: Stopwatch
    messages: int = 0
    bytes: int = 0

    @contextmanager
    def __call__(self, messages: int, sent: int) -> Iterator[None]:
        """Count `messages` messages with `sent` bytes in all, and the time of the body."""
        with self.watch("team"):
            yield
        self.messages += messages
        self.bytes += sent


class Team:
    """The ranks of `comm`, among which `deal` divides the cells of `grid`. Each has a run of cells.

    `mine` are the numbers of this rank's cells. All ranks of a team must use its operators in the same order,
    one lane at a time. The threads of `workers` compute the cells of a rank, and never communicate.
    """

    def __init__(
        self,
        comm: "MPI.Comm",
        grid: Grid,
        deal: Partition,
        workers: Workers = ALONE,
        watch: Stopwatch | None = None,
    ) -> None:
        self.comm, self.grid, self.deal = comm, grid, deal
        self.traffic = Traffic(watch or Stopwatch())
        self._workers = workers
        mine = deal.slice(comm.rank)
        self.mine = range(mine.start, mine.stop)
        # The rank of each cell.
        self.owners = [rank for rank, count in enumerate(deal.counts) for _ in range(count)]

    @property
    def first(self) -> bool:
        """Whether this rank has the first cell. It alone counts results that are the same on all ranks."""
        return self.mine.start == 0

    def here(self, cell: int) -> int:
        """Return the position of a cell among this rank's cells."""
        return cell - self.mine.start

    def each(self, function: Callable[..., Result], *cells: Sequence[Any]) -> list[Result]:
        """Return function(*cell) for each cell of this rank. Threads compute several cells at a time."""
        return list(self._workers.each(lambda cell: function(*cell), zip(*cells, strict=True)))

    def divided(self, cells: Sequence[Any]) -> Divided:
        """Return the Divided of this rank's cells."""
        return Divided(cells, self)

    def cut(self, samples: Array) -> Divided:
        """Return this rank's cells of whole samples (n, *places, ...). samples: the same on all ranks."""
        sizes = samples.shape[1 : 1 + len(self.grid.shape)]
        regions = (self.grid.region(cell, sizes) for cell in self.mine)
        return self.divided([contiguous(samples[(slice(None), *region)]) for region in regions])

    def total(self, parts: Sequence[Any]) -> Any:
        """Return the sum over all cells of the lane, added in a fixed tree.

        `parts`: distributed, an array or number for each cell of this rank, all of one shape. The sum: the
        same on all ranks. Collective over `comm`.
        """
        if self.comm.size == 1:
            return tree_sum(parts)
        host = self.gathered(np.stack([to_host(part) for part in parts]))
        return from_host(np.asarray(tree_sum(list(host))))

    def gathered(self, parts: np.ndarray) -> np.ndarray:
        """Return the parts of all cells, (cells, ...), the same on all ranks.

        `parts`: distributed, (this rank's cells, ...). Both are in host memory, where MPI reads and writes.
        Collective over `comm`.
        """
        if self.comm.size == 1:
            return parts
        whole = np.empty((len(self.grid), *parts.shape[1:]), parts.dtype)
        unit = parts[0].size
        counts = [count * unit for count in self.deal.counts]
        starts = [start * unit for start in self.deal.starts]
        others = self.comm.size - 1
        with self.traffic(others, others * parts.nbytes):
            self.comm.Allgatherv(np.ascontiguousarray(parts), [whole, (counts, starts)])
        return whole


def require_countable(numbers: int) -> None:
    """Raise InputError if MPI cannot exchange so many numbers in one message."""
    if numbers > LARGEST_COUNT:
        raise InputError(
            f"{numbers:,} numbers of a layer pass between ranks at once; MPI can exchange at most "
            f"{LARGEST_COUNT:,}: give train.lane_size fewer samples"
        )
