"""Rows that cannot be used are refused by their number."""

import numpy as np
import pytest

from hpcgen.data.checks import CHECKS, MOST_CLASSES
from hpcgen.data.rows import Rows
from hpcgen.data.schema import Schema
from hpcgen.errors import InputError

FLOATS = Schema((2,), "float32", "array", 0.0, 8.0)
TEXT = Schema((2,), "uint8", "text", 0.0, 14.0, vocabulary="abcdefghijklmno")


def changed(shape, row, value, dtype=np.float32):
    rows = np.ones(shape, dtype)
    rows[row] = value
    return rows


@pytest.mark.parametrize(
    "column, rows, schema, message",
    [
        ("samples", changed((9, 2), (6, 1), np.nan), FLOATS, "row 106 of the samples holds NaN or infinity"),
        ("samples", changed((9, 2), (0, 0), np.inf), FLOATS, "row 100 of the samples holds NaN or infinity"),
        ("inputs", changed((9, 2, 3), (8, 1, 2), -np.inf), FLOATS, "row 108 of the inputs holds NaN"),
        (
            "samples",
            changed((9, 2), (4, 1), 8.01),
            FLOATS,
            "row 104 holds numbers outside the attributes low",
        ),
        ("samples", changed((9, 2), (5, 0), -0.01), FLOATS, "low, high = 0, 8; correct them"),
        (
            "samples",
            changed((9, 2), (7, 1), 15, np.uint8),
            TEXT,
            "row 107 holds token 15, outside the voc.* 15",
        ),
        ("labels", changed(9, 3, -1, int), FLOATS, "row 103 has label -1; labels count from 0"),
        (
            "labels",
            changed(9, 8, 2_000_000, int),
            FLOATS,
            "row 108 has label 2000000; 1,048,576 are the most",
        ),
    ],
)
def test_the_first_bad_row_is_named(column, rows, schema, message):
    with pytest.raises(InputError, match=f"^x.h5: .*{message}"):
        CHECKS[column]("x.h5", rows, 100, schema)


@pytest.mark.parametrize(
    "column, rows, schema",
    [
        ("samples", np.array([[0, 8], [-0.007, 8.007]], np.float32), FLOATS),
        ("samples", np.array([[0, 255]], np.uint8), FLOATS),
        ("samples", np.array([[0, 14]], np.uint8), TEXT),
        ("samples", np.zeros((0, 2), np.float32), FLOATS),
        ("samples", np.zeros((0, 2), np.uint8), TEXT),
        ("samples", np.array([[1e30, -1e30]], np.float32), Schema((2,), "float32", "array", None, None)),
        ("inputs", np.array([[1e30, -1e30]], np.float32), FLOATS),
        ("labels", np.array([0, MOST_CLASSES - 1], np.uint64), FLOATS),
        ("labels", np.zeros(0, np.int16), FLOATS),
    ],
)
def test_rows_that_can_be_used_stay(column, rows, schema):
    """Rounding on the way from a model's interval is allowed for."""
    found = CHECKS[column]("x.h5", rows, 0, schema)
    assert np.array_equal(found, rows)
    assert found.dtype == (np.int64 if column == "labels" else rows.dtype)


def test_every_column_has_its_check():
    assert set(CHECKS) == set(Rows._fields)
