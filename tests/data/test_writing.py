"""A data file says what it holds, and is the same at any number of ranks."""

import h5py
import numpy as np
import pytest

from hpcgen.data.opening import open_data, schema_of
from hpcgen.data.schema import Schema
from hpcgen.data.writing import write_data
from hpcgen.files.checksums import verify
from hpcgen.files.slabs import Slab

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
