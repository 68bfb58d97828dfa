"""Files that take the place of older ones whole, or not at all."""

import os
import re
import shutil
import socket
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

from hpcgen.errors import InputError, RunError, WriteError
from hpcgen.parallel.agreement import agree


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


def _sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
