"""Ranks fail together: an error on one becomes the same error on all, before anybody waits for the one that
failed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from hpcgen.errors import InputError, RunError

if TYPE_CHECKING:
    from mpi4py import MPI

Result = TypeVar("Result")


class PeerError(RuntimeError):
    """Another rank failed; that rank reports why."""


@contextmanager
def agree(comm: "MPI.Comm", patience: float | None = None) -> Iterator[None]:
    """Run the body on every rank, then raise on all ranks what the lowest failing rank raised.

    Collective over `comm`. The body must not communicate: a rank that fails leaves it at once. `InputError`
    and `RunError` are raised with their message everywhere; any other error stays on its rank, and the others
    raise `PeerError`.

    Where the body must communicate, as a collective write does, those that did not fail may never come out of
    it: a rank that failed then waits for `patience` seconds and raises its error alone.
    """
    from mpi4py import MPI

    error: Exception | None = None
    try:
        yield
    except Exception as caught:
        error = caught
    status = np.array([comm.size if error is None else comm.rank])
    agreed = comm.Iallreduce(MPI.IN_PLACE, status, op=MPI.MIN)
    if error is None or patience is None:
        agreed.Wait()
    elif not completes(agreed, patience):
        raise error
    failed = int(status[0])
    if failed == comm.size:
        return
    plain = isinstance(error, (InputError, RunError))
    shared = comm.bcast((type(error), str(error)) if plain and comm.rank == failed else None, root=failed)
    if shared is not None:
        kind, message = shared
        raise kind(message) from error
    raise PeerError(f"rank {failed} failed") if error is None else error


def completes(request: "MPI.Request", seconds: float) -> bool:
    """Wait for an MPI request, at most `seconds`; tell whether it completed."""
    deadline = monotonic() + seconds
    while not request.Test():
        if monotonic() > deadline:
            return False
        sleep(0.001)
    return True


def from_root(comm: "MPI.Comm", function: Callable[..., Result], *arguments: Any) -> Result:
    """Call `function(*arguments)` on rank 0 and return its result on every rank. Collective over `comm`."""
    result = None
    with agree(comm):
        if comm.rank == 0:
            result = function(*arguments)
    return comm.bcast(result)
