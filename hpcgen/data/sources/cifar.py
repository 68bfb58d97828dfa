"""CIFAR-10 binary batches (Krizhevsky 2009). A record is a label byte and 3 x 32 x 32 bytes: a red, a green
and a blue plane."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from hpcgen.data.rows import Rows
from hpcgen.data.sources import Source
from hpcgen.errors import InputError
from hpcgen.files.reading import read_file
from hpcgen.parallel.partition import Partition

# A label and a picture.
RECORD_BYTES = 1 + 3 * 32 * 32


class CIFAR(Source):
    """The images of several batches in the given order, (32, 32, 3) each."""

    kind, columns, shape = "image", ("samples", "labels"), (32, 32, 3)

    def __init__(self, batches: Sequence[Path | str]) -> None:
        self._paths = batches
        self._batches = Partition(map(_count, batches))
        self.rows = self._batches.total
        self.name = ", ".join(Path(path).name for path in batches)

    def read(self, start: int, stop: int) -> Rows:
        records = np.empty((stop - start, RECORD_BYTES), np.uint8)
        for batch, inside, target in self._batches.pieces(start, stop):
            records[target] = _records(self._paths[batch], inside.start, inside.stop)
        labels = records[:, 0].astype(np.int64)
        return Rows(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels=labels)


def _count(path: Path | str) -> int:
    """Return the number of records in a batch. Raises InputError unless all records are complete."""
    size = read_file(path, "its size", partial(os.path.getsize, path))
    if size == 0 or size % RECORD_BYTES:
        raise InputError(
            f"{path}: {size} bytes are not whole records of {RECORD_BYTES}: "
            "truncated, or not a CIFAR-10 binary batch"
        )
    return size // RECORD_BYTES


def _records(path: Path | str, start: int, stop: int) -> np.ndarray:
    """Return the records [start, stop) of a batch. Raises InputError, which names the first record with a bad
    label."""

    def read() -> np.ndarray:
        with open(path, "rb") as file:
            file.seek(start * RECORD_BYTES)
            data = file.read((stop - start) * RECORD_BYTES)
        return np.frombuffer(data, np.uint8).reshape(stop - start, RECORD_BYTES)

    records = read_file(path, "its records", read)
    if (bad := np.flatnonzero(records[:, 0] > 9)).size:
        raise InputError(
            f"{path}: record {start + bad[0]} has label {records[bad[0], 0]}; CIFAR-10 labels are 0 to 9"
        )
    return records
