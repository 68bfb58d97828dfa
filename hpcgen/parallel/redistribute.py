"""Change the order and the distribution of the rows of a distributed array."""

import numpy as np
from mpi4py import MPI

from hpcgen.parallel.partition import Partition


def redistribute(
    comm: MPI.Comm, local: np.ndarray, before: Partition, after: Partition, order: np.ndarray
) -> np.ndarray:
    """Return this rank's part of the array whose row i is row order[i] of a distributed array.

    `local` (before.counts[rank], ...) is this rank's part of the distributed array, the rows
    before.slice(rank). The result (after.counts[rank], ...) has the rows after.slice(rank). `order` (n,)
    lists row numbers, each at most once, and is the same on all ranks. Collective over `comm`.
    """
    mine, target = before.slice(comm.rank), after.slice(comm.rank)
    position = np.full(before.total, -1)
    position[order] = np.arange(len(order))
    # Rows are sent in ascending order of their new position, so the rows for one rank are contiguous. Rows
    # with position -1 are not sent.
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
