"""Work that is divided among the ranks, and among the threads of each rank.

The work is cut into fixed items, and the results are combined in the order of the items. A result therefore
has the same bits at any number of ranks and threads.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any, TypeVar

from hpcgen.errors import InputError
from hpcgen.metrics.blocks import ROWS_A_BLOCK, blocks
from hpcgen.parallel.agreement import PATIENCE_SECONDS, agree, from_root
from hpcgen.parallel.partition import Partition
from hpcgen.parallel.threads import ALONE, Workers
from hpcgen.runtime import lane_threads

if TYPE_CHECKING:
    from mpi4py import MPI

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def measurable() -> Iterator[None]:
    """Turn a ValueError into an InputError: numbers that cannot be measured, such as NaN, are bad input."""
    try:
        yield
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"cannot be evaluated: {error}") from None


class Work:
    """The ranks of `comm` and their threads. Every method is collective and returns the same on all ranks.

    If a function fails, all ranks raise its error. Groups of `space` consecutive ranks share each item: they
    call a function for the same items in the same order. A function must not communicate, except within its
    group. With `shared` = False a function must not communicate at all: then each rank has items of its own,
    and computes several at a time in `threads` threads (0: as many as `lane_threads` says).
    """

    def __init__(self, comm: "MPI.Comm", space: int = 1, threads: int = 0) -> None:
        self._comm, self._space = comm, space
        self._workers = Workers(threads or lane_threads(comm))

    def close(self) -> None:
        """End the threads."""
        self._workers.close()

    def once(self, function: Callable[[], Result]) -> Result:
        """Call function() on rank 0, and return its result."""

        def measured() -> Result:
            with measurable():
                return function()

        return from_root(self._comm, measured)

    def divided(
        self, items: Sequence[Item], function: Callable[[Item], Result], shared: bool = True
    ) -> list[Result]:
        """Return function(item) for all items, in order."""
        space = self._space if shared else 1
        mine = Partition.even(len(items), self._comm.size // space).slice(self._comm.rank // space)
        workers, patience = (self._workers, None) if space == 1 else (ALONE, PATIENCE_SECONDS)
        with agree(self._comm, patience), measurable():
            found = list(workers.each(function, items[mine]))
        counted = found if self._comm.rank % space == 0 else []
        return [result for results in self._comm.allgather(counted) for result in results]

    def each(self, n: int, function: Callable[[slice], Result], shared: bool = True) -> list[Result]:
        """Return function(block) for all blocks of n rows, in order."""
        return self.divided(blocks(n), function, shared)

    def total(
        self,
        n: int,
        function: Callable[[slice], Any],
        join: Callable[[Any, Any], Any] = add,
        run: int = 1,
        size: int = ROWS_A_BLOCK,
        shared: bool = True,
    ) -> Any:
        """Return the results of function(block) for all blocks of `size` of n rows, joined in order.

        A rank joins the results of `run` consecutive blocks before the ranks exchange them. A longer run
        reduces the exchange.
        """
        cut = blocks(n, size)
        runs = [cut[first : first + run] for first in range(0, len(cut), run)]
        return reduce(join, self.divided(runs, lambda part: reduce(join, map(function, part)), shared))
