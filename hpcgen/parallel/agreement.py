"""Ranks fail together: an error on one becomes the same error on all, before anybody waits for the one that failed."""

from contextlib import contextmanager

from mpi4py import MPI

from hpcgen.errors import InputError, RunError


class PeerError(RuntimeError):
    """Another rank failed; that rank reports why."""


@contextmanager
def agree(comm):
    """Run the body on every rank, then raise on all ranks what the lowest failing rank raised.

    Collective over `comm`. The body must not communicate: a rank that fails leaves it at once. `InputError` and `RunError`
    are raised with their message everywhere; any other error stays on its rank, and the others raise `PeerError`.
    """
    error = None
    try:
        yield
    except Exception as caught:
        error = caught
    failed = comm.allreduce(comm.size if error is None else comm.rank, op=MPI.MIN)
    if failed == comm.size:
        return
    plain = isinstance(error, (InputError, RunError))
    shared = comm.bcast((type(error), str(error)) if plain and comm.rank == failed else None, root=failed)
    if shared is not None:
        kind, message = shared
        raise kind(message) from error
    raise error or PeerError(f"rank {failed} failed")


def from_root(comm, function, *arguments):
    """Call `function(*arguments)` on rank 0 and return its result on every rank. Collective over `comm`."""
    result = None
    with agree(comm):
        if comm.rank == 0:
            result = function(*arguments)
    return comm.bcast(result)
