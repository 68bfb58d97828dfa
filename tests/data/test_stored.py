"""Arrays in files: any rows of them, and what a reader must know of how they are stored."""

import errno

import h5py
import numpy as np
import pytest
from stored import FILES

from hpcgen.data.stored import stored
from hpcgen.errors import DamagedError, InputError, UnreadableError
from hpcgen.files import reading

WINDOWS = [slice(20, 23), slice(0, 1), slice(5, 5), slice(7, 30)]


@pytest.mark.parametrize("dtype", ["f4", ">f8", "u1", "?", "<i2"])
@pytest.mark.parametrize("shape", [(30,), (30, 5), (30, 4, 3, 2)])
@pytest.mark.parametrize("form", FILES)
def test_the_rows_of_windows_are_those_of_the_array(tmp_path, random, form, shape, dtype):
    array = random.integers(0, 2, shape).astype(dtype)
    found = stored(
        FILES[form](tmp_path, x=array), "x" if form != "npy" and form != "npy by columns" else None
    )
    read = []
    found.read(WINDOWS, lambda window, rows: read.append((window, rows.copy())))
    assert [window for window, _ in read] == WINDOWS
    for window, rows in read:
        assert rows.dtype == array.dtype and np.array_equal(rows, array[window])
    assert (found.shape, found.dtype) == (array.shape, array.dtype)


def test_what_is_stored_together(tmp_path):
    array = np.zeros((30, 5))
    together = {
        form: stored(make(tmp_path, x=array), "x" if "npy" not in form else None).together
        for form, make in FILES.items()
    }
    assert together == {
        "npy": 1,
        "npy by columns": 30,
        "npz": 1,
        "HDF5": 1,
        "HDF5 in chunks": 4,
        "HDF5, compressed": 4,
    }


def test_a_compressed_chunk_needs_memory(tmp_path):
    array = np.zeros((30, 5))
    needed = {
        form: stored(make(tmp_path, x=array), "x" if "npy" not in form else None).needed
        for form, make in FILES.items()
    }
    assert needed.pop("HDF5, compressed") == 2 * 4 * 5 * 8
    assert set(needed.values()) == {0}


def test_an_array_of_an_npz_file_is_held(tmp_path):
    path = FILES["npz"](tmp_path, x=np.zeros(1000), y=np.zeros(10))
    assert stored(path, "x").held == 8000 and stored(path, "y", 1000).held == 80
    with pytest.raises(InputError, match=r"x has 8,128 bytes; .* save it as .npy or HDF5, or give a larger"):
        stored(path, "x", 8000)
    for form in ("npy", "HDF5"):
        assert stored(FILES[form](tmp_path, x=np.zeros(1000)), None, 0).held == 0


@pytest.mark.parametrize("form", ["npy", "npy by columns"])
def test_a_file_that_became_shorter(tmp_path, form):
    path = FILES[form](tmp_path, x=np.zeros((30, 5)))
    found = stored(path, None)
    path.write_bytes(path.read_bytes()[:-100])
    found.read([slice(0, 1 if form == "npy by columns" else 20)] * (form == "npy"), lambda window, rows: None)
    with pytest.raises(InputError, match="truncated while it was read; copy it again"):
        found.read([slice(29, 30)], lambda window, rows: None)


def test_a_damaged_chunk(tmp_path):
    path = FILES["HDF5, compressed"](tmp_path, x=np.arange(150.0).reshape(30, 5))
    found = stored(path, "x")
    with h5py.File(path) as file:
        place = file["x"].id.get_chunk_info(2).byte_offset
    content = bytearray(path.read_bytes())
    content[place : place + 8] = bytes(8)
    path.write_bytes(content)
    found.read([slice(0, 8)], lambda window, rows: None)
    with pytest.raises(DamagedError, match="cannot read /x"):
        found.read([slice(8, 12)], lambda window, rows: None)


def test_windows_are_read_again_after_the_system_failed(tmp_path, monkeypatch):
    array = np.arange(60.0).reshape(30, 2)
    found = stored(FILES["npy"](tmp_path, x=array), None)
    monkeypatch.setattr(reading, "RETRY_PAUSES", (0.0,))
    made, failures = np.zeros_like(array), [OSError(errno.EIO, "Input/output error")]

    def use(window, rows):
        if window.start and failures:
            raise failures.pop()
        made[window] = rows

    found.read([slice(0, 10), slice(10, 30)], use)
    assert np.array_equal(made, array)
    failures += [OSError(errno.EIO, "Input/output error")] * 2
    with pytest.raises(UnreadableError, match="x.npy: the system cannot read it: Input/output error"):
        found.read([slice(10, 30)], use)
