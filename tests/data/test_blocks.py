"""Data files from sources that are larger than memory: the bytes, and the memory, at any number of ranks."""

import tracemalloc

import h5py
import numpy as np
import pytest
from mpi4py import MPI
from stored import FILES

from hpcgen.data import columns
from hpcgen.data.blocks import Blocks, too_large
from hpcgen.data.prepare import PrepareOptions, prepare
from hpcgen.data.sources.array import Array
from hpcgen.data.sources.digits import Digits
from hpcgen.errors import InputError
from hpcgen.files import readback, seal, writing
from hpcgen.files.checksums import verify


@pytest.fixture
def file(comm, folder):
    """file(form, **arrays): the path of a file of this form, which all ranks see."""

    def file(form, **arrays):
        path = FILES[form](folder, **arrays) if comm.rank == 0 else None
        return comm.bcast(path)

    return file


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Files are small: so are the parts in which they are written and verified, and rows that are near."""
    monkeypatch.setattr(writing, "CALL_BYTES", 1 << 14)
    monkeypatch.setattr(readback, "VERIFIED_BYTES", 1 << 14)
    monkeypatch.setattr(seal, "CRC_BYTES", 1 << 14)
    monkeypatch.setattr(columns, "NEAR_BYTES", 1 << 10)


def arrays(random, rows, shape=(6, 7)):
    return {
        "x": random.standard_normal((rows, *shape)),
        "i": random.standard_normal((rows, 3)).astype(np.float32),
        "l": random.integers(0, 9, rows, np.uint8),
    }


OPTIONS = {
    "shuffled": PrepareOptions(seed=3),
    "in order": PrepareOptions(keep_order=True),
    "some held out": PrepareOptions(seed=3, share=0.3),
    "some held out, in order": PrepareOptions(keep_order=True, share=0.3),
}


@pytest.mark.parametrize("memory", [1 << 14, 1 << 16])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("form", FILES)
def test_every_byte_is_that_of_the_rows_in_memory(comm, folder, random, file, form, options, memory):
    alone = "npy" in form
    given = arrays(random, 700)
    path = file(form, **({"x": given["x"]} if alone else given))
    names = [None, None, None] if alone else ["x", "i", "l"]
    # An array of a .npz file is in memory, of which it may fill half.
    memory += 2 * sum(array.nbytes + 128 for array in given.values()) * (form == "npz")
    chosen = OPTIONS[options]

    def made(name, comm, memory):
        held_out = folder / f"{name}-held.h5" if "held" in options else None
        asked = PrepareOptions(chosen.seed, chosen.keep_order, held_out, chosen.share)
        prepare(lambda: Array(path, *names, memory=memory), folder / f"{name}.h5", comm, asked)
        return [target for target in (folder / f"{name}.h5", held_out) if target]

    assert too_large(Array(path, *names, memory=memory), comm.size) or form == "npz"
    found = made("blocks", comm, memory)
    expected = made("held", MPI.COMM_SELF, None) if comm.rank == 0 else []
    comm.Barrier()
    verify(found[0], comm)
    for one, other in zip(found, expected):
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int64])
def test_few_rows_that_are_large(comm, folder, random, file, rows, dtype):
    path = file("HDF5 in chunks", x=random.integers(0, 200, (rows, 40, 30, 3)).astype(dtype))
    least = Array(path).stored["samples"].least_memory
    prepare(lambda: Array(path, memory=least), folder / "blocks.h5", comm)
    if comm.rank == 0:
        prepare(lambda: Array(path), folder / "held.h5", MPI.COMM_SELF)
        assert (folder / "blocks.h5").read_bytes() == (folder / "held.h5").read_bytes()
    comm.Barrier()


def test_memory_that_is_too_small_for_a_row_or_a_chunk_is_refused(comm, folder, file):
    path = file("npy", x=np.zeros((5, 1 << 19), np.float32))  # 2 MiB a row, and two copies
    with pytest.raises(InputError, match="too small to read a row at a time; give --memory 6MiB or more"):
        prepare(lambda: Array(path, memory=(6 << 20) - 1), folder / "out.h5", comm)
    path = file("HDF5, compressed", x=np.zeros((40, 1 << 17), np.float32))  # 2 MiB a chunk, twice
    with pytest.raises(
        InputError, match="too small to read a compressed chunk at a time; give --memory 8MiB or more"
    ):
        prepare(lambda: Array(path, memory=(8 << 20) - 1), folder / "out.h5", comm)
    comm.Barrier()
    assert not (folder / "out.h5").exists()


@pytest.mark.parametrize("stored_as", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("memory", [4, 4.5, 7])
def test_large_rows_take_no_more_memory_than_they_may(comm, folder, random, file, stored_as, memory):
    """Rows of 1 MiB as float32 or uint8; a rank writes one at a time."""
    memory = int(memory * (1 << 20))
    shape = (6, 1 << 20) if stored_as == np.uint8 else (6, 1 << 18)
    path = file("npy", x=random.integers(0, 99, shape).astype(stored_as))
    prepare(lambda: Array(path, memory=memory), folder / "warm.h5", comm)
    tracemalloc.start()
    prepare(lambda: Array(path, memory=memory), folder / "x.h5", comm)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < memory + (1 << 17)


@pytest.mark.parametrize(
    "form, shape", [("npy", (8000, 50)), ("HDF5, compressed", (8000, 50)), ("HDF5", (40_000, 3))]
)
def test_a_rank_holds_no_more_than_it_may(comm, folder, random, file, monkeypatch, form, shape):
    rows, memory, blocks_read, take = shape[0], 1 << 19, [], columns.Column.take
    path = file(
        form, x=random.standard_normal(shape), **({"l": np.arange(rows) % 7} if form == "HDF5" else {})
    )
    names = ["x", None, "l"] if form == "HDF5" else []

    def noted(self, numbers, made, most):
        blocks_read.append(made.nbytes)
        take(self, numbers, made, most)

    monkeypatch.setattr(columns.Column, "take", noted)
    prepare(lambda: Array(path, *names, memory=memory), folder / "warm.h5", comm)
    assert max(blocks_read) <= memory // 2 and len(blocks_read) > 1
    tracemalloc.start()
    prepare(lambda: Array(path, *names, memory=memory), folder / "x.h5", comm)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The order of the rows, and what Python itself holds, come on top.
    assert peak < memory + 8 * rows + (1 << 17)


def test_a_chunk_is_read_once_a_block(comm, random, file, monkeypatch):
    path = file("HDF5, compressed", x=random.standard_normal((400, 50)))
    source = Array(path, memory=1 << 15)
    rows = Blocks(source, comm)
    (piece,) = rows.slab("samples", random.permutation(400)).pieces
    read, getitem = [], h5py.Dataset.__getitem__

    def noted(self, some):
        read.append(some)
        return getitem(self, some)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", noted)
    piece.rows[0:20]
    chunks = [chunk for some in read for chunk in range(some.start // 4, -(-some.stop // 4))]
    assert len(chunks) == len(set(chunks)) <= 100 and len(read) > 1


@pytest.mark.parametrize("row", [0, 777, 1499])
@pytest.mark.parametrize(
    "column, bad, message",
    [
        ("x", np.nan, "row {} of the samples holds NaN or infinity"),
        ("x", 1e300, "row {} of the samples holds NaN or infinity, or a number beyond float32"),
        ("i", np.inf, "row {} of the inputs holds NaN or infinity"),
        ("l", -1, "row {} has label -1; labels count from 0"),
    ],
)
def test_a_bad_row_is_named(comm, folder, random, file, row, column, bad, message):
    given = arrays(random, 1500)
    given["l"] = given["l"].astype(int)
    given[column].reshape(1500, -1)[row, -1] = bad
    path = file("HDF5", **given)
    with pytest.raises(InputError, match=message.format(row)):
        prepare(lambda: Array(path, "x", "i", "l", 1 << 14), folder / "out.h5", comm)
    comm.Barrier()
    assert not (folder / "out.h5").exists()


def test_constant_samples_are_refused(comm, folder, file):
    path = file("npy", x=np.full((500, 20), 3.0))
    with pytest.raises(InputError, match="all samples are 3.0; there is nothing to learn"):
        prepare(lambda: Array(path, memory=1 << 12), folder / "out.h5", comm)


def test_the_share_of_a_rank_and_its_copies_decide(comm, file):
    path = file("npy", x=np.zeros((1000, 25)))  # 100,000 bytes of float32
    assert not too_large(Array(path), 1) and not too_large(Digits(), 1)
    assert not too_large(Array(path, memory=500_000), 1) and too_large(Array(path, memory=499_999), 1)
    assert not too_large(Array(path, memory=125_000), 4) and too_large(Array(path, memory=124_999), 4)
    path = file("npz", x=np.zeros((1000, 25)))  # and 200,000 bytes that stay in memory
    assert not too_large(Array(path, memory=700_000), 1) and too_large(Array(path, memory=699_999), 1)


def test_the_log_says_that_a_source_is_read_in_blocks(comm, folder, random, file, said):
    path = file("npy", x=random.random((500, 20)))
    prepare(lambda: Array(path), folder / "a.h5", comm)
    assert said() == []
    prepare(lambda: Array(path, memory=1 << 12), folder / "b.h5", comm)
    assert said() == ["x.npy: larger than the memory that is allowed; it is read twice, in blocks"]


def test_a_slow_layout_of_the_file_is_named(comm, folder, random, file, said):
    path = file("npy by columns", x=random.random((500, 20)))
    prepare(lambda: Array(path, memory=1 << 14), folder / "b.h5", comm)
    assert said()[1:] == [
        "columns.npy: 500 rows of the samples are stored together, but --memory allows only 12 at a time: "
        "this may be slow; give a larger --memory, or store the array in C order and in chunks of fewer rows"
    ]
