"""HDF5 files that are whole or not there: written by all ranks at once, checksummed, verified when read.

`write` takes attributes and slabs, one a dataset; the same call serves any number of ranks. Beside each dataset NAME lies
/checksums/NAME, the CRC-32 of each run of `block_rows` rows; the rest of the file is under a seal (`hpcgen.files.seal`). A file
appears under its name only when all of it is on the disk.
"""

import ctypes
import errno
import faulthandler
import os
import re
import shutil
import socket
import tempfile
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path

import h5py
import numpy as np

from hpcgen.errors import DamagedError, InputError, RunError, WriteError
from hpcgen.files import seal
from hpcgen.parallel.agreement import agree
from hpcgen.parallel.partition import BLOCK, Partition

CHECKSUMS = "checksums"
BLOCK_BYTES = 4 * BLOCK
# HDF5 1.10 and Open MPI's OMPIO fail on single transfers of 2 GiB.
CALL_BYTES = 1 << 30
# What HDF5 may add to a file when it closes it, and fallocate's flag that leaves its length alone.
MARGIN, FALLOC_FL_KEEP_SIZE = 1 << 18, 1
# Seconds that a rank which could not write waits for the others: MPI-IO may keep them waiting for it for ever.
PATIENCE = 3.0
# The longest that a write may take before it counts as hanging, in seconds and bytes/s.
LONGEST, SLOWEST = 900.0, 10e6


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


def write(path, comm, attributes, slabs, method=None):
    """Write an HDF5 file with `attributes` (str, int, float) and `slabs` (name -> Slab), replacing any older one at once.

    Every rank passes the same names and attributes. The file is written under another name, flushed to the disk, and only
    then renamed; if any rank fails, the error is raised on all of them and what stood at `path` stays. `method` is
    `write_together`, or `write_in_turn` where h5py has no MPI. Collective over `comm`.

    Raises InputError where the folder cannot be written, RunError where it lacks the room, WriteError where the disk refuses
    (full, over quota): the process must then end (see there).
    """
    path = Path(path)
    method = method or (write_together if parallel() else write_in_turn)
    slabs = dict(slabs)
    names = list(slabs)
    for name in names:
        slab = slabs[name]
        checksums = np.concatenate(
            comm.allgather(_checksums(slab.local, block_rows(slab.shape, slab.local.dtype)))
        )
        slabs[f"{CHECKSUMS}/{name}"] = Slab.replicated(checksums, comm)
    size = _size(slabs)
    with replacing(path, comm, size) as temporary:
        # A collective call inside HDF5 or MPI-IO that some ranks left with an error holds the interpreter of the others.
        faulthandler.dump_traceback_later(LONGEST + size / SLOWEST, exit=True)
        try:
            method(temporary, path, comm, attributes, slabs)
        finally:
            faulthandler.cancel_dump_traceback_later()
        with agree(comm), refusals(path):
            if comm.rank == 0:
                seal.write(temporary, names)
        with agree(comm), refusals(path):
            _read_back(temporary, path, slabs)


@contextmanager
def replacing(path, comm, size):
    """Give the body an empty file of another name to fill with `size` bytes; flush it, then let it take the place of `path`.

    Whatever fails, `path` stays as it was and the other file is removed. Collective over `comm`. Raises as `write`.
    """
    # The machine and the process are in the name: two runs in one folder do not write into one file.
    temporary = comm.bcast(path.with_name(f".{path.name}.{socket.gethostname()}-{os.getpid()}.part"))
    with agree(comm):
        if comm.rank == 0:
            require_room(path, size)
            temporary.touch()
    try:
        yield temporary
        with agree(comm), refusals(path):
            _sync(temporary)
        with agree(comm), refusals(path):
            if comm.rank == 0:
                os.replace(temporary, path)
                _sync(path.parent)
    except BaseException:
        if comm.rank == 0:
            with suppress(OSError):
                temporary.unlink()
        raise


def require_room(path, size):
    """Raise InputError unless a file can be made at `path` (and its folder), RunError unless `size` bytes are free there."""
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise InputError(
            f"{path.parent}: cannot write there: {error.strerror}; choose another folder"
        ) from None
    free = shutil.disk_usage(path.parent).free
    if free < size:
        raise RunError(
            f"{path.parent}: {size:,} bytes are needed there, {free:,} are free; what is there stays as it is"
        )


def require_unread(path, read):
    """Raise InputError if `path`, to be written, is one of the paths that are read or written besides (None among them counts
    for nothing)."""
    for other in filter(None, read):
        if Path(path).resolve() == Path(other).resolve():
            raise InputError(f"{path}: is used for something else here; write to a file of another name")


def parallel():
    """Tell whether h5py can write with MPI."""
    return h5py.get_config().mpi


def write_together(temporary, path, comm, attributes, slabs):
    """Write `temporary`, which is to become `path`, through HDF5's mpio driver: all ranks at once. Collective over `comm`."""
    from mpi4py import MPI

    with agree(comm, PATIENCE), refusals(path):
        file = _abandonable(
            h5py.File(temporary, "w", driver="mpio", comm=comm, userblock_size=seal.block_size(len(slabs)))
        )
        datasets = _create(file, attributes, slabs)
        if comm.rank == 0:
            _reserve(temporary, _size(slabs) + MARGIN)
    transfer = h5py.h5p.create(h5py.h5p.DATASET_XFER)
    transfer.set_dxpl_mpio(h5py.h5fd.MPIO_COLLECTIVE)
    for name, slab in slabs.items():
        rows = max(1, CALL_BYTES // max(1, prod(slab.shape[1:]) * slab.local.dtype.itemsize))
        for call in range(comm.allreduce(-(-len(slab.local) // rows), op=MPI.MAX)):
            with agree(comm, PATIENCE), refusals(path):
                _write_rows(datasets[name], slab, call * rows, rows, transfer)
    with agree(comm, PATIENCE), refusals(path):
        file.flush()
    with agree(comm, PATIENCE), refusals(path):
        _close(file)


def write_in_turn(temporary, path, comm, attributes, slabs):
    """Write `temporary` through HDF5 without MPI: rank after rank opens it and writes its rows. Collective over `comm`."""
    with agree(comm, PATIENCE), refusals(path):
        if comm.rank == 0:
            file = _abandonable(h5py.File(temporary, "w", userblock_size=seal.block_size(len(slabs))))
            _create(file, attributes, slabs)
            _close(file)
    for rank in range(comm.size):
        with agree(comm, PATIENCE), refusals(path):
            if comm.rank == rank:
                file = _abandonable(h5py.File(temporary, "r+"))
                for name, slab in slabs.items():
                    _write_rows(file[name], slab, 0, len(slab.local), None)
                file.flush()
                _close(file)


@contextmanager
def refusals(path):
    """Turn the disk's errors while `path` is written (full, over quota, no permission) into a WriteError that says so."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise WriteError(
            f"{path.parent}: the disk refused {path.name}: {_reason(error)}; what stood there stays as it was"
        ) from error


def _reason(error):
    """Return the system's own words, which HDF5 hides in a paragraph."""
    said = re.search(r"error message = '([^']*)'", str(error))
    return said.group(1) if said else getattr(error, "strerror", None) or " ".join(str(error).split())


@contextmanager
def open_file(path, remedy="look at its name"):
    """Open an HDF5 file for reading; one that is missing or unreadable raises InputError that says why, and the remedy."""
    try:
        if Path(path).is_dir():
            raise InputError(f"{path}: is a folder; {remedy}")
        sealed = seal.check(path)
        file = h5py.File(path, "r", locking="best-effort")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {remedy}") from None
    except PermissionError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    except OSError as error:
        if not h5py.is_hdf5(path):
            raise InputError(f"{path}: not an HDF5 file; {remedy}") from None
        kind = "truncated" if "truncated" in str(error) else "damaged"
        raise DamagedError(
            f"{path}: {kind}: HDF5 cannot open it ({_reason(error)}); copy or make it again"
        ) from None
    with file:
        if has_checksums(file) and not sealed:
            raise DamagedError(f"{path}: damaged: it has lost its seal")
        yield file


def has_checksums(file):
    """Tell whether hpcgen wrote the file, so that what is read can be verified."""
    return file.userblock_size > 0 and CHECKSUMS in file


def content(file):
    """Return the names of the file's datasets, without those of their checksums."""
    return [name for name in _dataset_names(file) if not name.startswith(CHECKSUMS)]


def read_rows(file, name, start=0, stop=None):
    """Return rows [start, stop) of a dataset after comparing each block that they touch with its checksum.

    Raises DamagedError that names the file and the dataset.
    """
    try:
        dataset = file[name]
        stop = len(dataset) if stop is None else stop
        if stop <= start:
            return dataset[:0]
        block = block_rows(dataset.shape, dataset.dtype)
        first, last = start // block, -(-stop // block)
        rows = dataset[first * block : last * block]
        expected = file[f"{CHECKSUMS}/{name}"][first:last]
    except (OSError, RuntimeError, KeyError) as error:
        raise DamagedError(f"{file.filename}: damaged: /{name} cannot be read: {error}") from None
    actual = _checksums(rows, block)
    if not np.array_equal(actual, expected):
        bad = int(np.flatnonzero(actual != expected)[0]) if len(actual) == len(expected) else 0
        row = (first + bad) * block
        raise DamagedError(
            f"{file.filename}: damaged: /{name} differs from its checksum at rows {row} to {row + block - 1}"
        )
    return rows[start - first * block : stop - first * block]


def verify(path, comm):
    """Raise DamagedError unless every byte of every dataset is what was written. Collective over `comm`."""
    with agree(comm), open_file(path) as file:
        for name in content(file):
            dataset = file[name]
            mine = partition(dataset.shape, dataset.dtype, comm.size).slice(comm.rank)
            step = block_rows(dataset.shape, dataset.dtype) * 1024
            for start in range(mine.start, mine.stop, step):
                read_rows(file, name, start, min(start + step, mine.stop))


# Files being written. One that HDF5 could not write stays here: closing it, as Python would when it forgets it, crashes or
# hangs (HDF5 1.10 and 1.14, serial and mpio).
_OPEN = []


def _abandonable(file):
    _OPEN.append(file)
    return file


def _close(file):
    file.close()
    _OPEN.remove(file)


def _create(file, attributes, slabs):
    for name, value in attributes.items():
        file.attrs[name] = value
    # A fill value would write every byte twice.
    return {
        name: file.create_dataset(name, slab.shape, slab.local.dtype, fill_time="never")
        for name, slab in slabs.items()
    }


def _size(slabs):
    return sum(prod(slab.shape) * slab.local.dtype.itemsize for slab in slabs.values())


def _reserve(path, size):
    """Have the file system allot `size` bytes to the file now, where it can, or raise OSError.

    A disk that fills up during a collective write is too late: Open MPI's OMPIO reports success, and some ranks then wait
    inside HDF5 for the others. (fallocate itself: posix_fallocate writes to each block where the file system cannot.)
    """
    fallocate = getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None)
    with open(path, "r+b") as file:
        refused = fallocate and fallocate(
            file.fileno(), FALLOC_FL_KEEP_SIZE, ctypes.c_long(0), ctypes.c_long(size)
        )
    if refused and ctypes.get_errno() in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _write_rows(dataset, slab, first, count, transfer):
    """Write rows [first, first + count) of `slab.local`. A rank without rows takes part with an empty selection (h5py#965)."""
    rows = np.ascontiguousarray(slab.local[first : first + count])
    memory, target = h5py.h5s.create_simple((max(1, len(rows)), *slab.shape[1:])), dataset.id.get_space()
    if len(rows):
        start = (slab.start + first, *[0] * (len(slab.shape) - 1))
        target.select_hyperslab(start, rows.shape)
    else:
        rows = np.zeros((1, *slab.shape[1:]), slab.local.dtype)
        memory.select_none()
        target.select_none()
    dataset.id.write(memory, target, rows, dxpl=transfer)


def _read_back(temporary, path, slabs):
    """Compare what this rank wrote with its checksums: MPI-IO may report success for what never reached the disk."""
    try:
        with open_file(temporary) as file:
            for name, slab in slabs.items():
                if not name.startswith(CHECKSUMS):
                    read_rows(file, name, slab.start, slab.start + len(slab.local))
    except InputError as error:
        raise WriteError(
            f"{path.parent}: the disk did not keep {path.name}: {error}; what stood there stays as it was"
        ) from None


def _checksums(rows, block):
    rows = np.ascontiguousarray(rows)
    return np.array([zlib.crc32(rows[i : i + block]) for i in range(0, len(rows), block)], np.uint32)


def _dataset_names(file):
    names = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names


def _sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
