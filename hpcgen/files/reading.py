"""HDF5 files opened for reading. Every failure is one clear line: damage, no access, or a system that
fails."""

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import TypeVar

import h5py

from hpcgen.errors import AccessError, DamagedError, InputError, UnreadableError
from hpcgen.files import seal

CHECKSUMS = "checksums"
# Seconds between attempts to read what the system failed to read. File servers often recover in this time.
RETRY_PAUSES = (0.1, 0.4, 1.0)
# Further attempts cannot mend these.
NO_ACCESS = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG)
DENIED = (errno.EACCES, errno.EPERM)

Result = TypeVar("Result")


def system_error(error: BaseException) -> int | None:
    """Return the errno of the system call that failed, or None if none did. HDF5 hides it in its message."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    hidden = re.search(r"errno = (\d+)", str(error))
    return int(hidden.group(1)) or None if hidden else None


def attempt(path: Path | str, what: str, function: Callable[[], Result], remedy: str = "") -> Result:
    """Return function(), which reads `what` of the file `path` through h5py and does nothing else.

    A system call that fails is tried again, since it says nothing about the file's content. Raises
    AccessError without access, UnreadableError if the system fails again and again, DamagedError if h5py
    cannot make sense of the file's structure.
    """
    for pause in (*RETRY_PAUSES, None):
        try:
            return function()
        except (InputError, UnreadableError):
            raise
        # On a damaged structure h5py raises errors of many types.
        except Exception as error:
            number = system_error(error)
            if number is None:
                raise DamagedError(f"{path}: damaged: cannot read {what} ({_in_one_line(error)})") from error
            if number == errno.ENOENT:
                raise AccessError(f"{path}: no such file{remedy and '; ' + remedy}") from None
            if number in NO_ACCESS or (pause is None and number in DENIED):
                raise AccessError(f"{path}: {os.strerror(number)}") from None
            if pause is None:
                raise UnreadableError(
                    f"{path}: the system cannot read it: {os.strerror(number)}; it may be whole: try "
                    "again later"
                ) from error
            sleep(pause)
    raise AssertionError("the last attempt returns or raises")


@contextmanager
def open_file(path: Path | str, remedy: str = "check the name") -> Iterator[h5py.File]:
    """Open an HDF5 file for reading, after a check of its seal if it has one.

    Raises InputError for a file that is not HDF5, with the remedy, and whatever `attempt` raises.
    """
    if Path(path).is_dir():
        raise InputError(f"{path}: is a folder; {remedy}")
    sealed = attempt(path, "its seal", lambda: seal.check(path), remedy)
    if not sealed and not attempt(path, "its signature", lambda: _has_signature(path), remedy):
        raise InputError(f"{path}: not an HDF5 file; {remedy}")
    file = attempt(path, "its structure", lambda: h5py.File(path, "r", locking="best-effort"), remedy)
    with file:
        if has_checksums(file) and not sealed:
            raise DamagedError(f"{path}: damaged: it has lost its seal")
        yield file


def has_checksums(file: h5py.File) -> bool:
    """Return whether hpcgen wrote the file. What is read from it can then be verified."""
    return attempt(file.filename, "its groups", lambda: file.userblock_size > 0 and CHECKSUMS in file)


def content(file: h5py.File) -> list[str]:
    """Return the names of the file's datasets, without those of their checksums."""

    def names() -> list[str]:
        found: list[str] = []
        file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
        return [name for name in found if not name.startswith(f"{CHECKSUMS}/")]

    return attempt(file.filename, "the names of its datasets", names)


def _has_signature(path: Path | str) -> bool:
    """Return whether the HDF5 signature stands at one of the places where HDF5 looks for it."""
    with open(path, "rb") as file:
        size, place = file.seek(0, os.SEEK_END), 0
        while place < size:
            file.seek(place)
            if file.read(8) == b"\x89HDF\r\n\x1a\n":
                return True
            place = max(512, 2 * place)
    return False


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
