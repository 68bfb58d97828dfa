"""Write samples to data files, NumPy arrays, text and sound. Each rank generates its share of the samples."""

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

import numpy as np

from hpcgen.data.prepare import value_range
from hpcgen.data.schema import Schema
from hpcgen.data.writing import write_data
from hpcgen.errors import InputError
from hpcgen.files.replacing import refusals, replacing, require_short
from hpcgen.files.slabs import Part, Slab, partition
from hpcgen.files.writing import CALL_BYTES
from hpcgen.parallel.agreement import PATIENCE_SECONDS, agree
from hpcgen.sampling import showing
from hpcgen.sampling.origins import SAMPLES_A_BLOCK, RowsOf

if TYPE_CHECKING:
    from mpi4py import MPI

Slabs: TypeAlias = Mapping[str, Slab]
Writer: TypeAlias = Callable[[Path, "MPI.Comm", Slabs, Schema, str], None]


def require_writer(path: Path) -> None:
    """Raise InputError if samples cannot be written to a file with this ending."""
    if path.suffix not in WRITERS:
        raise InputError(f"--out {path}: the name must end in .h5, .npy, .txt (text) or .wav (audio)")


def require_path(path: Path) -> None:
    """Raise InputError if `path` is a data file, and the path is too long for MPI-IO."""
    if WRITERS[path.suffix] is _write_hdf5:
        require_short(path)


def write(
    path: Path,
    comm: "MPI.Comm",
    columns: Mapping[str, RowsOf],
    count: int,
    schema: Schema,
    source: str,
    size: int = SAMPLES_A_BLOCK,
    space: int = 1,
) -> None:
    """Generate `count` rows of each column, and write them to a file. The path's ending chooses the kind.

    Every kind of file holds the column "samples". A data file holds all columns. `source` says where the
    samples come from. The rows are made in blocks of `size`, each by `space` consecutive ranks together. The
    file has the same bytes at any number of ranks. Collective over `comm`. Raises the errors of
    `hpcgen.files.writing.write`.
    """
    with agree(comm, None if space == 1 else PATIENCE_SECONDS):
        slabs = {name: _share(count, rows, comm, size, space) for name, rows in columns.items()}
    WRITERS[path.suffix](path, comm, slabs, schema, source)


def _share(count: int, rows: RowsOf, comm: "MPI.Comm", size: int, space: int) -> Slab:
    """Return this rank's share of the `count` rows that rows(start, stop) makes.

    Ranks that make blocks together make every block that overlaps one of their shares. Each rank keeps its
    own rows.
    """
    none = rows(0, 0)
    shape = (count, *none.shape[1:])
    parts, first = partition(shape, none.dtype, comm.size), comm.rank // space * space
    mine, last = parts.slice(comm.rank), parts.slice(first + space - 1)
    kept = [none]
    for start in range(parts.starts[first] // size * size, last.stop, size):
        low, high = max(start, parts.starts[first]), min(start + size, last.stop)
        made = rows(low, high)
        kept.append(made[max(mine.start - low, 0) : max(mine.stop - low, 0)])
    return Slab.rows(shape, mine.start, np.concatenate(kept))


def _local(slab: Slab) -> np.ndarray:
    """Return this rank's rows, which are a single piece."""
    parts = [piece.rows[:] for piece in slab.pieces]
    return parts[0] if parts else np.empty((0, *slab.shape[1:]), slab.dtype)


def _write_hdf5(path: Path, comm: "MPI.Comm", slabs: Slabs, schema: Schema, source: str) -> None:
    samples = _local(slabs["samples"])
    if samples.dtype == np.float32:
        # Samples may be outside the interval of the data. The file declares an interval that holds all of
        # them.
        low, high = value_range(comm, samples)
        schema = replace(schema, low=min(low, schema.low), high=max(high, schema.high))
    write_data(path, comm, slabs, schema, source)


def _write_npy(path: Path, comm: "MPI.Comm", slabs: Slabs, schema: Schema, source: str) -> None:
    slab, header = slabs["samples"], io.BytesIO()
    described = {"descr": slab.dtype.str, "fortran_order": False, "shape": slab.shape}
    np.lib.format.write_array_header_2_0(header, described)
    with (
        replacing(path, comm, slab.bytes) as temporary,
        agree(comm),
        refusals(path),
        open(temporary, "r+b") as file,
    ):
        if comm.rank == 0:
            file.write(header.getbuffer())
        for part in slab.parts(CALL_BYTES):
            _write_box(file, len(header.getbuffer()), slab.shape, part)


def _write_box(file: BinaryIO, first: int, shape: tuple[int, ...], part: Part) -> None:
    """Write the rows of a part to an array of `shape` whose numbers begin at byte `first` of the file.

    A run of numbers that follow each other in the file is written at once.
    """
    rows, where = part.make(), part.where
    # The axes behind this one are whole: a run has all of them, and the places of the part along this axis.
    axis = max((i for i, n in enumerate(rows.shape) if i and n != shape[i]), default=0)
    strides = [prod(shape[i + 1 :]) * rows.itemsize for i in range(len(shape))]
    for index in np.ndindex(rows.shape[:axis]):
        place = [*index, *[0] * (len(shape) - axis)]
        file.seek(first + sum((w.start + i) * n for w, i, n in zip(where, place, strides, strict=True)))
        file.write(np.ascontiguousarray(rows[index]).data)


def _write_shown(path: Path, comm: "MPI.Comm", slabs: Slabs, schema: Schema, source: str) -> None:
    parts = comm.gather(_local(slabs["samples"]))
    with agree(comm):
        if parts is not None:
            showing.save(np.concatenate(parts), path, schema, path.suffix)


WRITERS: dict[str, Writer] = {
    ".h5": _write_hdf5,
    ".hdf5": _write_hdf5,
    ".npy": _write_npy,
    ".txt": _write_shown,
    ".wav": _write_shown,
}
