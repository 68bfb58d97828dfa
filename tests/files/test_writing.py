import os

import h5py
import numpy as np
import pytest
from stored import ATTRIBUTES, METHODS, Lazy, boxes_of, content, slabs_of

from hpcgen.errors import InputError, WriteError
from hpcgen.files import writing
from hpcgen.files.checksums import read, verify
from hpcgen.files.reading import open_file
from hpcgen.files.replacing import require_short
from hpcgen.files.slabs import Piece, Slab, block_rows
from hpcgen.files.writing import write
from hpcgen.parallel.agreement import PeerError


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


def lazy(slabs):
    return {
        name: Slab(slab.shape, slab.dtype, [Piece(start, Lazy(rows)) for start, rows in slab.pieces])
        for name, slab in slabs.items()
    }


FORMS = {
    "whole rows": slabs_of,
    "rows made when they are written": lambda arrays, comm: lazy(slabs_of(arrays, comm)),
    "boxes": boxes_of,
    "boxes made when they are written": lambda arrays, comm: lazy(boxes_of(arrays, comm)),
}


@pytest.mark.parametrize("most", [1 << 14, 1 << 17, 1 << 25])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_byte_is_the_same_on_any_ranks_from_any_pieces(
    comm, folder, random, monkeypatch, form, method, most
):
    from mpi4py import MPI

    arrays = {**content(random), "empty": np.zeros((0, 3))}
    if comm.rank == 0:
        write(folder / "one.h5", MPI.COMM_SELF, ATTRIBUTES, slabs_of(arrays, MPI.COMM_SELF))
    monkeypatch.setattr(writing, "CALL_BYTES", most)
    write(folder / "all.h5", comm, ATTRIBUTES, form(arrays, comm), method)
    verify(folder / "all.h5", comm)
    assert (folder / "all.h5").read_bytes() == (folder / "one.h5").read_bytes()


@pytest.mark.parametrize("method", METHODS)
def test_each_row_is_made_once_and_few_at_a_time(comm, folder, random, monkeypatch, method):
    arrays = content(random)
    slabs = lazy(boxes_of(arrays, comm))
    monkeypatch.setattr(writing, "CALL_BYTES", 1 << 16)
    write(folder / "x.h5", comm, ATTRIBUTES, slabs, method)
    for slab in slabs.values():
        for _, rows in slab.pieces:
            starts, stops = zip(*rows.asked)
            assert (0, *stops) == (*starts, rows.shape[0])
            most = max(1, (1 << 16) // slab.row_bytes)
            assert max(stop - start for start, stop in rows.asked) <= most


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bad", [0, 6000])
def test_rows_that_cannot_be_made_leave_no_file_and_no_trace(comm, folder, monkeypatch, method, bad):
    class Bad(Lazy):
        def __getitem__(self, some):
            if some.stop > bad and comm.rank == comm.size - 1:
                raise InputError("a bad row")
            return super().__getitem__(some)

    array = np.arange(40_000.0)
    whole = slabs_of({"a": array}, comm)["a"]
    pieces = [Piece(start, Bad(rows)) for start, rows in whole.pieces]
    monkeypatch.setattr(writing, "CALL_BYTES", 1 << 14)
    with pytest.raises(InputError, match="a bad row"):
        write(folder / "x.h5", comm, {}, {"a": Slab(array.shape, array.dtype, pieces)}, method)
    comm.Barrier()
    assert os.listdir(folder) == []
    write(folder / "x.h5", comm, {}, {"a": whole}, method)
    verify(folder / "x.h5", comm)


@pytest.mark.parametrize("made", [np.zeros((2, 3)), np.zeros((4, 3), "f4"), np.zeros((4, 2))])
def test_rows_of_another_shape_or_type_than_promised_are_refused(comm, folder, made):
    class Other(Lazy):
        def __getitem__(self, some):
            return made

    slab = Slab.rows((4, 3), 0, Other(np.zeros((4 * (comm.rank == 0), 3))))
    with pytest.raises((ValueError, PeerError)):
        write(folder / "x.h5", comm, {}, {"a": slab})


def pieces_of(arrays, comm):
    """Deal the blocks of each array among the ranks in no order; rank 0 holds none if there are others."""
    slabs = {}
    for name, array in arrays.items():
        block = block_rows(array.shape, array.dtype)
        firsts = np.random.default_rng(len(array)).permutation(np.arange(0, len(array), block))
        mine = firsts[comm.rank - 1 :: comm.size - 1] if comm.size > 1 else firsts
        slabs[name] = Slab(array.shape, array.dtype, [])
        for first in mine if comm.rank or comm.size == 1 else []:
            slabs[name].pieces += Slab.rows(array.shape, int(first), array[first : first + block]).pieces
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
    pieces = [Piece((0,), array[:4096]), Piece((first,), array[4096:])] if comm.rank == 0 else []
    for held, message in (
        (pieces, "/a: a piece from .* does not consist of whole blocks"),
        (pieces[:1], r"/a: .* the number at \[4096\] 0 times, not once"),
        (pieces[:1] * 2, r"/a: .* the number at \[0\] 2 times, not once"),
    ):
        with pytest.raises(ValueError, match=message):
            write(folder / "x.h5", comm, {}, {"a": Slab(array.shape, array.dtype, held)})


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
