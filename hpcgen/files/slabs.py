"""Slabs: the rows of a dataset that one rank holds."""

from dataclasses import dataclass
from math import prod

import numpy as np

from hpcgen.parallel.partition import BLOCK, Partition

BLOCK_BYTES = 4 * BLOCK


@dataclass
class Slab:
    """This rank's rows of a dataset: `local` (n_local, ...) from row `start` of `shape`; n_local may be 0.

    `start` and the end are multiples of `block_rows(shape, dtype)`, or the end is the dataset's; `partition` arranges that.
    """

    shape: tuple
    start: int
    local: np.ndarray

    @classmethod
    def replicated(cls, array, comm):
        """Return the slab of an array that every rank has: rank 0 writes it."""
        return cls(array.shape, 0, array if comm.rank == 0 else array[:0])


def block_rows(shape, dtype):
    """Return the number of rows that one checksum covers: 16 KiB of them, or a single larger row."""
    return max(1, BLOCK_BYTES // max(1, prod(shape[1:]) * np.dtype(dtype).itemsize))


def partition(shape, dtype, parts):
    """Return how `parts` ranks divide the rows of a dataset between them for `write`."""
    return Partition.even(shape[0], parts, block_rows(shape, dtype))


def _size(slabs):
    return sum(prod(slab.shape) * slab.local.dtype.itemsize for slab in slabs.values())
