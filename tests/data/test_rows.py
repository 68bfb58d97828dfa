"""Rows are columns of one length, of which some may be missing."""

import numpy as np
import pytest

from hpcgen.data.rows import Rows

SAMPLES, INPUTS, LABELS = np.arange(12).reshape(6, 2), np.arange(6.0)[:, None], np.arange(6)
EACH = pytest.mark.parametrize(
    "rows", [Rows(SAMPLES), Rows(SAMPLES, labels=LABELS), Rows(SAMPLES, INPUTS, LABELS)], ids=[1, 2, 3]
)


def part(rows, start, stop):
    return rows.map(lambda column: column[start:stop])


@EACH
def test_a_function_is_applied_to_the_columns_that_are_there(rows):
    assert len(rows) == 6 and len(part(rows, 1, 3)) == 2
    for column, cut in zip(rows, part(rows, 1, 3)):
        assert (cut is None) == (column is None) and (cut is None or np.array_equal(cut, column[1:3]))


@EACH
@pytest.mark.parametrize("bounds", [(0, 6), (0, 2, 2, 5, 6), (0, 0, 6)])
def test_parts_are_joined_in_their_order(rows, bounds):
    joined = Rows.joined([part(rows, start, stop) for start, stop in zip(bounds, bounds[1:])])
    for column, expected in zip(joined, rows):
        assert (column is None) == (expected is None)
        assert column is None or np.array_equal(column, expected)


def test_one_part_is_not_copied():
    rows = Rows(SAMPLES, INPUTS)
    assert Rows.joined([rows]) is rows


def test_samples_may_be_left_out():
    """As where only the labels of a file are read."""
    joined = Rows.joined([Rows(None, labels=LABELS[:4]), Rows(None, labels=LABELS[4:])])
    assert joined.samples is None and np.array_equal(joined.labels, LABELS)
