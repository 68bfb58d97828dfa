"""What a data file says about its rows. Files that are damaged, of another version or of another kind are
refused with one clear line, never a traceback of h5py."""

import h5py
import numpy as np
import pytest

from hpcgen.data.opening import declared_range, fingerprint, open_data, schema_of
from hpcgen.data.reading import DataFiles
from hpcgen.data.schema import Schema
from hpcgen.data.writing import write_data
from hpcgen.errors import InputError
from hpcgen.files.slabs import Slab


def content(path):
    """Return all that a run reads of a data file."""
    with DataFiles([path]) as files:
        rows = files.read(0, files.rows)
        return files.schema, files.fingerprint, rows.samples.tobytes(), rows.labels.tobytes()


def plain(path, random):
    """Write a data file as people write theirs, without checksums."""
    with h5py.File(path, "w") as file:
        file["samples"] = random.integers(0, 255, (60, 6, 6, 1), np.uint8)
        file["labels"] = random.integers(0, 5, 60)
        file.attrs.update(kind="image", source="somewhere", low=0.0, high=255.0)


def test_swapped_pages_are_named_or_do_no_harm(comm, tmp_path, random):
    """Structure is swapped with structure or with data: HDF5 raises errors of many types."""
    path, page = tmp_path / "x.h5", 512
    plain(path, random)
    whole = path.read_bytes()
    pages = len(whole) // page
    refused = 0
    for a in range(1, min(pages, 12)):
        for b in range(a + 1, pages, 3):
            harmed = bytearray(whole)
            harmed[a * page : (a + 1) * page] = whole[b * page : (b + 1) * page]
            harmed[b * page : (b + 1) * page] = whole[a * page : (a + 1) * page]
            path.write_bytes(harmed)
            try:
                content(path)
            except InputError as error:
                assert "\n" not in str(error) and str(path) in str(error)
                refused += 1
    assert refused


def test_a_file_of_a_newer_version_is_refused(comm, folder, random):
    slabs = {"samples": Slab.replicated(random.integers(0, 255, (8, 3, 3, 1), np.uint8), comm.rank)}
    write_data(
        folder / "x.h5", comm, slabs, Schema((3, 3, 1), "uint8", "image", 0.0, 255.0), "here", {"version": 9}
    )
    with pytest.raises(InputError, match="data file of version 9; this hpcgen reads up to 2: update hpcgen"):
        DataFiles([folder / "x.h5"])


FLOATS = np.arange(20, dtype=np.float32).reshape(10, 2)
TOKENS = FLOATS.astype(np.uint8)
AUDIO, TEXT = {"kind": "audio"}, {"kind": "text"}
POINTS = "/vocabulary must hold distinct Unicode code points or bytes"


@pytest.mark.parametrize(
    "attributes, columns, message",
    [
        ({}, {"other": FLOATS}, "no dataset /samples; make a data file with 'hpcgen prepare'"),
        ({}, {"samples/group": FLOATS}, "no dataset /samples"),
        (
            {},
            {"samples": FLOATS.astype(float)},
            "/samples is float64 of shape .*; convert it with 'hpcgen prep",
        ),
        (
            {},
            {"samples": FLOATS[:, 0]},
            r"/samples is float32 of shape \(10,\), not uint8 or float32 \(n, ...\)",
        ),
        ({}, {"samples": FLOATS[:, :0]}, r"/samples is float32 of shape \(10, 0\)"),
        (
            {},
            {"samples": FLOATS, "inputs": np.ones((10, 3))},
            r"/inputs is float64 of shape \(10, 3\), not float32",
        ),
        (
            {},
            {"samples": FLOATS, "inputs": FLOATS[:9]},
            r"/inputs is float32 of shape \(9, 2\), not .* \(10, p\)",
        ),
        (
            {},
            {"samples": FLOATS, "labels": np.ones(10)},
            r"/labels is float64 of shape \(10,\), not integers",
        ),
        (
            {},
            {"samples": FLOATS, "labels": np.ones(9, int)},
            r"/labels is int64 of shape \(9,\), not .* \(10,\)",
        ),
        ({"version": 0}, {"samples": FLOATS}, "data file of version 0"),
        ({"version": "x"}, {"samples": FLOATS}, "data file of version x"),
        (AUDIO, {"samples": FLOATS}, "audio needs the attribute rate"),
        (AUDIO | {"rate": "x"}, {"samples": FLOATS}, "audio needs the attribute rate"),
        (AUDIO | {"rate": 0}, {"samples": FLOATS}, "audio needs the attribute rate"),
        (TEXT, {"samples": FLOATS}, "/samples is float32"),
        (TEXT, {"samples": TOKENS}, "text without /vocabulary"),
        (
            TEXT,
            {"samples": TOKENS[..., None], "vocabulary": [65]},
            r"text in /samples of shape \(10, 2, 1\), not",
        ),
        (TEXT, {"samples": TOKENS, "vocabulary": np.arange(20) + 0xD7FF}, POINTS),
        (TEXT, {"samples": TOKENS, "vocabulary": np.arange(20) + 0x10FFFF}, POINTS),
        (TEXT, {"samples": TOKENS, "vocabulary": np.zeros(20, int)}, POINTS),
        (TEXT, {"samples": TOKENS, "vocabulary": np.arange(20.0)}, POINTS),
        (TEXT | {"units": "bytes"}, {"samples": TOKENS, "vocabulary": np.arange(20) + 250}, POINTS),
        (
            {"low": 3.0, "high": 3.0},
            {"samples": FLOATS},
            "attributes low, high are 3.0, 3.0; they must be numbers",
        ),
        ({"low": "x", "high": 3.0}, {"samples": FLOATS}, "attributes low, high are x, 3.0"),
        ({"low": 0.0, "high": np.inf}, {"samples": FLOATS}, "attributes low, high are 0.0, inf"),
    ],
)
def test_what_is_no_data_file_is_refused_in_one_line(comm, made, attributes, columns, message):
    with pytest.raises(InputError, match=f"x.h5: {message}") as error:
        DataFiles([made("x.h5", attributes, **columns)])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "attributes, columns, schema",
    [
        ({}, {"samples": FLOATS}, Schema((2,), "float32", "array", None, None)),
        ({"low": 0.0}, {"samples": FLOATS}, Schema((2,), "float32", "array", None, None)),
        ({"kind": "image", "rate": 5}, {"samples": TOKENS}, Schema((2,), "uint8", "image", None, None)),
        (
            {**AUDIO, "rate": 8000, "low": -1, "high": 1},
            {"samples": FLOATS},
            Schema((2,), "float32", "audio", -1.0, 1.0, rate=8000),
        ),
        (
            TEXT,
            {"samples": TOKENS.astype(np.uint16), "vocabulary": np.array([97, 8364])},
            Schema((2,), "uint16", "text", None, None, vocabulary="a€"),
        ),
        (
            {**TEXT, "units": "bytes"},
            {"samples": TOKENS, "vocabulary": np.array([0, 255])},
            Schema((2,), "uint8", "text", None, None, vocabulary="\0ÿ", units="bytes"),
        ),
    ],
)
def test_a_file_states_its_schema(comm, made, attributes, columns, schema):
    with open_data(made("x.h5", attributes, **columns)) as file:
        assert schema_of(file) == schema
        assert declared_range(file) == (None if schema.low is None else (schema.low, schema.high))


def test_a_fingerprint_covers_what_a_run_reads(comm, made):
    """In a file without checksums it covers the first and the last rows."""
    rows = {"samples": np.zeros((300, 2), np.uint8), "labels": np.zeros(300, int)}

    def printed(name, **columns):
        with open_data(made(name, **{**rows, **columns})) as file:
            return fingerprint(file)

    first = printed("first.h5")
    assert printed("again.h5") == first == printed("more.h5", notes=np.ones(3))
    changed = rows["samples"].copy()
    changed[299, 1] = 1
    others = [
        printed("samples.h5", samples=changed),
        printed("labels.h5", labels=np.ones(300, int)),
        printed("inputs.h5", inputs=np.zeros((300, 1), np.float32)),
        printed("shorter.h5", samples=rows["samples"][:299], labels=rows["labels"][:299]),
        printed("vocabulary.h5", vocabulary=np.arange(3)),
    ]
    assert len({first, *others}) == 6
