"""A data file says what it holds, and is the same at any number of ranks."""

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from hpcgen.data.opening import open_data, schema_of
from hpcgen.data.reading import DataFiles
from hpcgen.data.schema import Schema
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


SCHEMAS = {
    "image": Schema((4, 4, 3), "uint8", "image", 0.0, 255.0),
    "array": Schema((5,), "float32", "array", -1.5, 2.0),
    "audio": Schema((16,), "float32", "audio", -1.0, 1.0, rate=8000),
    "characters": Schema((7,), "uint8", "text", 0.0, 3.0, vocabulary="aß€🙂", units="characters"),
    "bytes": Schema(
        (7,), "uint8", "text", 0.0, 255.0, vocabulary="".join(map(chr, range(256))), units="bytes"
    ),
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_a_schema_is_read_as_it_was_written(comm, folder, schema):
    path = folder / "x.h5"
    slabs = {"samples": Slab.replicated(np.zeros((6, *schema.shape), schema.dtype), comm.rank)}
    write_data(path, comm, slabs, schema, "a test", {"seed": 3})
    verify(path, comm)
    with open_data(path) as file:
        assert schema_of(file) == schema
        assert (file.attrs["source"], file.attrs["seed"]) == ("a test", 3)


@pytest.mark.parametrize("name", SCHEMAS)
def test_only_what_a_kind_of_sample_has_is_written(comm, folder, name):
    schema = SCHEMAS[name]
    slabs = {"samples": Slab.replicated(np.zeros((6, *schema.shape), schema.dtype), comm.rank)}
    write_data(folder / "x.h5", comm, slabs, schema, "a test")
    with h5py.File(folder / "x.h5") as file:
        assert ("rate" in file.attrs) == (schema.kind == "audio")
        assert ("units" in file.attrs) == ("vocabulary" in file) == (schema.kind == "text")
        assert file.attrs["format"] == "hpcgen-data" and file.attrs["version"] == 2
