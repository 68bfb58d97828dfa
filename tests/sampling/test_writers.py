"""Files of samples have the same bytes at any number of ranks."""

import h5py
import numpy as np
import pytest
from mpi4py import MPI
from stored import Lazy, boxes_of

from hpcgen.data.reading import DataFiles
from hpcgen.data.schema import Schema
from hpcgen.errors import InputError
from hpcgen.sampling import writers
from hpcgen.sampling.shares import by_rows
from hpcgen.sampling.writers import require_writer, write

SCHEMA = Schema((3, 2), "float32", "array", -1.0, 1.0)


def columns(random, count, highest=1.0):
    samples = random.random((count, 3, 2), dtype=np.float32) * 2 * np.float32(highest) - 1
    labels = np.arange(count)
    return {"samples": lambda a, b: samples[a:b], "labels": lambda a, b: labels[a:b]}, samples


def slabs_of(comm, given, count):
    return {name: by_rows(comm, rows, count) for name, rows in given.items()}


@pytest.mark.parametrize("count", [1, 5, 3000])
@pytest.mark.parametrize("ending", [".h5", ".hdf5", ".npy"])
def test_files_are_the_same_at_any_number_of_ranks(comm, folder, random, count, ending):
    given, samples = columns(random, count)
    path, alone = folder / f"all{ending}", folder / f"one{ending}"
    write(path, comm, slabs_of(comm, given, count), SCHEMA, "a test")
    if comm.rank == 0:
        write(alone, MPI.COMM_SELF, slabs_of(MPI.COMM_SELF, given, count), SCHEMA, "a test")
        if ending == ".npy":
            assert np.array_equal(np.load(path), samples) and path.read_bytes() == alone.read_bytes()
        else:
            with h5py.File(path) as file, h5py.File(alone) as one:
                assert np.array_equal(file["samples"], samples)
                assert np.array_equal(file["labels"], np.arange(count))
                assert np.array_equal(file["checksums/samples"], one["checksums/samples"])
    comm.Barrier()


@pytest.mark.parametrize("shape", [(7, 5), (40, 30, 17), (3, 9000)])
@pytest.mark.parametrize("most", [1 << 14, 1 << 25])
def test_a_numpy_file_is_the_same_from_boxes(comm, folder, random, monkeypatch, shape, most):
    array = random.random((9, *shape), dtype=np.float32)
    monkeypatch.setattr(writers, "CALL_BYTES", most)
    writers._write_npy(folder / "x.npy", comm, boxes_of({"samples": array}, comm, Lazy), SCHEMA, "a test")
    assert np.array_equal(np.load(folder / "x.npy"), array)


def test_a_data_file_declares_an_interval_that_holds_all_samples(comm, folder, random):
    given, samples = columns(random, 40, highest=5)
    write(folder / "wide.h5", comm, slabs_of(comm, given, 40), SCHEMA, "a test")
    with DataFiles([folder / "wide.h5"]) as files:
        assert (files.schema.low, files.schema.high) == (-1.0, float(samples.max()))
        assert np.array_equal(files.read(0, 40).samples, samples)


def test_an_error_on_one_rank_leaves_no_file(comm, folder, random):
    samples = random.random((3000, 3, 2), dtype=np.float32)

    class Failing(Lazy):
        def __getitem__(self, some):
            if comm.rank == 1 % comm.size:
                raise InputError("row 2999 cannot be made")
            return super().__getitem__(some)

    for ending in (".h5", ".npy", ".wav"):
        with pytest.raises(InputError, match="row 2999 cannot be made"):
            write(
                folder / f"x{ending}", comm, boxes_of({"samples": samples}, comm, Failing), SCHEMA, "a test"
            )
    comm.Barrier()
    assert not list(folder.glob("*x*"))


def test_sound_is_gathered_from_boxes(comm, folder, random):
    """Of divided waveforms a rank has some places."""
    samples = random.random((5, 9000), dtype=np.float32)
    schema = Schema((9000,), "float32", "audio", 0.0, 1.0, rate=100)
    for path, slabs in (
        (folder / "boxes.wav", boxes_of({"samples": samples}, comm)),
        (folder / "rows.wav", slabs_of(comm, {"samples": lambda a, b: samples[a:b]}, 5)),
    ):
        write(path, comm, slabs, schema, "a test")
    comm.Barrier()
    assert (folder / "boxes.wav").read_bytes() == (folder / "rows.wav").read_bytes()


def test_endings(folder):
    for ending in (".h5", ".hdf5", ".npy", ".txt", ".wav"):
        require_writer(folder / f"x{ending}")
    for name in ("x", "x.csv", "x.png"):
        with pytest.raises(InputError, match="the name must end in .h5, .npy, .txt"):
            require_writer(folder / name)
