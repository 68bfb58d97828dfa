"""Rows of stored arrays, taken in any order, through windows of few bytes."""

import numpy as np
import pytest
from stored import FILES

from hpcgen.data import columns
from hpcgen.data.columns import Column, windows
from hpcgen.data.stored import stored


@pytest.mark.parametrize("most", [1, 3, 10, 1000])
@pytest.mark.parametrize("near", [0, 2, 1000])
@pytest.mark.parametrize("together", [1, 4, 200])
@pytest.mark.parametrize("count", [0, 1, 13, 60, 200])
def test_windows_hold_the_rows_once_and_few_others(random, most, near, together, count):
    numbers = np.sort(random.choice(200, count, replace=False))
    found = windows(numbers, most, near, together)
    assert [n for w in found for n in range(w.start, w.stop) if n in numbers] == numbers.tolist()
    assert all(0 < window.stop - window.start <= most for window in found)
    for window in found:
        inside = numbers[(numbers >= window.start) & (numbers < window.stop)]
        assert (window.start, window.stop - 1) == (inside[0], inside[-1])
        gaps = np.diff(inside) - 1
        assert all((gaps <= near) | (np.diff(inside // together) == 0))


def test_rows_of_a_chunk_are_in_one_window(random):
    numbers = np.sort(random.choice(200, 50, replace=False))
    for most in (4, 7, 50):
        chunks = [{n // 4 for n in range(w.start, w.stop)} for w in windows(numbers, most, 0, 4)]
        assert sum(map(len, chunks)) == len(set.union(*chunks)) == len(set((numbers // 4).tolist()))


def test_rows_that_are_near_share_a_window():
    numbers = np.array([0, 3, 4, 9])
    assert windows(numbers, 100, 2, 1) == [slice(0, 5), slice(9, 10)]
    assert windows(numbers, 100, 1, 1) == [slice(0, 1), slice(3, 5), slice(9, 10)]
    assert windows(numbers, 100, 4, 1) == [slice(0, 10)]
    assert windows(numbers, 4, 100, 1) == [slice(0, 4), slice(4, 5), slice(9, 10)]


@pytest.mark.parametrize("near", [0, 100, 1 << 16])
@pytest.mark.parametrize("most", [1, 200, 1 << 20])
@pytest.mark.parametrize("form", FILES)
def test_rows_are_taken_in_any_order(tmp_path, random, monkeypatch, form, most, near):
    monkeypatch.setattr(columns, "NEAR_BYTES", near)
    array = random.standard_normal((90, 3, 2)) * 1e3
    column = Column(stored(FILES[form](tmp_path, x=array), None), array.shape, np.dtype(np.float32))
    expected = array.astype(np.float32)
    for numbers in (random.permutation(90), random.permutation(90)[:20], np.arange(30, 50), np.arange(0)):
        made = np.empty((len(numbers), 3, 2), np.float32)
        column.take(numbers, made, most)
        assert made.tobytes() == expected[numbers].tobytes()
    assert column.rows(20, 50).tobytes() == expected[20:50].tobytes()


def test_numbers_take_the_type_of_the_data_file(tmp_path):
    array = np.array([1, 2, 300], np.uint16)
    column = Column(stored(FILES["npy"](tmp_path, x=array), None), (3, 1), np.dtype(np.float32))
    assert column.rows(0, 3).tolist() == [[1], [2], [300]] and column.row_bytes == 4
    assert column.stored_row_bytes == 2
    large = Column(stored(FILES["npy"](tmp_path, x=np.array([1e300, 1])), None), (2, 1), np.dtype(np.float32))
    assert large.rows(0, 2).tolist() == [[np.inf], [1]]
