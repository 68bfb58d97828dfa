"""Write complete HDF5 files from all ranks together.

`write` takes attributes, and a slab for each dataset. It works in the same way at any number of ranks. For
each dataset /NAME the file also has /checksums/NAME (`hpcgen.files.checksums`). A seal covers the rest of the
file (`hpcgen.files.seal`). A file appears under its name only when all of it is on the disk.
"""

import ctypes
import errno
import faulthandler
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from hpcgen.files import checksums, readback, seal
from hpcgen.files.cover import require_cover
from hpcgen.files.readback import Attributes
from hpcgen.files.reading import CHECKSUMS, reread
from hpcgen.files.replacing import refusals, replacing, require_short
from hpcgen.files.slabs import Part, Slab
from hpcgen.parallel.agreement import agree, from_root

if TYPE_CHECKING:
    from mpi4py import MPI

# The most bytes of rows that a rank makes and writes at once. HDF5 1.10 and Open MPI's OMPIO fail at 2 GiB.
CALL_BYTES = 1 << 25
# The most bytes that HDF5 adds to a file when it closes the file.
CLOSING_BYTES = 1 << 18
# The flag of fallocate that keeps a file's length.
FALLOC_FL_KEEP_SIZE = 1
# Seconds that a rank waits for the others after it failed to write. MPI-IO may never return on the others.
PATIENCE_SECONDS = 3.0
# Seconds that a rank waits for the others after it failed to make rows: the others may have more to do.
MAKING_PATIENCE_SECONDS = 60.0
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
    for name, slab in slabs.items():
        boxes = comm.allgather([piece.where for piece in slab.pieces])
        lengths = checksums.lengths(slab.shape, slab.dtype)
        require_cover(name, slab.shape, lengths, [box for rank in boxes for box in rank])
    summed = {name: checksums.summed(slab) for name, slab in slabs.items()}
    # Checksums come last: they are known when the rows have been made.
    everything = {name: rows for name, (rows, _) in summed.items()}
    everything |= {f"{CHECKSUMS}/{name}": sums for name, (_, sums) in summed.items()}
    with replacing(path, comm, sum(slab.bytes for slab in everything.values())) as temporary:
        method(temporary, path, comm, attributes, everything)
        with agree(comm), readback.kept(path), refusals(path):
            if comm.rank == 0:
                reread(temporary, lambda: readback.require_structure(temporary, attributes, everything))
                seal.write(temporary, list(slabs))
        with agree(comm), readback.kept(path):
            reread(temporary, lambda: readback.require_rows(temporary, slabs))


def parallel() -> bool:
    """Return whether h5py can write with MPI."""
    return h5py.get_config().mpi


@contextmanager
def _step(comm: "MPI.Comm", path: Path, size: int = 0) -> Iterator[None]:
    """Run one step of writing on all ranks: they fail together, and end if it hangs. `size`: the bytes of a
    dataset, some of which are written."""
    seconds = HANGING_SECONDS + min(size, comm.size * CALL_BYTES) / SLOWEST_BYTES_PER_SECOND
    # If one rank leaves a collective call inside HDF5 or MPI-IO with an error, the others never return.
    faulthandler.dump_traceback_later(seconds, exit=True)
    try:
        with agree(comm, PATIENCE_SECONDS), refusals(path):
            yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def write_together(
    temporary: Path, path: Path, comm: "MPI.Comm", attributes: Attributes, slabs: Mapping[str, Slab]
) -> None:
    """Write `temporary`, which will be renamed to `path`, through HDF5's mpio driver, on all ranks at once.

    Collective over `comm`.
    """
    from mpi4py import MPI

    with _step(comm, path):
        file = _abandonable(
            h5py.File(temporary, "w", driver="mpio", comm=comm, userblock_size=seal.block_size(len(slabs)))
        )
        datasets = _create(file, attributes, slabs)
        if comm.rank == 0:
            _reserve(temporary, sum(slab.bytes for slab in slabs.values()) + CLOSING_BYTES)
    transfer = h5py.h5p.create(h5py.h5p.DATASET_XFER)
    transfer.set_dxpl_mpio(h5py.h5fd.MPIO_COLLECTIVE)
    for name, slab in slabs.items():
        parts = list(slab.parts(CALL_BYTES))
        for number in range(comm.allreduce(len(parts), op=MPI.MAX)):
            with agree(comm, MAKING_PATIENCE_SECONDS):
                made = [(part.where, part.make()) for part in parts[number : number + 1]]
            with _step(comm, path, slab.bytes):
                if made:
                    _write_box(datasets[name], *made[0], transfer)
                else:
                    _write_nothing(datasets[name], slab, transfer)
    with _step(comm, path):
        file.flush()
    with _step(comm, path):
        _close(file)


def write_in_turn(
    temporary: Path, path: Path, comm: "MPI.Comm", attributes: Attributes, slabs: Mapping[str, Slab]
) -> None:
    """Write `temporary` through HDF5 without MPI. One rank after the other opens it and writes what all have
    made.

    Collective over `comm`.
    """
    from mpi4py import MPI

    with _step(comm, path):
        if comm.rank == 0:
            file = _abandonable(h5py.File(temporary, "w", userblock_size=seal.block_size(len(slabs))))
            _create(file, attributes, slabs)
            _close(file)
    for group in _groups(slabs):
        turns = _turns(group)
        size = sum(slab.bytes for slab in group.values())
        for number in range(comm.allreduce(len(turns), op=MPI.MAX)):
            with agree(comm, MAKING_PATIENCE_SECONDS):
                turn = turns[number] if number < len(turns) else []
                made = [(name, part.where, part.make()) for name, part in turn]
            for rank in range(comm.size):
                with _step(comm, path, size):
                    if comm.rank == rank and made:
                        file = _abandonable(h5py.File(temporary, "r+"))
                        for name, where, rows in made:
                            _write_box(file[name], where, rows, None)
                        file.flush()
                        _close(file)


def _groups(slabs: Mapping[str, Slab]) -> Iterator[dict[str, Slab]]:
    """Yield the slabs, in their order, in groups of one dataset, or of several with CALL_BYTES at most."""
    group: dict[str, Slab] = {}
    for name, slab in slabs.items():
        if group and sum(other.bytes for other in group.values()) + slab.bytes > CALL_BYTES:
            yield group
            group = {}
        group[name] = slab
    yield group


def _turns(group: Mapping[str, Slab]) -> list[list[tuple[str, Part]]]:
    """Return the parts of a group that this rank writes in each turn: all of them if the group is small."""
    parts = [(name, part) for name, slab in group.items() for part in slab.parts(CALL_BYTES)]
    if sum(slab.bytes for slab in group.values()) <= CALL_BYTES:
        return [parts]
    return [[part] for part in parts]


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
    made = {}
    for name, slab in slabs.items():
        # Without MPI too, datasets lie in the file in the order of their creation.
        early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        # With a fill value, HDF5 would write every byte twice.
        made[name] = file.create_dataset(name, slab.shape, slab.dtype, dcpl=early, fill_time="never")
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


def _write_box(dataset: h5py.Dataset, where: tuple[slice, ...], rows: np.ndarray, transfer: Any) -> None:
    rows = np.ascontiguousarray(rows)
    memory, target = h5py.h5s.create_simple(rows.shape), dataset.id.get_space()
    target.select_hyperslab(tuple(axis.start for axis in where), rows.shape)
    dataset.id.write(memory, target, rows, dxpl=transfer)


def _write_nothing(dataset: h5py.Dataset, slab: Slab, transfer: Any) -> None:
    """Take part in a collective write with an empty selection. h5py's own method hangs (h5py#965)."""
    rows = np.zeros((1, *slab.shape[1:]), slab.dtype)
    memory, target = h5py.h5s.create_simple(rows.shape), dataset.id.get_space()
    memory.select_none()
    target.select_none()
    dataset.id.write(memory, target, rows, dxpl=transfer)
