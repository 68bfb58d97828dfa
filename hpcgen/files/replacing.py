"""Replace files completely or not at all."""

import errno
import os
import re
import shutil
import socket
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hpcgen.errors import InputError, RunError, WriteError
from hpcgen.parallel.agreement import agree

if TYPE_CHECKING:
    from mpi4py import MPI

# The longest path in bytes that Open MPI's OMPIO can write: its buffer of 256 bytes must hold the path,
# ".locktest." and a rank.
LONGEST_PATH = 235
# A temporary file of another machine counts as abandoned if it has not changed for a day.
ABANDONED_SECONDS = 86400.0
# The errors that say that a path no longer leads to anything. ESTALE: another node of NFS removed it.
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)
# The name of a temporary file: CRC-32 of the file's name, machine, process. Open MPI adds the last part.
TEMPORARY = re.compile(r"\.([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]+)\.part(\.locktest\.\d+)?")


def temporary_name(name: str) -> str:
    """Return the temporary name for the file `name`. It identifies the machine and this process."""
    return f".{_crc(name):08x}-{_machine():04x}-{os.getpid():x}.part"


def tidy(folder: Path, name: str | None = None, locked: bool = False) -> None:
    """Remove the temporary files that killed processes left in `folder`, for the file `name` or any file.

    `locked` means that no other process may write there. Then all temporary files are removed.
    """
    for path in folder.glob(".*.part*"):
        found = TEMPORARY.fullmatch(path.name)
        if not found:
            continue
        wanted = name is None or int(found.group(1), 16) == _crc(name)
        if wanted and (locked or _abandoned(path, found)):
            path.unlink(missing_ok=True)


def _abandoned(path: Path, found: re.Match) -> bool:
    """Return whether the process that wrote a temporary file has ended."""
    if int(found.group(2), 16) == _machine():
        process = int(found.group(3), 16)
        return process == os.getpid() or not Path(f"/proc/{process}").exists()
    with suppress(OSError):
        return time.time() - path.stat().st_mtime > ABANDONED_SECONDS
    return False


def _crc(name: str) -> int:
    return zlib.crc32(name.encode(errors="surrogateescape"))


def _machine() -> int:
    return _crc(socket.gethostname()) & 0xFFFF


@contextmanager
def replacing(path: Path, comm: "MPI.Comm", size: int) -> Iterator[Path]:
    """Yield an empty temporary file, which the body fills with `size` bytes. Then flush it and rename it to
    `path`.

    If anything fails, `path` stays as it was and the temporary file is removed. Collective over `comm`.
    Raises InputError if the folder cannot be written, RunError if it lacks the space or was moved or removed
    meanwhile, WriteError if the disk refuses.
    """
    temporary = comm.bcast(path.with_name(temporary_name(path.name)))
    with ExitStack() as stack:
        with agree(comm), refusals(path):
            if comm.rank == 0:
                require_room(path, size)
                require_same = stack.enter_context(held(path.parent))
                tidy(path.parent, path.name)
                stack.callback(_discard, temporary)
                temporary.touch()
        yield temporary
        with agree(comm), refusals(path):
            if comm.rank == 0:
                require_same()
            flush(temporary)
        with agree(comm), refusals(path):
            if comm.rank == 0:
                require_same()
                os.replace(temporary, path)
                flush(path.parent)


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield the path of a temporary file, which the body writes. Then rename it to `path`.

    One process calls this. If anything fails, `path` stays as it was and the temporary file is removed.
    Raises WriteError if the disk refuses, RunError if the folder was moved or removed meanwhile.
    """
    temporary = path.with_name(temporary_name(path.name))
    with refusals(path), held(path.parent) as require_same, ExitStack() as stack:
        stack.callback(_discard, temporary)
        yield temporary
        require_same()
        os.replace(temporary, path)


def replace_text(path: Path, text: str) -> None:
    """Replace `path` by a small text file. Even after a power failure, the old or the new file is complete.

    Raises the errors of `replaced`.
    """
    with replaced(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    with refusals(path):
        flush(path.parent)


@contextmanager
def held(folder: Path) -> Iterator[Callable[[], None]]:
    """Hold a folder open. Yield a function that raises RunError if the path now leads to another folder.

    Another run may have made a folder of the same name after this one was moved or removed.
    """
    descriptor = os.open(folder, os.O_RDONLY)

    def require_same() -> None:
        if not leads_to(folder, descriptor):
            raise RunError(f"{folder}: was moved or removed while a file was written there")

    try:
        yield require_same
    finally:
        os.close(descriptor)


def leads_to(path: Path, descriptor: int) -> bool:
    """Return whether `path` leads to the file or folder that is open as `descriptor`.

    Raises OSError if the system cannot tell.
    """
    try:
        found = os.stat(path)
    except OSError as error:
        if error.errno not in GONE:
            raise
        return False
    return os.path.samestat(found, os.fstat(descriptor))


def _discard(temporary: Path) -> None:
    """Remove a temporary file, and the file that Open MPI may have left to test locks."""
    for left in (temporary, temporary.with_name(f"{temporary.name}.locktest.0")):
        with suppress(OSError):
            left.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Wait until a file, or the list of names in a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_short(path: Path) -> None:
    """Raise InputError if the file `path`, or its temporary file, has a path that is too long for MPI-IO."""
    longest = max(len(os.fsencode(each)) for each in (path, path.parent / temporary_name(path.name)))
    if longest > LONGEST_PATH:
        raise InputError(
            f"{path}: the path is {longest - LONGEST_PATH} bytes too long for MPI-IO; "
            "choose a shorter path, or start from a folder nearer to the file and give a relative path"
        )


def require_target(path: Path | str, size: int = 0) -> None:
    """Make the folder of `path` if it does not exist, then call `require_room`.

    Commands call this before they begin, with the files that they will write. No folder is made later. A run
    whose folder was removed therefore fails, and does not write into a new one.
    """
    path = Path(path)
    with _writable(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    require_room(path, size)


def require_room(path: Path | str, size: int) -> None:
    """Raise InputError unless `path` can be written, RunError unless its folder has `size` bytes free."""
    path = Path(path)
    with _writable(path.parent):
        if path.is_dir():
            raise InputError(f"{path}: is a folder; name a file")
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is a device or a pipe, which hpcgen does not replace; name a file")
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    free = shutil.disk_usage(path.parent).free
    if free < size:
        raise RunError(
            f"{path.parent}: {size:,} bytes are needed there, {free:,} are free; existing files are unchanged"
        )


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    """Turn an OSError, raised while a file is tried in `folder`, into an InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{folder}: cannot write there: {error.strerror}; choose another folder") from None


def require_unread(path: Path, read: Iterable[Path | None]) -> None:
    """Raise InputError if `path`, a file to write, is also one of the files in `read`.

    None entries are ignored.
    """
    for other in filter(None, read):
        if Path(path).resolve() == Path(other).resolve():
            raise InputError(f"{path}: the command uses this file already; write to a file with another name")


@contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Turn an error of the disk (full, over quota, no permission) while `path` is written into WriteError."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if isinstance(error, RunError):
            raise
        raise WriteError(
            f"{path.parent}: the disk refused {path.name}: {_reason(error)}; existing files are unchanged"
        ) from error


def _reason(error: Exception) -> str:
    """Return the system's own error message, which HDF5 embeds in a long text."""
    said = re.search(r"error message = '([^']*)'", str(error))
    return said.group(1) if said else getattr(error, "strerror", None) or " ".join(str(error).split())
