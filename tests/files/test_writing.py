import os

import h5py
import numpy as np
import pytest
from stored import ATTRIBUTES, METHODS, content, slabs_of

from hpcgen.errors import InputError, WriteError
from hpcgen.files import writing
from hpcgen.files.checksums import read, verify
from hpcgen.files.reading import open_file
from hpcgen.files.replacing import require_short
from hpcgen.files.slabs import Slab, block_rows
from hpcgen.files.writing import write


@pytest.mark.parametrize("method", METHODS)
def test_what_is_written_is_read(comm, folder, random, method):
    path, arrays = folder / "file.h5", content(random)
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


def pieces_of(arrays, comm):
    """Deal the blocks of each array among the ranks in no order; rank 0 holds none if there are others."""
    slabs = {}
    for name, array in arrays.items():
        block = block_rows(array.shape, array.dtype)
        firsts = np.random.default_rng(len(array)).permutation(np.arange(0, len(array), block))
        mine = firsts[comm.rank - 1 :: comm.size - 1] if comm.size > 1 else firsts
        pieces = [(int(first), array[first : first + block]) for first in mine if comm.rank or comm.size == 1]
        slabs[name] = Slab(array.shape, array.dtype, pieces)
    return slabs


@pytest.mark.parametrize("method", METHODS)
def test_pieces_may_lie_on_any_rank_in_any_order(comm, folder, random, method):
    arrays = content(random)
    write(folder / "pieces.h5", comm, ATTRIBUTES, pieces_of(arrays, comm), method)
    write(folder / "runs.h5", comm, ATTRIBUTES, slabs_of(arrays, comm), method)
    verify(folder / "pieces.h5", comm)
    with h5py.File(folder / "pieces.h5") as a, h5py.File(folder / "runs.h5") as b:
        for name, array in arrays.items():
            assert a[name][...].tobytes() == array.tobytes()
            assert np.array_equal(a[f"checksums/{name}"], b[f"checksums/{name}"])


@pytest.mark.parametrize("first", [0, 1, 8192])
def test_pieces_that_overlap_or_leave_gaps_are_refused(comm, folder, first):
    array = np.arange(5000, dtype=np.float32)
    pieces = [(0, array[:4096]), (first, array[4096:])] if comm.rank == 0 else []
    with pytest.raises(ValueError, match="/a: a piece starts at row"):
        write(folder / "x.h5", comm, {}, {"a": Slab(array.shape, array.dtype, pieces)})
    with pytest.raises(ValueError, match="/a: the pieces of all ranks hold 4096 rows of 5000"):
        write(folder / "x.h5", comm, {}, {"a": Slab(array.shape, array.dtype, pieces[:1])})


def test_an_empty_dataset_can_be_written(comm, folder):
    write(folder / "x.h5", comm, {}, {"a": Slab.rows((0, 3), 0, np.zeros((0, 3)))})
    verify(folder / "x.h5", comm)


def test_large_rows_take_several_calls(comm, folder, random, monkeypatch):
    monkeypatch.setattr(writing, "CALL_BYTES", 1 << 14)
    arrays = content(random)
    write(folder / "file.h5", comm, ATTRIBUTES, slabs_of(arrays, comm))
    verify(folder / "file.h5", comm)


def lose(path, what):
    """Zero 64 bytes that MPI-IO said it had written."""
    content = path.read_bytes()
    position = content.index(what) - 16
    path.write_bytes(content[:position] + bytes(64) + content[position + 64 :])


TEXT = "a text of several lines, which lies in the file's heap\n" * 4
LOST = {
    "the text of an attribute": b"several lines",
    "the name of an attribute": b"text\0",
    "the name of a dataset": b"vector\0",
    "rows": np.arange(7000.0, 7004).tobytes(),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("what", LOST.values(), ids=LOST)
def test_what_mpi_io_lost_is_not_sealed(comm, folder, method, what):
    """Rank 0 would otherwise seal what it finds, and the file would count as whole."""
    path, slabs = (
        folder / "x.h5",
        {"vector": Slab.rows((9000,), 0, np.arange(9000.0)[: 9000 * (comm.rank == 0)])},
    )
    write(path, comm, {"text": "old"}, slabs, method)

    def lossy(temporary, path, comm, *arguments):
        method(temporary, path, comm, *arguments)
        if comm.rank == 0:
            lose(temporary, what)
        comm.Barrier()

    with pytest.raises(WriteError, match=r"the disk did not keep x.h5: .*; existing files are unchanged"):
        write(path, comm, {"text": TEXT}, slabs, lossy)
    comm.Barrier()
    with open_file(path) as file:
        assert file.attrs["text"] == "old"
    assert os.listdir(folder) == ["x.h5"]


@pytest.mark.parametrize("attributes", [{"text": "other"}, {"text": TEXT, "more": 1}, {}, {"text": 1}])
def test_other_attributes_than_were_meant_are_not_kept(comm, folder, monkeypatch, attributes):
    slabs = {"vector": Slab.replicated(np.arange(5.0), comm.rank)}
    create = writing._create
    monkeypatch.setattr(writing, "_create", lambda file, _, slabs: create(file, attributes, slabs))
    with pytest.raises(WriteError, match=r"the disk did not keep x.h5"):
        write(folder / "x.h5", comm, {"text": TEXT}, slabs)
    comm.Barrier()
    assert os.listdir(folder) == []


def longest(folder):
    """Return the longest path in the folder that `require_short` takes, and one that is longer by a byte."""
    path = folder / ("d" * 100)
    for length in range(1, 250):
        try:
            require_short(path / ("x" * length))
        except InputError:
            return path / ("x" * (length - 1)), path / ("x" * length)
    raise AssertionError


def test_the_longest_path_can_be_written_and_a_longer_one_is_refused(comm, folder):
    """Open MPI's OMPIO aborts where the path of the temporary file has 245 bytes or more."""
    fits, longer = comm.bcast(longest(folder))
    if comm.rank == 0:
        fits.parent.mkdir()
    comm.Barrier()
    slabs = {"a": Slab.replicated(np.arange(5.0), comm.rank)}
    write(fits, comm, {}, slabs)
    verify(fits, comm)
    with pytest.raises(InputError, match="too long"):
        write(longer, comm, {}, slabs)
    comm.Barrier()
    assert os.listdir(fits.parent) == [fits.name]
