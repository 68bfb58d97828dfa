"""Samples written to files: data files, NumPy arrays, text and sound. Each rank writes, or sends, its
share."""

import io
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hpcgen.data.prepare import value_range
from hpcgen.data.schema import Schema
from hpcgen.data.writing import write_data
from hpcgen.files.replacing import refusals, replacing
from hpcgen.files.slabs import Slab
from hpcgen.parallel.agreement import agree
from hpcgen.sampling import showing

if TYPE_CHECKING:
    from mpi4py import MPI

Writer = Callable[[Path, "MPI.Comm", Mapping[str, Slab], Schema, str], None]


def _local(slab: Slab) -> np.ndarray:
    """Return this rank's rows, which are one run."""
    ((_, rows),) = slab.pieces or [(0, np.empty((0, *slab.shape[1:]), slab.dtype))]
    return rows


def _write_hdf5(path: Path, comm: "MPI.Comm", slabs: Mapping[str, Slab], schema: Schema, source: str) -> None:
    samples, low, high = _local(slabs["samples"]), schema.low, schema.high
    if samples.dtype == np.float32:
        # A model may leave the interval of its data. The file declares one that holds all samples.
        least, most = value_range(comm, samples)
        low, high = min(low, least), max(high, most)
    attributes: dict[str, str | int] = {}
    if schema.kind == "audio":
        attributes["rate"] = schema.rate
    if schema.vocabulary:
        attributes["units"] = schema.units
        slabs = {**slabs, "vocabulary": Slab.replicated(schema.code_points, comm.rank)}
    write_data(path, comm, slabs, schema.kind, source, low, high, attributes)


def _write_npy(path: Path, comm: "MPI.Comm", slabs: Mapping[str, Slab], schema: Schema, source: str) -> None:
    slab = slabs["samples"]
    with replacing(path, comm, slab.bytes) as temporary:
        header = io.BytesIO()
        np.lib.format.write_array_header_2_0(
            header, {"descr": slab.dtype.str, "fortran_order": False, "shape": slab.shape}
        )
        with agree(comm), refusals(path), open(temporary, "r+b") as file:
            if comm.rank == 0:
                file.write(header.getbuffer())
            for start, rows in slab.pieces:
                file.seek(len(header.getbuffer()) + start * prod(slab.shape[1:]) * slab.dtype.itemsize)
                file.write(np.ascontiguousarray(rows).data)


def _write_shown(
    path: Path, comm: "MPI.Comm", slabs: Mapping[str, Slab], schema: Schema, source: str
) -> None:
    parts = comm.gather(_local(slabs["samples"]))
    with agree(comm), refusals(path):
        if parts is not None:
            showing.save(np.concatenate(parts), path, schema, path.suffix)


WRITERS: dict[str, Writer] = {
    ".h5": _write_hdf5,
    ".hdf5": _write_hdf5,
    ".npy": _write_npy,
    ".txt": _write_shown,
    ".wav": _write_shown,
}
