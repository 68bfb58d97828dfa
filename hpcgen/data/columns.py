"""Columns of a data file, made from stored arrays. Any rows can be taken, in any order."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from hpcgen.data.stored import Stored

# Rows that lie nearer than this in a file are read together, with those between them: a disk needs about as
# long to find a place as to read so many bytes.
NEAR_BYTES = 1 << 16


@dataclass(frozen=True)
class Column:
    """The rows (n, ...) of a stored array, in the `shape` and the `dtype` that a data file has for them."""

    stored: Stored
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def row_bytes(self) -> int:
        """The bytes of one row in a data file."""
        return prod(self.shape[1:]) * self.dtype.itemsize

    @property
    def stored_row_bytes(self) -> int:
        """The bytes of one row where it is stored."""
        return prod(self.shape[1:]) * self.stored.dtype.itemsize

    @property
    def least_memory(self) -> int:
        """The bytes with which single rows can be read and written: a row as it is stored, and twice as it is
        made."""
        return self.stored_row_bytes + 2 * self.row_bytes

    def most_rows(self, memory: int) -> int:
        """Return how many rows of the file are read at a time into `memory` bytes: at least one."""
        return max(1, memory // self.stored_row_bytes)

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Return the rows [start, stop)."""
        made = np.empty((stop - start, *self.shape[1:]), self.dtype)
        self.stored.read([slice(start, stop)], lambda _, rows: self._put(rows, made, slice(None)))
        return made

    def take(self, numbers: np.ndarray, made: np.ndarray, most: int) -> None:
        """Write the rows of these different `numbers` (n,), in their order, to `made` (n, ...).

        At most `most` bytes of the file are read at a time, or one row.
        """
        order = np.argsort(numbers)
        ascending = numbers[order]

        def use(window: slice, rows: np.ndarray) -> None:
            inside = slice(*np.searchsorted(ascending, [window.start, window.stop]))
            if inside.stop - inside.start < len(rows):
                rows = rows[ascending[inside] - window.start]
            self._put(rows, made, order[inside])

        near = NEAR_BYTES // self.stored_row_bytes
        self.stored.read(windows(ascending, self.most_rows(most), near, self.stored.together), use)

    def _put(self, rows: np.ndarray, made: np.ndarray, where: slice | np.ndarray) -> None:
        with np.errstate(over="ignore"):  # a number beyond float32 becomes infinity, which is refused later
            made[where] = rows.reshape(len(rows), *self.shape[1:])


def windows(numbers: np.ndarray, most: int, near: int, together: int) -> Sequence[slice]:
    """Return windows of at most `most` rows that hold the rows of these ascending `numbers`.

    Two rows share a window if at most `near` rows lie between them, or if they are in the same run of
    `together` rows. Then a run that is not longer than a window is read once.
    """
    if not len(numbers):
        return []
    if most > together:
        most -= most % together
    apart = (np.diff(numbers) - 1 > near) & (np.diff(numbers // together) > 0)
    first = np.flatnonzero(np.concatenate([[True], apart | (np.diff(numbers // most) > 0)]))
    last = np.append(first[1:], len(numbers)) - 1
    return [
        slice(start, stop)
        for start, stop in zip(numbers[first].tolist(), (numbers[last] + 1).tolist(), strict=True)
    ]
