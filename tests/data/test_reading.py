"""The rows of one file, or of several as one: what is read of them, and what must agree."""

import errno
import os
from dataclasses import replace

import h5py
import numpy as np
import pytest

from hpcgen.data.reading import DataFiles, paths_of, require_suitable
from hpcgen.data.schema import Schema
from hpcgen.errors import DamagedError, InputError, UnreadableError
from hpcgen.files import reading

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
        ({"shape": (5,)}, r"x.h5: shape of samples is \(5,\), not \(4,\) as for run"),
        ({"dtype": "uint16"}, "x.h5: dtype of samples is uint16, not uint8 as for run"),
        ({"kind": "array"}, "x.h5: kind of samples is array, not text as for run"),
        ({"rate": 8}, "x.h5: rate of samples is 8, not 0 as for run"),
        ({"vocabulary": "abd"}, "x.h5: has another vocabulary than the data of run; prepare both together"),
    ],
)
def test_data_of_another_kind_than_a_model_was_trained_on(other, message):
    with pytest.raises(InputError, match=message):
        require_suitable("x.h5", Files(**other), SCHEMA, "run")


def test_data_of_the_same_kind_may_lie_in_another_interval():
    require_suitable("x.h5", Files(low=None, high=None, classes=3), SCHEMA, "run")


def test_a_path_may_be_one_or_several():
    assert paths_of("x.h5") == ["x.h5"] and paths_of(["x.h5", "y.h5"]) == ["x.h5", "y.h5"]
