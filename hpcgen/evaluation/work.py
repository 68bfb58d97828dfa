"""Work that is divided among ranks and the threads of each rank.

Work is cut into items before it is divided, and results are combined in the order of the items. A result is
therefore the same bits at any number of ranks and threads.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any, TypeVar

from hpcgen.errors import InputError
from hpcgen.metrics.blocks import blocks
from hpcgen.parallel.agreement import agree, from_root
from hpcgen.parallel.partition import Partition
from hpcgen.parallel.threads import Workers
from hpcgen.runtime import lane_threads

if TYPE_CHECKING:
    from mpi4py import MPI

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def measurable() -> Iterator[None]:
    """Raise InputError instead of ValueError: numbers that cannot be measured, such as NaN, are bad input."""
    try:
        yield
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"cannot be evaluated: {error}") from None


class Work:
    """The ranks of `comm` and their threads. Every method is collective, and returns the same on all ranks.

    The functions that are given must not communicate. If one fails, all ranks raise its error.
    """

    def __init__(self, comm: "MPI.Comm") -> None:
        self._comm = comm
        self._workers = Workers(lane_threads(comm))

    def close(self) -> None:
        """End the threads."""
        self._workers.close()

    def once(self, function: Callable[[], Result]) -> Result:
        """Return function(), which rank 0 calls."""

        def measured() -> Result:
            with measurable():
                return function()

        return from_root(self._comm, measured)

    def divided(self, items: Sequence[Item], function: Callable[[Item], Result]) -> list[Result]:
        """Return function(item) of all items in their order."""
        mine = Partition.even(len(items), self._comm.size).slice(self._comm.rank)
        with agree(self._comm), measurable():
            found = list(self._workers.each(function, items[mine]))
        return [result for results in self._comm.allgather(found) for result in results]

    def each(self, n: int, function: Callable[[slice], Result]) -> list[Result]:
        """Return function(block) of the blocks of n rows in their order."""
        return self.divided(blocks(n), function)

    def total(
        self, n: int, function: Callable[[slice], Any], join: Callable[[Any, Any], Any] = add, run: int = 1
    ) -> Any:
        """Return function(block) of the blocks of n rows, joined in their order.

        The results of `run` consecutive blocks are joined by the rank that computes them. A longer run means
        that the ranks exchange less.
        """
        cut = blocks(n)
        runs = [cut[first : first + run] for first in range(0, len(cut), run)]
        return reduce(join, self.divided(runs, lambda part: reduce(join, map(function, part))))
