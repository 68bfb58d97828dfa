"""CIFAR-10 binary batches (Krizhevsky 2009). A record is a label byte and 3 x 32 x 32 bytes: a red, a green
and a blue plane."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hpcgen.data.rows import Rows
from hpcgen.data.sources import Source
from hpcgen.errors import InputError

# A label and a picture.
RECORD_BYTES = 1 + 3 * 32 * 32


class CIFAR(Source):
    """The images of several batches in the given order, (32, 32, 3) each."""

    kind, columns, shape = "image", ("samples", "labels"), (32, 32, 3)

    def __init__(self, batches: Sequence[Path | str]) -> None:
        self._batches: list[tuple[int, Path | str, np.ndarray]] = []
        self.rows = 0
        for path in batches:
            try:
                size = os.path.getsize(path)
            except OSError as error:
                raise InputError(f"{path}: {error.strerror}") from None
            if size == 0 or size % RECORD_BYTES:
                raise InputError(
                    f"{path}: {size} bytes are not whole records of {RECORD_BYTES} bytes: truncated, or not "
                    "a CIFAR-10 binary batch"
                )
            self._batches.append((self.rows, path, np.memmap(path, np.uint8, "r").reshape(-1, RECORD_BYTES)))
            self.rows += size // RECORD_BYTES
        self.name = ", ".join(Path(path).name for path in batches)

    def read(self, start: int, stop: int) -> Rows:
        records = np.concatenate(
            [batch[max(0, start - first) : max(0, stop - first)] for first, _, batch in self._batches]
        )
        labels = records[:, 0].astype(np.int64)
        if (bad := np.flatnonzero(labels > 9)).size:
            row = start + int(bad[0])
            first, path, _ = [batch for batch in self._batches if batch[0] <= row][-1]
            raise InputError(
                f"{path}: record {row - first} has label {labels[bad[0]]}; CIFAR-10 labels are 0 to 9"
            )
        return Rows(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels=labels)
