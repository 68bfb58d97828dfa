"""Compute several lanes, or several cells of a lane, at a time in threads of one rank."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers:
    """Threads that compute lanes or cells. NumPy's products and the compiled kernels release the
    interpreter's lock.

    One thread computes an item, and results are used in the order of the items. The bits therefore do not
    depend on the number of threads.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads, "worker") if threads > 1 else None

    def close(self) -> None:
        if self._pool:
            self._pool.shutdown()

    def each(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield function(item) for each item, in order. At most `threads` items are computed ahead of the
        next result."""
        if self._pool is None:
            yield from map(function, items)
            return
        running: deque = deque()
        for item in items:
            if len(running) == self.threads:
                yield running.popleft().result()
            # Run it in a copy of the context, which holds NumPy's error state.
            running.append(self._pool.submit(copy_context().run, function, item))
        while running:
            yield running.popleft().result()


# The calling thread.
ALONE = Workers(1)
