import os
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from hpcgen.errors import DamagedError, InputError, RunError
from hpcgen.files import replacing, writing
from hpcgen.files.checksums import read, verify
from hpcgen.files.reading import open_file
from hpcgen.files.slabs import Slab, partition
from hpcgen.files.writing import write, write_in_turn, write_together

METHODS = [write_in_turn] + [write_together] * h5py.get_config().mpi
ATTRIBUTES = {"name": "a name", "step": 7, "low": 0.1, "shape": [3, 4]}


def content(random):
    return {
        "vector": random.standard_normal(3 * 4096 + 5).astype(np.float32),
        "group/images": random.integers(0, 255, (100, 28, 28, 1), np.uint8),
        "one": np.array([3.0]),
        "large/rows": random.standard_normal((5, 9000)),
    }


def slabs_of(arrays, comm):
    slabs = {}
    for name, array in arrays.items():
        mine = partition(array.shape, array.dtype, comm.size).slice(comm.rank)
        slabs[name] = Slab.rows(array.shape, mine.start, array[mine])
    return slabs


@pytest.fixture
def written(comm, folder, random):
    arrays = content(random)
    write(folder / "file.h5", comm, ATTRIBUTES, slabs_of(arrays, comm))
    return folder / "file.h5", arrays


@pytest.mark.parametrize("method", METHODS)
def test_what_is_written_is_read(comm, folder, random, method):
    path, arrays = folder / "new" / "file.h5", content(random)
    write(path, comm, ATTRIBUTES, slabs_of(arrays, comm), method)
    verify(path, comm)
    with open_file(path) as file:
        assert file.attrs["name"] == "a name" and file.attrs["shape"].tolist() == [3, 4]
        for name, array in arrays.items():
            assert read(file, name).tobytes() == array.tobytes()
            assert read(file, name, 1, 3).tobytes() == array[1:3].tobytes()
            assert read(file, name, 1, 1).shape == (0, *array.shape[1:])
    assert os.listdir(path.parent) == ["file.h5"]


def test_the_file_does_not_depend_on_the_ranks(comm, folder, random):
    from mpi4py import MPI

    arrays = content(random)
    write(folder / "all.h5", comm, ATTRIBUTES, slabs_of(arrays, comm))
    if comm.rank == 0:
        write(folder / "one.h5", MPI.COMM_SELF, ATTRIBUTES, slabs_of(arrays, MPI.COMM_SELF))
    comm.Barrier()
    with h5py.File(folder / "all.h5") as a, h5py.File(folder / "one.h5") as b:
        assert all(np.array_equal(a[f"checksums/{name}"], b[f"checksums/{name}"]) for name in arrays)


def test_large_rows_take_several_calls(comm, folder, random, monkeypatch):
    monkeypatch.setattr(writing, "CALL_BYTES", 1 << 14)
    arrays = content(random)
    write(folder / "file.h5", comm, ATTRIBUTES, slabs_of(arrays, comm))
    verify(folder / "file.h5", comm)


def flip(path, position):
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)
        file.seek(position)
        file.write(bytes([byte[0] ^ 0x10]))


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
    with pytest.raises(DamagedError, match="longer|structure or attributes"):
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


def test_a_folder_that_cannot_be_made_is_refused(comm, folder):
    if comm.rank == 0:
        (folder / "file").touch()
    comm.Barrier()
    with pytest.raises(InputError, match="cannot write there"):
        write(folder / "file" / "x.h5", comm, ATTRIBUTES, {"a": Slab.replicated(np.arange(5.0), comm.rank)})


def test_a_disk_without_room_is_refused_before_anything_is_open(comm, folder, monkeypatch):
    write(folder / "x.h5", comm, ATTRIBUTES, {"a": Slab.replicated(np.arange(5.0), comm.rank)})
    monkeypatch.setattr(replacing.shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(RunError, match="are needed there, 10 are free"):
        write(folder / "x.h5", comm, ATTRIBUTES, {"a": Slab.replicated(np.arange(6.0), comm.rank)})
    comm.Barrier()
    verify(folder / "x.h5", comm)
    assert os.listdir(folder) == ["x.h5"]
