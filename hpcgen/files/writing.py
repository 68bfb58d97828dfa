"""HDF5 files written by all ranks at once, whole or not there."""

import ctypes
import errno
import faulthandler
import os
from math import prod
from pathlib import Path

import h5py
import numpy as np

from hpcgen.errors import InputError, WriteError
from hpcgen.files import seal
from hpcgen.files.checksums import _checksums, read_rows
from hpcgen.files.reading import CHECKSUMS, open_file
from hpcgen.files.replacing import refusals, replacing
from hpcgen.files.slabs import Slab, _size, block_rows
from hpcgen.parallel.agreement import agree

# HDF5 1.10 and Open MPI's OMPIO fail on single transfers of 2 GiB.
CALL_BYTES = 1 << 30


# What HDF5 may add to a file when it closes it, and fallocate's flag that leaves its length alone.
MARGIN, FALLOC_FL_KEEP_SIZE = 1 << 18, 1


# Seconds that a rank which could not write waits for the others: MPI-IO may keep them waiting for it for ever.
PATIENCE = 3.0


# The longest that a write may take before it counts as hanging, in seconds and bytes/s.
LONGEST, SLOWEST = 900.0, 10e6


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
