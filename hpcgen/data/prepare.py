"""Make a data file from a source. The ranks divide the rows, shuffle them once, and write them together."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hpcgen.data.blocks import Blocks, too_large
from hpcgen.data.held import Held
from hpcgen.data.schema import Schema
from hpcgen.data.sources import Source
from hpcgen.data.writing import write_data
from hpcgen.errors import InputError
from hpcgen.files.replacing import require_short, require_target, require_unread
from hpcgen.files.slabs import Slab
from hpcgen.parallel.agreement import agree
from hpcgen.streams import Purpose, stream

if TYPE_CHECKING:
    from mpi4py import MPI

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PrepareOptions:
    """How the rows are ordered and divided.

    By default the rows are shuffled in an order drawn from `seed`, so that the shards of all lanes are alike.
    `keep_order` keeps the order of the source. With `hold_out`, the last `share` of the rows go to that data
    file instead.
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
    rank holds 1/size of the rows, or blocks of them if these need more than `source.memory`. Every rank
    decompresses a compressed source. Collective over `comm`.

    Raises InputError for a source that cannot be read, or for a row with NaN or infinity. The error names the
    row.
    """
    path = Path(path)
    with agree(comm):
        source = make_source()
    source.survey(comm)
    with agree(comm):
        _require_rows(source, source.rows)
        most = _kept(source, source.rows, options)
        if comm.rank == 0:
            _require_targets(source, path, most, options.hold_out)
    if too_large(source, comm.size):
        logger.info("%s: larger than the memory that is allowed; it is read twice, in blocks", source.name)
        rows: Blocks | Held = Blocks(source, comm)
    else:
        rows = Held(source, comm)
    with agree(comm):
        _require_rows(source, rows.total)
    schema = _schema(source, rows.samples, comm)
    order = _order(rows.total, options)
    kept = _kept(source, rows.total, options)
    attributes = {**source.attributes, "seed": options.seed, "shuffled": int(not options.keep_order)}
    for target, chosen in ((path, order[:kept]), (options.hold_out, order[kept:])):
        if target:
            slabs = {name: rows.slab(name, chosen) for name in source.columns}
            slabs |= {name: Slab.replicated(array, comm.rank) for name, array in source.constants.items()}
            write_data(Path(target), comm, slabs, schema, source.name, attributes)
    return kept, source.shape


def _require_rows(source: Source, rows: int) -> None:
    if rows == 0 or 0 in source.shape:
        raise InputError(f"{source.name}: holds no samples (its shape is {(rows, *source.shape)})")


def _require_targets(source: Source, path: Path, kept: int, hold_out: Path | None) -> None:
    """Raise InputError unless the data files can be written, RunError unless the samples fit on the disk.

    Their folders are made. A large source is read for hours before it is written, so the room is checked now.
    """
    if hold_out:
        require_unread(hold_out, [path])
    row_bytes = prod(source.shape) * np.dtype(source.dtype).itemsize
    for target, rows in ((path, kept), (hold_out, source.rows - kept)):
        if target:
            require_short(Path(target))
            require_target(target, rows * row_bytes)


def _schema(source: Source, samples: np.ndarray, comm: "MPI.Comm") -> Schema:
    """Return the description of the samples. Raises InputError if all are the same number.

    Collective over `comm`.
    """
    low, high = source.range or value_range(comm, samples)
    if not low < high:
        raise InputError(f"{source.name}: all samples are {low}; there is nothing to learn")
    return Schema(
        source.shape,
        str(samples.dtype),
        source.kind,
        low,
        high,
        rate=source.rate,
        vocabulary=source.vocabulary,
        units=source.units,
    )


def _order(rows: int, options: PrepareOptions) -> np.ndarray:
    """Return the order in which rows are written, (rows,)."""
    if options.keep_order:
        return np.arange(rows)
    return stream(options.seed, Purpose.PREPARE).permutation(rows)


def _kept(source: Source, rows: int, options: PrepareOptions) -> int:
    """Return how many rows are not held out. Raises InputError unless both parts have some."""
    if not options.hold_out:
        return rows
    kept = rows - round(options.share * rows)
    if not 0 < kept < rows:
        raise InputError(
            f"{source.name}: {rows} rows cannot be divided so that {options.share} of them are held out"
        )
    return kept


def value_range(comm: "MPI.Comm", samples: np.ndarray) -> tuple[float, float]:
    """Return the interval of the samples: 0 to 255 for uint8, else the extremes over all ranks.

    Collective over `comm`.
    """
    if samples.dtype == np.uint8:
        return 0.0, 255.0
    from mpi4py import MPI

    low, high = samples.min(initial=np.inf), samples.max(initial=-np.inf)
    return float(comm.allreduce(float(low), op=MPI.MIN)), float(comm.allreduce(float(high), op=MPI.MAX))
