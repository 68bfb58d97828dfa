import errno
import os
import resource
from contextlib import contextmanager, nullcontext

import h5py
import numpy as np
import pytest
from stored import flip

from hpcgen.errors import AccessError, DamagedError, InputError, UnreadableError
from hpcgen.files import reading
from hpcgen.files.checksums import read, verify
from hpcgen.files.reading import attempt, content, open_file, reread


@pytest.mark.parametrize("name", ["vector", "group/images", "large/rows"])
@pytest.mark.parametrize("where", [0.0, 0.5, 0.999])
def test_a_flipped_bit_is_found(comm, written, name, where):
    path, arrays = written
    if comm.rank == 0:
        with h5py.File(path) as file:
            offset, size = file[name].id.get_offset(), arrays[name].nbytes
        flip(path, offset + int(where * size))
    comm.Barrier()
    with pytest.raises(DamagedError, match=f"/{name} differs from its checksum at rows"):
        verify(path, comm)


def test_a_changed_attribute_is_found(comm, written):
    path, _ = written
    if comm.rank == 0:
        with h5py.File(path, "r+") as file:
            file.attrs["step"] = 8
    comm.Barrier()
    with pytest.raises(DamagedError, match=r"longer|structure or attributes"):
        verify(path, comm)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_truncated_file_is_found(comm, written, share):
    path, _ = written
    if comm.rank == 0:
        os.truncate(path, int(share * os.path.getsize(path)))
    comm.Barrier()
    with pytest.raises(DamagedError, match="truncated"):
        verify(path, comm)


def test_zeros_are_found(comm, written):
    """What a killed writer leaves behind: full size, opens, zeros inside."""
    path, _ = written
    if comm.rank == 0:
        with h5py.File(path, "r+") as file:
            file["vector"][4096:8192] = 0
    comm.Barrier()
    with pytest.raises(DamagedError, match="rows 4096 to 8191"):
        verify(path, comm)


def test_other_files_are_refused(comm, folder):
    if comm.rank == 0:
        (folder / "text.h5").write_text("not HDF5")
        (folder / "empty.h5").touch()
    comm.Barrier()
    for name, reason in [
        ("missing.h5", "no such file"),
        ("text.h5", "not an HDF5 file"),
        ("empty.h5", "not an HDF5 file"),
    ]:
        with pytest.raises(InputError, match=reason), open_file(folder / name):
            pass


@contextmanager
def failing(file):
    """Let reads of an open HDF5 file fail with EIO: its descriptor reads from address 0 of this process."""
    descriptor = file.id.get_vfd_handle()
    whole = os.dup(descriptor)
    with open("/proc/self/mem", "rb") as memory:
        os.dup2(memory.fileno(), descriptor)
    try:
        yield
    finally:
        os.dup2(whole, descriptor)
        os.close(whole)


def opened(path):
    with open_file(path):
        pass


@pytest.fixture
def pauses(monkeypatch):
    """The pauses between attempts, which take no time."""
    made = []
    monkeypatch.setattr(reading, "sleep", made.append)
    return made


READS = {
    "rows": lambda file: read(file, "vector"),
    "attributes": lambda file: attempt(file.filename, "its attributes", lambda: file.attrs["name"]),
    "structure": lambda file: attempt(file.filename, "its structure", lambda: file["group/images"]),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_read_that_the_system_refuses_is_no_damage(comm, written, pauses, read):
    path, _ = written
    message = "the system cannot read it: Input/output error"
    with pytest.raises(UnreadableError, match=message) as error, open_file(path) as file, failing(file):
        read(file)
    assert not isinstance(error.value, InputError)
    comm.Barrier()
    with open_file(path) as file:
        read(file)


def test_a_read_that_the_system_refuses_once_succeeds(comm, written, pauses):
    path, arrays = written
    failures = [True]

    def read_vector():
        with open_file(path) as file, failing(file) if failures else nullcontext():
            failures.clear()
            return read(file, "vector")

    assert reread(path, read_vector).tobytes() == arrays["vector"].tobytes()
    assert pauses == [reading.RETRY_PAUSES[0]]


def test_damage_that_a_second_look_does_not_find_is_none(pauses):
    found = iter([DamagedError("x"), UnreadableError("x"), DamagedError("x")])

    def look():
        for error in found:
            raise error
        return "whole"

    assert reread((), look) == "whole"


def test_damage_counts_only_if_the_system_can_read_the_file(tmp_path, pauses):
    def look():
        raise DamagedError("x")

    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(DamagedError):
        reread(tmp_path / "file", look)
    with pytest.raises(UnreadableError, match="Input/output error"):
        reread("/proc/self/mem", look)


def test_a_lack_of_memory_is_no_damage(tmp_path):
    def look():
        raise MemoryError

    with pytest.raises(UnreadableError, match="not enough memory to read its rows"):
        attempt(tmp_path, "its rows", look)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM])
@pytest.mark.parametrize("where", ["h5py", "seal"])
def test_a_file_that_the_system_refuses_to_open_is_no_damage(
    comm, written, pauses, monkeypatch, number, where
):
    path, _ = written

    def refuse(*arguments, **options):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch, pytest.raises(UnreadableError, match=os.strerror(number)):
        patch.setattr(*((h5py, "File") if where == "h5py" else (reading.seal, "check")), refuse)
        reread(path, lambda: opened(path))
    assert pauses == list(reading.RETRY_PAUSES)
    with open_file(path):
        pass


def test_too_many_open_files_are_no_damage(comm, written, pauses):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(UnreadableError, match="Too many open files"), open_file(written[0]):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_file_that_the_user_may_not_read_is_bad_input(comm, written, pauses, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(InputError, match="Permission denied") as error, open_file(written[0]):
        pass
    assert isinstance(error.value, AccessError) and not isinstance(error.value, DamagedError)


def test_a_damaged_structure_without_checksums_is_one_line(comm, tmp_path):
    """The page with the texts of attributes and a page of data, swapped."""
    path, page = tmp_path / "plain.h5", 512
    with h5py.File(path, "w") as file:
        file["samples"] = np.random.default_rng(0).random((300, 8))
        file.attrs["kind"] = "array"
    whole = path.read_bytes()
    texts = whole.index(b"GCOL") // page * page
    data = texts - page if texts + 2 * page > len(whole) else texts + page
    harmed = bytearray(whole)
    harmed[texts : texts + page], harmed[data : data + page] = (
        whole[data : data + page],
        whole[texts : texts + page],
    )
    path.write_bytes(harmed)
    with open_file(path) as file, pytest.raises(DamagedError, match="cannot read its attributes"):
        attempt(path, "its attributes", lambda: file.attrs["kind"])


def test_errors_that_h5py_does_not_raise_stay_as_they_are(comm, written):
    for error in (ValueError("x"), OSError(errno.ENOSPC, "full"), KeyError("x")):
        with pytest.raises(type(error)) as caught, open_file(written[0]):
            raise error
        assert caught.value is error


def test_content_leaves_checksums_out(comm, written):
    path, arrays = written
    with open_file(path) as file:
        assert sorted(content(file)) == sorted(arrays)
