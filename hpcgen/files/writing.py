"""Write complete HDF5 files from all ranks together.

`write` takes attributes, and a slab for each dataset. It works in the same way at any number of ranks. For
each dataset /NAME the file also has /checksums/NAME (`hpcgen.files.checksums`). A seal covers the rest of the
file (`hpcgen.files.seal`). A file appears under its name only when all of it is on the disk.
"""

import ctypes
import errno
import faulthandler
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from hpcgen.files import checksums, readback, seal
from hpcgen.files.readback import Attributes
from hpcgen.files.reading import CHECKSUMS, reread
from hpcgen.files.replacing import refusals, replacing, require_short
from hpcgen.files.slabs import Slab, block_rows
from hpcgen.parallel.agreement import agree, from_root

if TYPE_CHECKING:
    from mpi4py import MPI

# The most bytes in one transfer: HDF5 1.10 and Open MPI's OMPIO fail at 2 GiB.
CALL_BYTES = 1 << 30
# The most bytes that HDF5 adds to a file when it closes the file.
CLOSING_BYTES = 1 << 18
# The flag of fallocate that keeps a file's length.
FALLOC_FL_KEEP_SIZE = 1
# Seconds that a rank waits for the others after it failed to write. MPI-IO may never return on the others.
PATIENCE_SECONDS = 3.0
# A write counts as hanging after the time that the slowest disk needs, plus this many seconds.
HANGING_SECONDS = 900.0
# The speed of the slowest disk.
SLOWEST_BYTES_PER_SECOND = 10e6

Method = Callable[[Path, Path, "MPI.Comm", Attributes, Mapping[str, Slab]], None]


def write(
    path: Path | str,
    comm: "MPI.Comm",
    attributes: Attributes,
    slabs: Mapping[str, Slab],
    method: Method | None = None,
) -> None:
    """Write an HDF5 file with `attributes` and `slabs` (by dataset). It replaces an older file atomically.

    Every rank passes the same names and attributes. The file is written under a temporary name, read back,
    flushed to the disk, and only then renamed. If any rank fails, all ranks raise the error, and the file at
    `path` stays as it was. `method` is `write_together`, or `write_in_turn` if h5py has no MPI. Collective
    over `comm`.

    Raises InputError if the folder is not writable, RunError if it lacks space, WriteError if the disk
    refuses (full, over quota) or loses data. After a WriteError the process must end.
    """
    path = Path(path)
    from_root(comm, require_short, path)
    method = method or (write_together if parallel() else write_in_turn)
    checked = {f"{CHECKSUMS}/{name}": _checksum_slab(name, slab, comm) for name, slab in slabs.items()}
    everything = {**slabs, **checked}
    size = sum(slab.bytes for slab in everything.values())
    with replacing(path, comm, size) as temporary:
        # If one rank leaves a collective call inside HDF5 or MPI-IO with an error, the others never return.
        faulthandler.dump_traceback_later(HANGING_SECONDS + size / SLOWEST_BYTES_PER_SECOND, exit=True)
        try:
            method(temporary, path, comm, attributes, everything)
        finally:
            faulthandler.cancel_dump_traceback_later()
        with agree(comm), readback.kept(path), refusals(path):
            if comm.rank == 0:
                reread(temporary, lambda: readback.require_structure(temporary, attributes, everything))
                seal.write(temporary, list(slabs))
        with agree(comm), readback.kept(path):
            reread(temporary, lambda: readback.require_rows(temporary, slabs))


def parallel() -> bool:
    """Return whether h5py can write with MPI."""
    return h5py.get_config().mpi


def _checksum_slab(name: str, slab: Slab, comm: "MPI.Comm") -> Slab:
    """Return the slab of a dataset's checksums, which rank 0 writes.

    Collective over `comm`. Raises ValueError unless the pieces of all ranks are whole blocks and hold each
    row once.
    """
    block = block_rows(slab.shape, slab.dtype)
    mine = [(start // block, checksums.of(rows, slab.shape)) for start, rows in slab.pieces]
    boxes = checksums.box_shape(slab.shape, slab.dtype)
    grid = [-(-size // length) for size, length in zip(slab.shape[1:], boxes, strict=True)]
    found = np.zeros((-(-slab.shape[0] // block), *grid), np.uint32)
    pieces = [(start, len(rows)) for start, rows in slab.pieces]
    _require_cover(name, slab, block, [piece for rank in comm.allgather(pieces) for piece in rank])
    for rank in comm.allgather(mine):
        for first, values in rank:
            found[first : first + len(values)] = values
    # If a row has one checksum, leave out the axes of boxes: all versions of hpcgen read this layout.
    plain = found.reshape(len(found)) if found.size == len(found) else found
    return Slab.replicated(plain, comm.rank)


def _require_cover(name: str, slab: Slab, block: int, pieces: list[tuple[int, int]]) -> None:
    """Raise ValueError unless `pieces` (first row, rows) of all ranks are whole blocks and hold each row
    once."""
    end = 0
    for start, count in sorted(pieces):
        if start != end or start % block:
            raise ValueError(f"/{name}: a piece starts at row {start}, not at row {end}")
        end = start + count
    if end != slab.shape[0]:
        raise ValueError(f"/{name}: the pieces of all ranks hold {end} rows of {slab.shape[0]}")


def write_together(
    temporary: Path, path: Path, comm: "MPI.Comm", attributes: Attributes, slabs: Mapping[str, Slab]
) -> None:
    """Write `temporary`, which will be renamed to `path`, through HDF5's mpio driver, on all ranks at once.

    Collective over `comm`.
    """
    from mpi4py import MPI

    with agree(comm, PATIENCE_SECONDS), refusals(path):
        file = _abandonable(
            h5py.File(temporary, "w", driver="mpio", comm=comm, userblock_size=seal.block_size(len(slabs)))
        )
        datasets = _create(file, attributes, slabs)
        if comm.rank == 0:
            _reserve(temporary, sum(slab.bytes for slab in slabs.values()) + CLOSING_BYTES)
    transfer = h5py.h5p.create(h5py.h5p.DATASET_XFER)
    transfer.set_dxpl_mpio(h5py.h5fd.MPIO_COLLECTIVE)
    for name, slab in slabs.items():
        calls = list(slab.calls(CALL_BYTES))
        for call in range(comm.allreduce(len(calls), op=MPI.MAX)):
            with agree(comm, PATIENCE_SECONDS), refusals(path):
                if call < len(calls):
                    _write_rows(datasets[name], *calls[call], transfer)
                else:
                    _write_nothing(datasets[name], slab, transfer)
    with agree(comm, PATIENCE_SECONDS), refusals(path):
        file.flush()
    with agree(comm, PATIENCE_SECONDS), refusals(path):
        _close(file)


def write_in_turn(
    temporary: Path, path: Path, comm: "MPI.Comm", attributes: Attributes, slabs: Mapping[str, Slab]
) -> None:
    """Write `temporary` through HDF5 without MPI. One rank after the other opens it and writes its rows.

    Collective over `comm`.
    """
    with agree(comm, PATIENCE_SECONDS), refusals(path):
        if comm.rank == 0:
            file = _abandonable(h5py.File(temporary, "w", userblock_size=seal.block_size(len(slabs))))
            _create(file, attributes, slabs)
            _close(file)
    for rank in range(comm.size):
        with agree(comm, PATIENCE_SECONDS), refusals(path):
            if comm.rank == rank:
                file = _abandonable(h5py.File(temporary, "r+"))
                for name, slab in slabs.items():
                    for start, rows in slab.calls(CALL_BYTES):
                        _write_rows(file[name], start, rows, None)
                file.flush()
                _close(file)


# Files that are being written. A file that HDF5 failed to write stays in this list, so that Python does not
# close it: closing it crashes or hangs (HDF5 1.10 and 1.14, serial and mpio).
_OPEN: list[h5py.File] = []


def _abandonable(file: h5py.File) -> h5py.File:
    _OPEN.append(file)
    return file


def _close(file: h5py.File) -> None:
    file.close()
    _OPEN.remove(file)


def _create(file: h5py.File, attributes: Attributes, slabs: Mapping[str, Slab]) -> dict[str, h5py.Dataset]:
    for name, value in attributes.items():
        file.attrs[name] = value
    # With a fill value, HDF5 would write every byte twice.
    made = {
        name: file.create_dataset(name, slab.shape, slab.dtype, fill_time="never")
        for name, slab in slabs.items()
    }
    for name, box in checksums.boxes(slabs).items():
        made[name].attrs[checksums.BOX] = box
    return made


def _reserve(path: Path, size: int) -> None:
    """Reserve `size` bytes on the disk for the file, if the file system can. Raise OSError if it is full.

    An error during a collective write comes too late: Open MPI's OMPIO reports success, and some ranks then
    wait inside HDF5 for the others. posix_fallocate is not used, because it writes to each block if the file
    system cannot reserve.
    """
    fallocate = getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None)
    with open(path, "r+b") as file:
        refused = fallocate and fallocate(
            file.fileno(), FALLOC_FL_KEEP_SIZE, ctypes.c_long(0), ctypes.c_long(size)
        )
    if refused and ctypes.get_errno() in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _write_rows(dataset: h5py.Dataset, start: int, rows: np.ndarray, transfer: Any) -> None:
    rows = np.ascontiguousarray(rows)
    memory, target = h5py.h5s.create_simple(rows.shape), dataset.id.get_space()
    target.select_hyperslab((start, *[0] * (rows.ndim - 1)), rows.shape)
    dataset.id.write(memory, target, rows, dxpl=transfer)


def _write_nothing(dataset: h5py.Dataset, slab: Slab, transfer: Any) -> None:
    """Take part in a collective write with an empty selection. h5py's own method hangs (h5py#965)."""
    rows = np.zeros((1, *slab.shape[1:]), slab.dtype)
    memory, target = h5py.h5s.create_simple(rows.shape), dataset.id.get_space()
    memory.select_none()
    target.select_none()
    dataset.id.write(memory, target, rows, dxpl=transfer)
