"""Checks of rows as they are read. Rows that cannot be used are refused by their number."""

from collections.abc import Callable

import numpy as np

from hpcgen.data.schema import Schema
from hpcgen.errors import InputError

# Labels count classes; greater ones are other numbers by mistake.
MOST_CLASSES = 1 << 20


def _known_samples(name: str, rows: np.ndarray, first: int, schema: Schema) -> np.ndarray:
    if schema.kind == "text" and rows.size and rows.max() >= len(schema.vocabulary):
        row = int(np.argmax(rows.reshape(len(rows), -1).max(1) >= len(schema.vocabulary)))
        raise InputError(
            f"{name}: row {first + row} holds token {rows[row].max()}, "
            f"outside the vocabulary of {len(schema.vocabulary)}"
        )
    finite_rows(name, rows, first)
    if rows.dtype.kind == "f" and schema.low is not None:
        # Rounding on the way from a model's interval is not meant.
        slack = 1e-3 * (schema.high - schema.low)
        outside = ((rows < schema.low - slack) | (rows > schema.high + slack)).any(tuple(range(1, rows.ndim)))
        if outside.any():
            raise InputError(
                f"{name}: row {first + int(outside.argmax())} holds numbers outside the attributes "
                f"low, high = {schema.low:g}, {schema.high:g}; correct them, or leave them out"
            )
    return rows


def known_labels(name: str, labels: np.ndarray, first: int) -> np.ndarray:
    """Return `labels` as int64. Raise InputError that names the first row with a label that is no class,
    counted from `first`."""
    for bad, why in (
        (labels < 0, "labels count from 0"),
        (labels >= MOST_CLASSES, f"{MOST_CLASSES:,} are the most"),
    ):
        if bad.any():
            raise InputError(
                f"{name}: row {first + int(bad.argmax())} has label {labels[bad.argmax()]}; {why}"
            )
    return labels.astype(np.int64)


def finite_rows(name: str, rows: np.ndarray, first: int, column: str = "samples") -> np.ndarray:
    """Return `rows`. Raise InputError that names the first row with NaN or infinity, counted from `first`."""
    if rows.dtype.kind == "f":
        finite = np.isfinite(rows).all(axis=tuple(range(1, rows.ndim)))
        if not finite.all():
            row = first + int(np.argmin(finite))
            raise InputError(f"{name}: row {row} of the {column} holds NaN or infinity; remove or repair it")
    return rows


CHECKS: dict[str, Callable[[str, np.ndarray, int, Schema], np.ndarray]] = {
    "samples": _known_samples,
    "inputs": lambda name, rows, first, schema: finite_rows(name, rows, first, "inputs"),
    "labels": lambda name, rows, first, schema: known_labels(name, rows, first),
}
