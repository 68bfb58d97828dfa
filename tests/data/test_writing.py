"""A data file says what it holds, and is the same at any number of ranks."""

import h5py
import numpy as np
from mpi4py import MPI

from hpcgen.data.reading import DataFiles
from hpcgen.data.writing import FORMAT, VERSION, write_data
from hpcgen.files.checksums import verify
from hpcgen.files.slabs import Slab, partition


def test_a_file_says_what_it_holds_at_any_number_of_ranks(comm, folder, random):
    samples, labels = random.random((900, 9), dtype=np.float32), random.integers(0, 5, 900)

    def written(path, comm):
        slabs = {}
        for name, array in (("samples", samples), ("labels", labels)):
            mine = partition(array.shape, array.dtype, comm.size).slice(comm.rank)
            slabs[name] = Slab.rows(array.shape, mine.start, array[mine])
        write_data(path, comm, slabs, "array", "a test", 0.0, 1.0, {"seed": 3})
        return path

    verify(written(folder / "all.h5", comm), comm)
    if comm.rank == 0:
        with (
            h5py.File(folder / "all.h5") as file,
            h5py.File(written(folder / "one.h5", MPI.COMM_SELF)) as one,
        ):
            assert (
                dict(file.attrs)
                == dict(one.attrs)
                == {
                    "format": FORMAT,
                    "version": VERSION,
                    "kind": "array",
                    "source": "a test",
                    "low": 0.0,
                    "high": 1.0,
                    "seed": 3,
                }
            )
            for name in ("samples", "labels", "checksums/samples", "checksums/labels"):
                assert np.array_equal(file[name], one[name])
    comm.Barrier()
    with DataFiles([folder / "all.h5"]) as files:
        assert (files.schema.low, files.schema.high, files.schema.kind) == (0, 1, "array")
        rows = files.read(0, 900)
        assert np.array_equal(rows.samples, samples) and np.array_equal(rows.labels, labels)


def test_attributes_may_take_the_place_of_known_ones(comm, folder):
    slabs = {"samples": Slab.replicated(np.zeros((3, 2), np.uint8), comm.rank)}
    write_data(folder / "x.h5", comm, slabs, "image", "here", 0.0, 255.0, {"source": "there"})
    with h5py.File(folder / "x.h5") as file:
        assert file.attrs["source"] == "there" and file.attrs["kind"] == "image"
