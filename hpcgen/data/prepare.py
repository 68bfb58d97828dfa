"""Make a data file from a source: rows divided among ranks, shuffled once, written by all."""

import numpy as np

from hpcgen.data.file import finite_rows, known_labels
from hpcgen.errors import InputError
from hpcgen.files.replacing import require_room, require_unread
from hpcgen.files.slabs import Slab, partition
from hpcgen.files.writing import write
from hpcgen.parallel.agreement import agree
from hpcgen.parallel.partition import Partition
from hpcgen.parallel.redistribute import redistribute
from hpcgen.streams import Purpose, stream


def prepare(make_source, path, comm, seed=0, keep_order=False, hold_out=None, share=0.2):
    """Write the data file `path` from the source that `make_source()` returns; return its number of rows and sample shape.

    Rows are put in an order drawn from `seed`, so that every lane's shard is alike, unless `keep_order`. The last `share` of
    them go to the data file `hold_out` instead, if one is named. The files are the same at any number of ranks; each rank holds
    1/size of the rows (a compressed source is decompressed by each). Collective over `comm`.

    Raises InputError for a source that cannot be read, or holds NaN or infinity (naming the row).
    """
    with agree(comm):
        source = make_source()
    source.survey(comm)
    with agree(comm):
        _require_rows(source, source.rows)
        if hold_out:
            require_unread(hold_out, [path])
        for target in filter(None, (path, hold_out)):
            require_room(target, 0)
    mine = Partition.even(source.rows, comm.size).slice(comm.rank)
    with agree(comm):
        rows = source.read(mine.start, mine.stop)
        finite_rows(source.name, rows.samples, mine.start)
        if rows.labels is not None:
            known_labels(source.name, rows.labels, mine.start)
        if rows.inputs is not None:
            finite_rows(source.name, rows.inputs, mine.start, "inputs")
    before = Partition(comm.allgather(len(rows)))
    with agree(comm):
        _require_rows(source, before.total)
    low, high = source.range or value_range(comm, rows.samples)
    if not low < high:
        raise InputError(f"{source.name}: all samples are {low}; there is nothing to learn")
    random = stream(seed, Purpose.PREPARE)
    order = np.arange(before.total) if keep_order else random.permutation(before.total)

    def slab(local, chosen):
        shape = (len(chosen), *local.shape[1:])
        after = partition(shape, local.dtype, comm.size)
        return Slab(shape, after.starts[comm.rank], redistribute(comm, local, before, after, chosen))

    attributes = {
        "format": "hpcgen-data",
        "version": 1,
        "kind": source.kind,
        "source": source.name,
        **source.attributes,
    }
    attributes |= {"low": low, "high": high, "seed": seed, "shuffled": int(not keep_order)}
    cut = before.total - round(share * before.total) if hold_out else before.total
    if hold_out and not 0 < cut < before.total:
        raise InputError(
            f"{source.name}: {before.total} rows cannot be divided so that {share} of them are held out"
        )
    for target, chosen in ((path, order[:cut]), (hold_out, order[cut:])):
        if target:
            slabs = {name: slab(getattr(rows, name), chosen) for name in source.columns}
            slabs |= {name: Slab.replicated(array, comm) for name, array in source.constants.items()}
            write(target, comm, attributes, slabs)
    return cut, source.shape


def _require_rows(source, rows):
    if rows == 0 or 0 in source.shape:
        raise InputError(f"{source.name}: holds no samples (its shape is {(rows, *source.shape)})")


def value_range(comm, samples):
    """Return the interval that samples lie in: 0 to 255 for uint8, else the extremes over all ranks. Collective over `comm`."""
    if samples.dtype == np.uint8:
        return 0.0, 255.0
    from mpi4py import MPI

    low, high = samples.min(initial=np.inf), samples.max(initial=-np.inf)
    return float(comm.allreduce(float(low), op=MPI.MIN)), float(comm.allreduce(float(high), op=MPI.MAX))
