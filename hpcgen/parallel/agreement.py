"""Ranks fail together: an error on one rank is raised on all ranks. No rank waits for a failed one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from hpcgen.errors import InputError, RunError

if TYPE_CHECKING:
    from mpi4py import MPI

Result = TypeVar("Result")


# Seconds that a failed rank waits for other ranks, which may be waiting for it, before it fails alone.
PATIENCE_SECONDS = 3.0


class PeerError(RuntimeError):
    """Another rank failed. That rank reports the reason."""


@contextmanager
def agree(comm: "MPI.Comm", patience: float | None = None) -> Iterator[None]:
    """Run the body on every rank. Then raise the error of the lowest failed rank on all ranks.

    Collective over `comm`. The body must not communicate, because a rank that fails leaves it at once.
    `InputError` and `RunError` are raised with the same message on all ranks. Any other error is raised on
    its own rank, and the other ranks raise `PeerError`.

    Set `patience` if the body must communicate, for example in a collective write. The ranks that did not
    fail may then never leave it: a failed rank waits for `patience` seconds, and raises its error alone.
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
    """Wait for an MPI request, at most `seconds`. Return whether it completed."""
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
