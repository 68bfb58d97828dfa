"""HDF5 files opened for reading: what cannot be read is said in one line."""

from contextlib import contextmanager
from pathlib import Path

import h5py

from hpcgen.errors import DamagedError, InputError
from hpcgen.files import seal
from hpcgen.files.replacing import _reason

CHECKSUMS = "checksums"


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


def _dataset_names(file):
    names = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names
