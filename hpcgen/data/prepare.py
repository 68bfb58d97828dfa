"""Make a data file from a source. The ranks divide the rows, shuffle them once, and write them together."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hpcgen.data.checks import finite_rows, known_labels
from hpcgen.data.schema import Schema
from hpcgen.data.sources import Source
from hpcgen.data.writing import write_data
from hpcgen.errors import InputError
from hpcgen.files.replacing import require_short, require_target, require_unread
from hpcgen.files.slabs import Slab, partition
from hpcgen.parallel.agreement import agree
from hpcgen.parallel.partition import Partition
from hpcgen.parallel.redistribute import redistribute
from hpcgen.streams import Purpose, stream

if TYPE_CHECKING:
    from mpi4py import MPI

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PrepareOptions:
    """How the rows are ordered and divided.

    By default an order drawn from `seed` makes the shards of all lanes alike. `keep_order` keeps the order of
    the source. With `hold_out` the last `share` of the rows go to this data file instead.
    """

    seed: int = 0
    keep_order: bool = False
    hold_out: Path | None = None
    share: float = 0.2


def prepare(
    make_source: Callable[[], Source],
    path: Path | str,
    comm: "MPI.Comm",
    options: PrepareOptions = PrepareOptions(),
) -> tuple[int, tuple[int, ...]]:
    """Write the data file `path` from the source that `make_source()` returns.

    Return the number of rows and the shape of a sample. The files are the same at any number of ranks. Each
    rank holds 1/size of the rows. A compressed source is decompressed by each rank. Collective over `comm`.

    Raises InputError for a source that cannot be read, or for a row with NaN or infinity, which it names.
    """
    path = Path(path)
    with agree(comm):
        source = make_source()
    source.survey(comm)
    with agree(comm):
        _require_rows(source, source.rows)
        if options.hold_out:
            require_unread(options.hold_out, [path])
        if comm.rank == 0:
            for target in filter(None, (path, options.hold_out)):
                require_short(Path(target))
                require_target(target)
    mine = Partition.even(source.rows, comm.size).slice(comm.rank)
    with agree(comm):
        rows = source.read(mine.start, mine.stop)
        finite_rows(source.name, rows.samples, mine.start)
        if rows.labels is not None:
            known_labels(source.name, rows.labels, mine.start)
        if rows.inputs is not None:
            finite_rows(source.name, rows.inputs, mine.start, "inputs")
    for lines in comm.allgather(source.left_out):
        for line in lines:
            logger.warning("hpcgen: %s", line)
    before = Partition(comm.allgather(len(rows)))
    with agree(comm):
        _require_rows(source, before.total)
    low, high = source.range or value_range(comm, rows.samples)
    if not low < high:
        raise InputError(f"{source.name}: all samples are {low}; there is nothing to learn")
    schema = Schema(
        source.shape,
        str(rows.samples.dtype),
        source.kind,
        low,
        high,
        rate=source.rate,
        vocabulary=source.vocabulary,
        units=source.units,
    )
    random = stream(options.seed, Purpose.PREPARE)
    order = np.arange(before.total) if options.keep_order else random.permutation(before.total)

    def slab(local: np.ndarray, chosen: np.ndarray) -> Slab:
        shape = (len(chosen), *local.shape[1:])
        after = partition(shape, local.dtype, comm.size)
        return Slab.rows(shape, after.starts[comm.rank], redistribute(comm, local, before, after, chosen))

    attributes = {**source.attributes, "seed": options.seed, "shuffled": int(not options.keep_order)}
    held_out = round(options.share * before.total) if options.hold_out else 0
    cut = before.total - held_out
    if options.hold_out and not 0 < cut < before.total:
        raise InputError(
            f"{source.name}: {before.total} rows cannot be divided so that {options.share} of them are "
            "held out"
        )
    parts = [(path, order[:cut])]
    if options.hold_out:
        parts.append((Path(options.hold_out), order[cut:]))
    for target, chosen in parts:
        slabs = {name: slab(getattr(rows, name), chosen) for name in source.columns}
        slabs |= {name: Slab.replicated(array, comm.rank) for name, array in source.constants.items()}
        write_data(target, comm, slabs, schema, source.name, attributes)
    return cut, source.shape


def _require_rows(source: Source, rows: int) -> None:
    if rows == 0 or 0 in source.shape:
        raise InputError(f"{source.name}: holds no samples (its shape is {(rows, *source.shape)})")


def value_range(comm: "MPI.Comm", samples: np.ndarray) -> tuple[float, float]:
    """Return the interval that samples lie in: 0 to 255 for uint8, else the extremes over all ranks.
    Collective over `comm`."""
    if samples.dtype == np.uint8:
        return 0.0, 255.0
    from mpi4py import MPI

    low, high = samples.min(initial=np.inf), samples.max(initial=-np.inf)
    return float(comm.allreduce(float(low), op=MPI.MIN)), float(comm.allreduce(float(high), op=MPI.MAX))
