"""Samples from a .npy or .npz file, or from any HDF5 dataset. The first axis counts the samples."""

from pathlib import Path

import numpy as np

from hpcgen.data.columns import Column
from hpcgen.data.rows import Rows
from hpcgen.data.sources import Source
from hpcgen.data.stored import Stored, stored
from hpcgen.errors import InputError


class Array(Source):
    """An array of samples. uint8 stays uint8. Every other real type becomes float32. An array (n, height,
    width, 1 or 3) of uint8 holds images.

    `inputs` and `labels` name arrays in the same file. They become /inputs (numbers) and /labels (integers
    from 0). `memory` is the number of bytes of rows that a rank may hold, if there is a limit.
    """

    def __init__(
        self,
        path: Path | str,
        name: str | None = None,
        inputs: str | None = None,
        labels: str | None = None,
        memory: int | None = None,
    ) -> None:
        self._path, self.name, self.memory = path, Path(path).name, memory
        self.stored = {}
        samples = self._stored(name)
        if samples.dtype.kind not in "buif" or not samples.shape:
            raise InputError(
                f"{path}: samples must be real numbers along a first axis, "
                f"not {samples.dtype} of shape {samples.shape}"
            )
        self.rows, self.shape = samples.shape[0], samples.shape[1:] or (1,)
        self.dtype = np.dtype(np.uint8 if samples.dtype == np.uint8 else np.float32)
        self.kind = (
            "image"
            if self.dtype == np.uint8 and len(self.shape) == 3 and self.shape[2] in (1, 3)
            else "array"
        )
        self.stored["samples"] = Column(samples, (self.rows, *self.shape), self.dtype)
        if inputs is not None:
            self.stored["inputs"] = self._beside(inputs, "buif", (1, 2), np.dtype(np.float32))
        if labels is not None:
            self.stored["labels"] = self._beside(labels, "ui", (1,), np.dtype(np.int64))
        self.columns = tuple(self.stored)

    def _stored(self, name: str | None) -> Stored:
        held = sum(column.stored.held for column in self.stored.values())
        return stored(self._path, name, None if self.memory is None else self.memory // 2 - held)

    def _beside(self, name: str, kinds: str, axes: tuple[int, ...], dtype: np.dtype) -> Column:
        """Return the column of an array beside the samples, of one of these kinds and numbers of axes."""
        found = self._stored(name)
        if found.dtype.kind not in kinds or len(found.shape) not in axes or found.shape[0] != self.rows:
            raise InputError(
                f"{self._path}: {name} is {found.dtype} of shape {found.shape}, "
                f"which does not suit {self.rows} samples"
            )
        return Column(found, found.shape + (1,) * (max(axes) - len(found.shape)), dtype)

    def read(self, start: int, stop: int) -> Rows:
        return Rows(**{name: column.rows(start, stop) for name, column in self.stored.items()})
