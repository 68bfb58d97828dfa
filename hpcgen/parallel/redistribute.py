"""Rows of a distributed array in another order and another distribution."""

import numpy as np
from mpi4py import MPI

from hpcgen.parallel.partition import Partition


def redistribute(
    comm: MPI.Comm, local: np.ndarray, before: Partition, after: Partition, order: np.ndarray
) -> np.ndarray:
    """Return this rank's rows of the array whose row i is row order[i] of the distributed array `local` is
    part of.

    `local` (before.counts[rank], ...) holds the rows before.slice(rank); the result (after.counts[rank], ...)
    the rows after.slice(rank). `order` (n,) holds rows, each once at most, the same on all ranks. Collective
    over `comm`.
    """
    mine, target = before.slice(comm.rank), after.slice(comm.rank)
    position = np.full(before.total, -1)
    position[order] = np.arange(len(order))
    # Rows leave in ascending position, so those for one rank lie together and arrive in that order; -1 stays.
    leaving = np.argsort(position[mine])
    leaving = leaving[np.searchsorted(position[mine][leaving], 0) :]
    send = np.ascontiguousarray(local[leaving])
    send_counts = np.diff(np.searchsorted(position[mine][leaving], [*after.starts, after.total]))
    sources = np.searchsorted(before.starts, order[target], side="right") - 1
    arrival = np.argsort(sources, kind="stable")
    receive = np.empty((len(arrival), *local.shape[1:]), local.dtype)
    receive_counts = np.bincount(sources, minlength=comm.size)

    row = MPI.BYTE.Create_contiguous(
        local.dtype.itemsize * int(np.prod(local.shape[1:], dtype=np.int64))
    ).Commit()
    try:
        comm.Alltoallv(
            [send, send_counts, _starts(send_counts), row],
            [receive, receive_counts, _starts(receive_counts), row],
        )
    finally:
        row.Free()
    result = np.empty_like(receive)
    result[arrival] = receive
    return result


def _starts(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)[:-1]])
