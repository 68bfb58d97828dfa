"""Write samples to data files, NumPy arrays, text and sound. Each rank has its share of the samples."""

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import chain
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

import numpy as np

from hpcgen.data.prepare import value_range
from hpcgen.data.schema import Schema
from hpcgen.data.writing import write_data
from hpcgen.errors import InputError
from hpcgen.files.replacing import refusals, replacing, require_short
from hpcgen.files.slabs import Part, Slab
from hpcgen.files.writing import CALL_BYTES
from hpcgen.parallel.agreement import agree
from hpcgen.sampling import showing

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


def write(path: Path, comm: "MPI.Comm", slabs: Slabs, schema: Schema, source: str) -> None:
    """Write `slabs`, by column, to a file. The path's ending chooses the kind.

    Every kind of file holds the column "samples". A data file holds all columns. `source` says where the
    samples come from. The file has the same bytes at any number of ranks. Collective over `comm`. Raises the
    errors of `hpcgen.files.writing.write`.
    """
    WRITERS[path.suffix](path, comm, slabs, schema, source)


def _write_hdf5(path: Path, comm: "MPI.Comm", slabs: Slabs, schema: Schema, source: str) -> None:
    samples = slabs["samples"]
    if samples.dtype == np.float32:
        # Samples may be outside the interval of the data. The file declares an interval that holds all of
        # them.
        with agree(comm):
            made = (part.make() for part in samples.parts(CALL_BYTES))
            extremes = [(rows.min(), rows.max()) for rows in made]
        low, high = value_range(comm, np.array(extremes, samples.dtype))
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
    slab = slabs["samples"]
    with agree(comm):
        mine = [(part.where, part.make()) for part in slab.parts(CALL_BYTES)]
    parts = comm.gather(mine)
    with agree(comm):
        if parts is not None:
            samples = np.empty(slab.shape, slab.dtype)
            for where, rows in chain(*parts):
                samples[where] = rows
            showing.save(samples, path, schema, path.suffix)


WRITERS: dict[str, Writer] = {
    ".h5": _write_hdf5,
    ".hdf5": _write_hdf5,
    ".npy": _write_npy,
    ".txt": _write_shown,
    ".wav": _write_shown,
}
