"""Make a data file from a source: rows divided among ranks, shuffled once, written by all."""

import numpy as np

from hpcgen import storage
from hpcgen.data.file import finite_rows
from hpcgen.errors import InputError
from hpcgen.parallel.agreement import agree
from hpcgen.parallel.partition import Partition
from hpcgen.parallel.redistribute import redistribute
from hpcgen.storage import Slab, partition, write
from hpcgen.streams import Purpose, stream


def prepare(make_source, path, comm, seed=0, keep_order=False):
    """Write the data file `path` from the source that `make_source()` returns; return its number of rows and sample shape.

    Rows are put in an order drawn from `seed`, so that every lane's shard is alike, unless `keep_order`. The file is the same
    at any number of ranks; each rank holds 1/size of the rows (a compressed source
    is decompressed by each). Collective over `comm`.

    Raises InputError for a source that cannot be read, or holds NaN or infinity (naming the row).
    """
    with agree(comm):
        source = make_source()
        if source.rows == 0 or 0 in source.shape:
            raise InputError(f"{source.name}: holds no samples (its shape is {(source.rows, *source.shape)})")
        storage.require_room(path, 0)
    before = Partition.even(source.rows, comm.size)
    mine = before.slice(comm.rank)
    with agree(comm):
        samples, labels = source.read(mine.start, mine.stop)
        finite_rows(source.name, samples, mine.start)
    low, high = value_range(comm, samples)
    random = stream(seed, Purpose.PREPARE)
    order = np.arange(source.rows) if keep_order else random.permutation(source.rows)

    def slab(local):
        shape = (source.rows, *local.shape[1:])
        after = partition(shape, local.dtype, comm.size)
        return Slab(shape, after.starts[comm.rank], redistribute(comm, local, before, after, order))

    slabs = {"samples": slab(samples)}
    if source.labels:
        slabs["labels"] = slab(labels)
    attributes = {"format": "hpcgen-data", "version": 1, "kind": source.kind, "source": source.name}
    attributes |= {"low": low, "high": high, "seed": seed, "shuffled": int(not keep_order)}
    write(path, comm, attributes, slabs)
    return source.rows, source.shape


def value_range(comm, samples):
    """Return the interval that samples lie in: 0 to 255 for uint8, else the extremes over all ranks. Collective over `comm`."""
    if samples.dtype == np.uint8:
        return 0.0, 255.0
    from mpi4py import MPI

    low, high = samples.min(initial=np.inf), samples.max(initial=-np.inf)
    return float(comm.allreduce(float(low), op=MPI.MIN)), float(comm.allreduce(float(high), op=MPI.MAX))
