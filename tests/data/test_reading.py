"""The rows of one file, or of several as one: what is read of them, and what must agree."""

import errno
import os
from dataclasses import replace

import h5py
import numpy as np
import pytest

from hpcgen.data.reading import DataFiles, paths_of, require_suitable
from hpcgen.data.schema import Schema
from hpcgen.data.writing import write_data
from hpcgen.errors import DamagedError, InputError, UnreadableError
from hpcgen.files import reading
from hpcgen.files.slabs import Slab

NUMBERS = np.arange(150, dtype=np.float32).reshape(50, 3)
CUTS = [(0, 7), (7, 7), (7, 8), (8, 50)]


@pytest.fixture
def parts(made):
    """The paths of four files, one of them without rows, that together hold 50 rows."""
    return [
        made(f"{i}.h5", samples=NUMBERS[a:b], inputs=NUMBERS[a:b, :2] * 2, labels=np.arange(a, b))
        for i, (a, b) in enumerate(CUTS)
    ]


@pytest.mark.parametrize("start, stop", [(0, 50), (0, 0), (6, 9), (7, 8), (3, 7), (49, 50), (50, 50)])
def test_rows_of_several_files_follow_each_other(comm, parts, start, stop):
    with DataFiles(parts) as files:
        assert files.rows == 50 and files.names == ["samples", "inputs", "labels"]
        rows = files.read(start, stop)
        assert np.array_equal(rows.samples, NUMBERS[start:stop]) and rows.samples.dtype == np.float32
        assert np.array_equal(rows.inputs, NUMBERS[start:stop, :2] * 2)
        assert np.array_equal(rows.labels, np.arange(start, stop)) and rows.labels.dtype == np.int64
        assert files.read(start, stop, ("labels",)).samples is None
        assert (files.width("samples"), files.width("inputs"), files.width("labels")) == (3, 2, 1)
        assert files.row_bytes == 3 * 4 + 2 * 4 + 8


def test_a_region_is_a_part_of_the_samples_alone(comm, made):
    volumes = np.arange(4 * 5 * 6 * 2, dtype=np.float32).reshape(4, 5, 6, 2)
    path = made("volumes.h5", samples=volumes, inputs=np.ones((4, 7), np.float32))
    with DataFiles([path]) as files:
        rows = files.read(1, 3, region=(slice(2, 4), slice(0, 1)))
    assert np.array_equal(rows.samples, volumes[1:3, 2:4, 0:1]) and rows.inputs.shape == (2, 7)


def test_a_row_that_cannot_be_used_is_named_with_its_file(comm, made):
    bad = NUMBERS.copy()
    bad[3, 1] = np.nan
    paths = [made("good.h5", samples=NUMBERS), made("bad.h5", samples=bad)]
    with DataFiles(paths) as files:
        assert len(files.read(0, 53)) == 53
        with pytest.raises(InputError, match="bad.h5: row 3 of the samples holds NaN"):
            files.read(40, 60)


@pytest.mark.parametrize(
    "columns, attributes",
    [
        ({"samples": np.zeros((5, 2), np.float32)}, {}),
        ({"samples": np.zeros((5, 3), np.uint8)}, {}),
        ({"samples": NUMBERS, "labels": np.zeros(50, int)}, {}),
        ({"samples": NUMBERS}, {"kind": "image"}),
        ({"samples": NUMBERS}, {"kind": "audio", "rate": 8000}),
    ],
)
def test_files_used_as_one_agree_in_all(comm, made, columns, attributes):
    paths = [made("first.h5", samples=NUMBERS), made("other.h5", attributes, **columns)]
    with pytest.raises(InputError, match="other.h5: not the same kind of rows as .*first.h5"):
        DataFiles(paths)


def test_inputs_have_one_width(comm, made):
    paths = [made(f"{n}.h5", samples=NUMBERS, inputs=np.ones((50, n), np.float32)) for n in (2, 3)]
    with pytest.raises(InputError, match="3.h5: not the same kind of rows"):
        DataFiles(paths)


def test_the_interval_of_several_files_holds_all_of_them(comm, made):
    for name, attributes in {
        "a": {"low": -1.0, "high": 3.0},
        "b": {"low": 0.0, "high": 5.0},
        "c": {},
    }.items():
        made(f"{name}.h5", attributes, samples=NUMBERS)
    folder = os.path.dirname(made("d.h5", samples=NUMBERS))

    def interval(names):
        with DataFiles([f"{folder}/{name}.h5" for name in names]) as files:
            return files.schema.low, files.schema.high

    assert interval("a") == (-1, 3) and interval("ab") == (-1, 5) and interval("abc") == (None, None)


def test_constants_are_those_that_all_files_share(comm, made):
    paths = [made(f"{i}.h5", samples=NUMBERS, theta=np.ones((2, 2)), own=np.full(3, i)) for i in (1, 2)]
    paths.append(made("3.h5", samples=NUMBERS, theta=np.ones((2, 2))))
    with DataFiles(paths[:2]) as files:
        assert np.array_equal(files.constant("theta"), np.ones((2, 2)))
        assert files.constant("own") is None and files.constant("other") is None
    with DataFiles(paths[:1]) as files:
        assert np.array_equal(files.constant("own"), [1, 1, 1])
    with DataFiles(paths[::-1]) as files:
        assert files.constant("own") is None and files.constant("theta") is not None


def test_fingerprints_tell_other_data(comm, made, parts):
    other = made("other.h5", samples=NUMBERS[8:], inputs=NUMBERS[8:, :2] * 2, labels=np.arange(9, 51))
    found = []
    for paths in (parts, parts[::-1], [*parts[:3], other], parts):
        with DataFiles(paths) as files:
            found.append(files.fingerprint)
    assert found[0] == found[3] and len(set(found)) == 3


def test_files_that_are_closed_are_not_opened_again(comm, parts):
    files = DataFiles(parts)
    files.close()
    with pytest.raises(ValueError, match="the data files are closed"):
        files.read(0, 1)


def test_a_refusal_leaves_no_file_open(comm, made, parts):
    before = os.listdir("/proc/self/fd")
    with pytest.raises(InputError):
        DataFiles([*parts, made("other.h5", samples=np.zeros((5, 2), np.float32))])
    assert os.listdir("/proc/self/fd") == before


@pytest.fixture
def failures(monkeypatch):
    """A list of errors, which the next readings of datasets raise."""
    left, getitem = [], h5py.Dataset.__getitem__

    def failing(self, *arguments):
        if left:
            raise left.pop()
        return getitem(self, *arguments)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", failing)
    monkeypatch.setattr(reading, "RETRY_PAUSES", (0.0, 0.0))
    return left


def test_a_failure_that_passes_is_not_seen(comm, parts, failures):
    """The files are opened anew: HDF5 may have kept what it read badly."""
    with DataFiles(parts) as files:
        opened = list(files._files)
        failures.append(OSError(errno.EIO, "Input/output error"))
        assert np.array_equal(files.read(5, 12).samples, NUMBERS[5:12])
        assert not any(opened) and all(files._files)


def test_a_failure_that_stays_is_no_damage(comm, parts, failures):
    with DataFiles(parts) as files:
        failures += [OSError(errno.EIO, "Input/output error")] * 3
        with pytest.raises(UnreadableError, match="the system cannot read it: Input/output error") as error:
            files.read(5, 12)
        assert not isinstance(error.value, DamagedError)
        assert len(files.read(5, 12)) == 7


SCHEMA = Schema((4,), "uint8", "text", 0.0, 2.0, vocabulary="abc")


class Files:
    def __init__(self, **other):
        self.schema = replace(SCHEMA, **other)


@pytest.mark.parametrize(
    "other, message",
    [
        ({"shape": (5,)}, r"x.h5: shape of samples is \(5,\), but \(4,\) in run"),
        ({"dtype": "uint16"}, "x.h5: dtype of samples is uint16, but uint8 in run"),
        ({"kind": "array"}, "x.h5: kind of samples is array, but text in run"),
        ({"rate": 8}, "x.h5: rate of samples is 8, but 0 in run"),
        (
            {"vocabulary": "abd"},
            "x.h5: has a different vocabulary from the data of run; prepare both together",
        ),
    ],
)
def test_data_of_another_kind_than_a_model_was_trained_on(other, message):
    with pytest.raises(InputError, match=message):
        require_suitable("x.h5", Files(**other), SCHEMA, "run")


def test_data_of_the_same_kind_may_lie_in_another_interval():
    require_suitable("x.h5", Files(low=None, high=None, classes=3), SCHEMA, "run")


def test_a_path_may_be_one_or_several():
    assert paths_of("x.h5") == ["x.h5"] and paths_of(["x.h5", "y.h5"]) == ["x.h5", "y.h5"]


# Rows of 24 KiB, which have checksums of boxes.
SHAPE = (12, 32, 16)


# Rows of each of the files that are used as one.
PARTS = (3, 1, 5)


def plain(comm, path, samples, **columns):
    """Write a data file as people write theirs, without checksums."""
    if comm.rank == 0:
        with h5py.File(path, "w") as file:
            for name, array in {"samples": samples, **columns}.items():
                file[name] = array
            file.attrs.update(kind="array", low=-9.0, high=9.0)
    comm.Barrier()


def checked(comm, path, samples, **columns):
    """Write a data file of hpcgen, with checksums."""
    slabs = {
        name: Slab.replicated(array, comm.rank) for name, array in {"samples": samples, **columns}.items()
    }
    write_data(path, comm, slabs, Schema(SHAPE, "float32", "array", -9.0, 9.0), "a test")


WRITERS = {"checked": [checked] * 3, "plain": [plain] * 3, "mixed": [checked, plain, checked]}


@pytest.fixture
def columns(random):
    rows = sum(PARTS)
    return {
        "samples": random.standard_normal((rows, *SHAPE)).astype(np.float32),
        "inputs": random.standard_normal((rows, 2)).astype(np.float32),
        "labels": np.arange(rows),
    }


@pytest.fixture(params=WRITERS)
def files(request, comm, folder, columns):
    """Three files that are used as one."""
    stops = np.cumsum(PARTS)
    for number, (write, rows, stop) in enumerate(zip(WRITERS[request.param], PARTS, stops)):
        part = {name: array[stop - rows : stop] for name, array in columns.items()}
        write(comm, folder / f"{number}.h5", **part)
    with DataFiles([folder / f"{number}.h5" for number in range(3)]) as files:
        yield files


ROWS = [(0, 9), (0, 3), (2, 4), (3, 4), (1, 8), (4, 9), (5, 5)]


REGIONS = [
    (),
    (slice(0, 6),),
    (slice(6, 12), slice(8, 32)),
    (slice(5, 7), slice(None), slice(15, 16)),
    (slice(4, 4),),
]


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("start, stop", ROWS)
def test_a_region_of_rows_is_what_numpy_cuts_out(files, columns, start, stop, region):
    rows = files.read(start, stop, region=region)
    expected = columns["samples"][(slice(start, stop), *region)]
    assert rows.samples.shape == expected.shape and np.array_equal(rows.samples, expected)
    assert np.array_equal(rows.inputs, columns["inputs"][start:stop])
    assert np.array_equal(rows.labels, columns["labels"][start:stop]) and rows.labels.dtype == np.int64


def test_only_the_columns_that_are_named_are_read(files, columns):
    rows = files.read(2, 5, ("labels",), (slice(0, 6),))
    assert rows.samples is None and rows.inputs is None and rows.labels.tolist() == [2, 3, 4]
    rows = files.read(2, 5, ("samples", "other"), (slice(0, 6),))
    assert rows.labels is None and np.array_equal(rows.samples, columns["samples"][2:5, :6])


def test_what_the_files_say_about_their_rows(files):
    assert files.rows == 9 and files.names == ["samples", "inputs", "labels"]
    assert (files.schema.shape, files.schema.dtype, files.schema.low) == (SHAPE, "float32", -9.0)
    assert files.width("samples") == 12 * 32 * 16 and files.width("labels") == 1
    assert files.row_bytes == 4 * 12 * 32 * 16 + 4 * 2 + 8


def test_a_region_has_no_steps(files):
    with pytest.raises(ValueError, match="a region has no steps"):
        files.read(0, 9, region=(slice(0, 6, 2),))


def test_damage_counts_in_the_region_that_is_read(comm, folder, columns):
    """Of a file with checksums: its boxes are verified one by one."""
    path = folder / "x.h5"
    checked(comm, path, columns["samples"])
    if comm.rank == 0:
        with h5py.File(path) as file:
            position = file["samples"].id.get_offset() + 4 * np.ravel_multi_index((5, 0, 3, 3), (9, *SHAPE))
        with open(path, "r+b") as file:
            file.seek(position)
            file.write(b"\xff")
    comm.Barrier()
    with DataFiles([path]) as files:
        whole = files.read(5, 6, region=(slice(None), slice(16, 32))).samples
        assert np.array_equal(whole, columns["samples"][5:6, :, 16:])
        with pytest.raises(DamagedError, match="/samples differs from its checksum at rows 5 to 5"):
            files.read(4, 7, region=(slice(6, 12), slice(12, 20)))


@pytest.mark.parametrize("write", [plain, checked])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 9.5])
def test_a_row_that_cannot_be_used_is_named_by_its_file_and_number(comm, folder, columns, write, value):
    samples = columns["samples"]
    plain(comm, folder / "0.h5", samples)
    samples[4, 11, 0, 0] = value
    write(comm, folder / "1.h5", samples)
    message = "numbers outside the attributes low, high" if np.isfinite(value) else "NaN or infinity"
    with DataFiles([folder / "0.h5", folder / "1.h5"]) as files:
        for region in ((), (slice(10, 12), slice(0, 1))):
            with pytest.raises(InputError, match=f"1.h5: row 4 .*{message}"):
                files.read(7, 16, region=region)
        assert len(files.read(7, 16, region=(slice(0, 10),))) == 9


def test_inputs_and_labels_are_checked_too(comm, folder, columns):
    inputs, labels = columns["inputs"].copy(), columns["labels"].copy()
    inputs[7, 1], labels[6] = np.nan, -2
    plain(comm, folder / "x.h5", columns["samples"], inputs=inputs, labels=labels)
    with DataFiles([folder / "x.h5"]) as files:
        with pytest.raises(InputError, match="x.h5: row 7 of the inputs holds NaN or infinity"):
            files.read(6, 9, ("inputs",))
        with pytest.raises(InputError, match="x.h5: row 6 has label -2; labels count from 0"):
            files.read(5, 8, ("labels",))
        assert files.read(0, 6).labels.tolist() == list(range(6))


def test_tokens_outside_the_vocabulary_are_named(comm, folder):
    tokens = np.zeros((6, 8), np.uint8)
    tokens[5, 7] = 2
    if comm.rank == 0:
        with h5py.File(folder / "x.h5", "w") as file:
            file["samples"], file["vocabulary"] = tokens, np.array([97, 98], np.uint32)
            file.attrs["kind"] = "text"
    comm.Barrier()
    with DataFiles([folder / "x.h5"]) as files:
        assert not files.read(0, 6, region=(slice(0, 7),)).samples.any()
        with pytest.raises(InputError, match="x.h5: row 5 holds token 2, outside the vocabulary of 2 tokens"):
            files.read(3, 6, region=(slice(6, 8),))


def test_what_is_known_stays_known_after_a_failure_of_the_system(files, monkeypatch):
    """The files are closed then, and opened anew by the next reading."""
    monkeypatch.setattr(reading, "RETRY_PAUSES", (0.0,))

    def refuse(*arguments, **options):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(h5py.Dataset, "__getitem__", refuse)
        with pytest.raises(UnreadableError, match="Input/output error"):
            files.read(0, 9)
    assert files.width("inputs") == 2 and files.row_bytes > 0
    assert len(files.read(0, 9)) == 9
    files.close()
    assert files.width("inputs") == 2
    with pytest.raises(ValueError, match="closed"):
        files.read(0, 9)


def test_an_array_beside_the_rows_is_one_if_all_files_agree(comm, folder, columns):
    for number, theta in enumerate([np.ones(3), np.ones(3), np.zeros(3)]):
        plain(comm, folder / f"{number}.h5", columns["samples"], theta=theta)
    paths = [folder / f"{number}.h5" for number in range(3)]
    with DataFiles(paths[:2]) as files:
        assert files.constant("theta").tolist() == [1, 1, 1] and files.constant("other") is None
    with DataFiles(paths) as files:
        assert files.constant("theta") is None


def test_data_that_suit_a_model_are_of_the_kind_that_it_was_trained_on(files):
    schema = files.schema
    require_suitable("x.h5", files, schema, "run")
    others = {"shape": (3,), "dtype": "uint8", "kind": "audio", "rate": 8000}
    for name, value in others.items():
        other = replace(schema, **{name: value})
        with pytest.raises(InputError, match=f"x.h5: {name} of samples is .*, but .* in run"):
            require_suitable("x.h5", files, other, "run")


def test_one_path_is_a_list_of_one():
    assert paths_of("a.h5") == ["a.h5"] and paths_of(["a.h5", "b.h5"]) == ["a.h5", "b.h5"]
