"""The rows of real data with which a model is compared."""

from math import prod

import numpy as np

from hpcgen.data.reading import DataFiles
from hpcgen.data.rows import Rows
from hpcgen.data.schema import Schema
from hpcgen.errors import InputError
from hpcgen.metrics.blocks import ROWS_A_BLOCK
from hpcgen.sampling.origins import NUMBERS_A_BLOCK, SAMPLES_A_BLOCK, samples_a_block


class Reference:
    """Rows of open data files, whose samples `schema` describes.

    A model is compared with the first `count` even rows. The first `count` odd rows are other real samples.
    Their distance from the even rows is the value that a perfect model would reach.
    """

    def __init__(self, files: DataFiles, schema: Schema, count: int) -> None:
        self._files, self.schema, self.count = files, schema, count
        self.rows = files.rows
        size, numbers = samples_a_block(schema.shape), prod(schema.shape)
        # The rows that a measure holds at a time. Of large samples these are as many as a model generates.
        self.rows_a_block = ROWS_A_BLOCK if ROWS_A_BLOCK * numbers <= NUMBERS_A_BLOCK else size
        self._large = size < SAMPLES_A_BLOCK
        self.labelled = "labels" in files.names

    def read(self, block: slice, *names: str) -> Rows:
        """Return a block of rows, even and odd: the columns `names`, or every column."""
        return self._files.read(block.start, block.stop, names or Rows._fields)

    def even(self, start: int, stop: int) -> np.ndarray:
        """Return the samples [start, stop) of the even rows, (stop - start, *sample_shape)."""
        return self._alternate(start, stop, 0)

    def odd(self, start: int, stop: int) -> np.ndarray:
        """Return the samples [start, stop) of the odd rows, (stop - start, *sample_shape)."""
        return self._alternate(start, stop, 1)

    def _alternate(self, start: int, stop: int, first: int) -> np.ndarray:
        """Return the samples [start, stop) of every second row, which begin with row `first`."""
        names = ("samples",)
        if not self._large or start == stop:
            return self._files.read(2 * start, 2 * stop, names).samples[first::2]
        rows = range(2 * start + first, 2 * stop, 2)
        return np.concatenate([self._files.read(row, row + 1, names).samples for row in rows])

    def labels(self, start: int, stop: int) -> np.ndarray:
        """Return the labels [start, stop) of the even rows, (n,). Labels from `count` on are left out."""
        first, last = min(start, self.count), min(stop, self.count)
        return self._files.read(2 * first, 2 * last, ("labels",)).labels[::2]

    def unit(self, samples: np.ndarray) -> np.ndarray:
        """Return samples as float64, with the data's interval mapped to [0, 1]."""
        unit = samples.astype(np.float64)
        unit -= self.schema.low
        unit /= self.schema.high - self.schema.low
        return unit

    def width(self, column: str) -> int:
        """Return how many numbers a row of a column has."""
        return self._files.width(column)

    def constant(self, name: str) -> np.ndarray | None:
        """Return the dataset of this name that is the same in all files, or None."""
        return self._files.constant(name)

    def require(self, column: str) -> None:
        """Raise InputError unless the data have the column, and as many inputs as the model."""
        if column not in self._files.names:
            raise InputError(f"the evaluation data have no /{column}")
        if column == "inputs" and self.schema.inputs is not None:
            given, wanted = self.width(column), len(self.schema.inputs)
            if given != wanted:
                raise InputError(f"the evaluation data have {given} inputs, the model has {wanted}")
