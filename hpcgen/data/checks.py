"""Checks of rows as they are read. An error names the number of the first bad row."""

from collections.abc import Callable

import numpy as np

from hpcgen.data.rows import Rows
from hpcgen.data.schema import Schema
from hpcgen.errors import InputError

# The largest number of classes. Greater labels are most likely other numbers, given by mistake.
MOST_CLASSES = 1 << 20


def _known_samples(name: str, rows: np.ndarray, first: int, schema: Schema) -> np.ndarray:
    """Return `rows`. Raise InputError if a row holds NaN, infinity, or a number outside the vocabulary or the
    interval that `schema` describes."""
    if schema.kind == "text" and rows.size and rows.max() >= len(schema.vocabulary):
        row = int(np.argmax(rows.reshape(len(rows), -1).max(1) >= len(schema.vocabulary)))
        raise InputError(
            f"{name}: row {first + row} holds token {rows[row].max()}, "
            f"outside the vocabulary of {len(schema.vocabulary)} tokens"
        )
    finite_rows(name, rows, first)
    if rows.dtype.kind == "f" and schema.low is not None:
        # Accept the rounding errors of samples that were mapped from a model's interval.
        slack = 1e-3 * (schema.high - schema.low)
        outside = ((rows < schema.low - slack) | (rows > schema.high + slack)).any(tuple(range(1, rows.ndim)))
        if outside.any():
            raise InputError(
                f"{name}: row {first + int(outside.argmax())} holds numbers outside the attributes "
                f"low, high = {schema.low:g}, {schema.high:g}; correct them, or leave them out"
            )
    return rows


def known_labels(name: str, labels: np.ndarray, first: int) -> np.ndarray:
    """Return `labels` as int64. Raise InputError if a label cannot be a class.

    The error names the first bad row, counted from `first`.
    """
    for bad, why in (
        (labels < 0, "labels count from 0"),
        (labels >= MOST_CLASSES, f"at most {MOST_CLASSES:,} classes are supported"),
    ):
        if bad.any():
            raise InputError(
                f"{name}: row {first + int(bad.argmax())} has label {labels[bad.argmax()]}; {why}"
            )
    return labels.astype(np.int64)


def finite_rows(name: str, rows: np.ndarray, first: int, column: str = "samples") -> np.ndarray:
    """Return `rows`. Raise InputError if a row holds NaN or infinity.

    The error names the first bad row, counted from `first`.
    """
    if rows.dtype.kind == "f":
        finite = np.isfinite(rows).all(axis=tuple(range(1, rows.ndim)))
        if not finite.all():
            row = first + int(np.argmin(finite))
            raise InputError(
                f"{name}: row {row} of the {column} holds NaN or infinity, "
                "or a number beyond float32; remove or repair it"
            )
    return rows


def require_usable(name: str, rows: Rows, first: int) -> None:
    """Raise InputError if a row of a source cannot be used. The error names it, counted from `first`."""
    finite_rows(name, rows.samples, first)
    if rows.labels is not None:
        known_labels(name, rows.labels, first)
    if rows.inputs is not None:
        finite_rows(name, rows.inputs, first, "inputs")


CHECKS: dict[str, Callable[[str, np.ndarray, int, Schema], np.ndarray]] = {
    "samples": _known_samples,
    "inputs": lambda name, rows, first, schema: finite_rows(name, rows, first, "inputs"),
    "labels": lambda name, rows, first, schema: known_labels(name, rows, first),
}
