"""Read HDF5 files. Every failure is reported in one line: damage, no access, or a failure of the system."""

import errno
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import sleep
from typing import TypeVar

import h5py

from hpcgen.errors import AccessError, DamagedError, DeniedError, InputError, UnreadableError
from hpcgen.files import seal

CHECKSUMS = "checksums"
# Seconds between attempts after the system failed to read. File servers often recover in this time.
RETRY_PAUSES = (0.1, 0.4, 1.0)
# Errors of a path that leads to no file. Further attempts cannot mend them.
NO_ACCESS = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG)
# Errors of permissions. On some file servers they are temporary.
DENIED = (errno.EACCES, errno.EPERM)
# Errors of h5py for a file that it cannot read. A damaged structure causes errors of many types.
UNREADABLE = (OSError, LookupError, ValueError, TypeError, RuntimeError, AttributeError, ArithmeticError)
# Bytes that are read at a time to see whether the system can read a file.
TRIAL_BYTES = 1 << 22

Result = TypeVar("Result")


def system_error(error: BaseException) -> int | None:
    """Return the errno of the failed system call, or None if no call failed. HDF5 has it in its message."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    hidden = re.search(r"errno = (\d+)", str(error))
    return int(hidden.group(1)) or None if hidden else None


def attempt(path: Path | str, what: str, function: Callable[[], Result], remedy: str = "") -> Result:
    """Return function(), which only reads from the file `path`. `what` names what it reads.

    Raises AccessError if the system gives no access, UnreadableError if it fails to read, and DamagedError if
    h5py cannot interpret the file's structure. The file must then be closed: after a failed read, HDF5 may
    take uninitialised memory for the file's content. `reread` opens it again.
    """
    try:
        return function()
    except (InputError, UnreadableError):
        raise
    except MemoryError as error:
        raise UnreadableError(f"{path}: not enough memory to read {what}") from error
    except UNREADABLE as error:
        number = system_error(error)
        if number is None and "memory allocation failed" not in str(error):
            raise DamagedError(f"{path}: damaged: cannot read {what} ({_in_one_line(error)})") from error
        if number == errno.ENOENT:
            raise AccessError(f"{path}: no such file{remedy and '; ' + remedy}") from None
        said = os.strerror(number) if number else "not enough memory"
        if number in NO_ACCESS:
            raise AccessError(f"{path}: {said}") from None
        if number in DENIED:
            raise DeniedError(f"{path}: {said}") from None
        raise UnreadableError(
            f"{path}: the system cannot read it: {said}; the file may be undamaged: try again later"
        ) from error


def reread(
    paths: Path | str | Sequence[Path | str],
    function: Callable[[], Result],
    renew: Callable[[], object] = lambda: None,
) -> Result:
    """Return function(), which opens the files `paths`, reads them and closes them.

    A failure of the system says nothing about a file's content, so function() is called again, a few times.
    `renew()` is called before each further call. It closes files that would stay open. A file counts as
    damaged only if two calls in a row find damage and the system can read every byte of the files. Raises the
    error of the last call.
    """
    found: Exception | None = None
    for pause in (*RETRY_PAUSES, None):
        try:
            return function()
        except DamagedError as error:
            if isinstance(found, DamagedError):
                for path in [paths] if isinstance(paths, (str, Path)) else paths:
                    attempt(path, "its bytes", partial(_read_all, path))
                raise
            if pause is None:
                raise found or error from error
            found = error
        except (UnreadableError, DeniedError) as error:
            if pause is None:
                raise
            found = error
        sleep(pause)
        renew()
    raise AssertionError("the last call returns or raises")


def read_file(path: Path | str, what: str, function: Callable[[], Result]) -> Result:
    """Return function(), which opens the file `path`, reads `what` of it and closes it.

    The file may have any format. After a failure, function() is called again as in `reread`. Raises the
    errors of `attempt`.
    """
    return reread(path, lambda: attempt(path, what, function))


def _read_all(path: Path | str) -> None:
    with open(path, "rb", buffering=0) as file:
        while file.read(TRIAL_BYTES):
            pass


@contextmanager
def open_file(path: Path | str, remedy: str = "check the name") -> Iterator[h5py.File]:
    """Check the seal of an HDF5 file, if it has one, and open the file for reading.

    Raises the errors of `attempt`, and InputError with `remedy` for a file that is not HDF5. Use it within
    `reread`.
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
    """Return whether hpcgen wrote the file, with checksums that verify each read."""
    return attempt(file.filename, "its groups", lambda: file.userblock_size > 0 and CHECKSUMS in file)


def content(file: h5py.File) -> list[str]:
    """Return the names of the file's datasets, except the datasets of checksums."""

    def names() -> list[str]:
        found: list[str] = []
        file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
        return [name for name in found if not name.startswith(f"{CHECKSUMS}/")]

    return attempt(file.filename, "the names of its datasets", names)


def _has_signature(path: Path | str) -> bool:
    """Return whether the file has the HDF5 signature at one of the positions where HDF5 looks for it."""
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
