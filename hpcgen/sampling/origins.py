"""Origins of samples: noise, labels and inputs.

Samples are generated in blocks. Each block has its own random stream, and all blocks have arrays of the same
shapes. The bits of sample i of a seed therefore do not depend on the rank that generates it, or on the number
of other samples.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from math import prod
from typing import Any, Protocol, TypeAlias

import numpy as np

from hpcgen.arrays import Shape
from hpcgen.data.checks import finite_rows
from hpcgen.data.sources import Source
from hpcgen.models.batch import Batch
from hpcgen.models.model import Model
from hpcgen.streams import Purpose, stream

# The most samples in a block, and approximately the most numbers: a block holds fewer large samples. The
# samples of a seed depend on both.
SAMPLES_A_BLOCK = 64
NUMBERS_A_BLOCK = 1 << 24
# Number of blocks whose inputs are read at a time, because a source opens its file for each read.
BLOCKS_A_READ = 256

# A function (start, stop) that returns these rows of a column.
RowsOf: TypeAlias = Callable[[int, int], np.ndarray]


def samples_a_block(shape: Shape) -> int:
    """Return how many samples of this shape make a block."""
    return max(1, min(SAMPLES_A_BLOCK, NUMBERS_A_BLOCK // prod(shape)))


class Origin(Protocol):
    """The origin of samples: the inputs of the model that generates them."""

    # Samples in a block.
    size: int
    # The number of samples. None: any number.
    rows: int | None = None
    # A plot puts each group of this many samples in one row.
    group: int = 1

    @abstractmethod
    def batch(self, block: int) -> Batch:
        """Return the Batch of a block of samples."""

    @abstractmethod
    def codes(self, block: int) -> Any:
        """Return the noise or latent numbers of a block, (size, ...), or None if it has none."""

    def columns(self) -> Mapping[str, RowsOf]:
        """Return the other columns of a data file of these samples, {name: rows(start, stop)}."""
        return {}

    def with_originals(self, samples: np.ndarray) -> np.ndarray:
        """Return the first samples, for a plot. If samples have originals, each follows its original."""
        return samples


class Prior(Origin):
    """The noise of a seed. A conditional model uses one label, or all labels in turn."""

    def __init__(self, model: Model, seed: int, label: int | None = None) -> None:
        self._model, self._seed, self._label = model, seed, label
        self.size = samples_a_block(model.sample_shape)

    def batch(self, block: int) -> Batch:
        first = block * self.size
        labels = self._labels(first, first + self.size) if self._model.classes else None
        return self._batch(block, labels=labels)

    def _batch(self, block: int, inputs: np.ndarray | None = None, labels: np.ndarray | None = None) -> Batch:
        return self._model.batch(
            self.size,
            inputs=inputs,
            labels=labels,
            noise=self.codes(block),
            random=lambda index: stream(self._seed, Purpose.SAMPLE, block, part=1 + index),
        )

    def codes(self, block: int) -> Any:
        return self._model.noise(stream(self._seed, Purpose.SAMPLE, block), self.size)

    def columns(self) -> Mapping[str, RowsOf]:
        return {"labels": self._labels} if self._model.classes else {}

    def _labels(self, start: int, stop: int) -> np.ndarray:
        rows = np.arange(start, stop)
        return rows % self._model.classes if self._label is None else np.full_like(rows, self._label)


class Matching(Prior):
    """The noise of a seed, with the labels of a data file's rows: classes are as frequent as in the file."""

    def __init__(self, model: Model, seed: int, labels: RowsOf) -> None:
        super().__init__(model, seed)
        self._given = labels

    def _labels(self, start: int, stop: int) -> np.ndarray:
        return padded(self._given(start, stop), self.size)


class Conditioned(Prior):
    """The noise of a seed, with the inputs that a source reads: one sample for each row."""

    def __init__(self, model: Model, seed: int, source: Source) -> None:
        super().__init__(model, seed)
        self._source, self.rows = source, source.rows
        # The index of the last read, and the rows that it returned.
        self._held: tuple[int, np.ndarray] = (-1, np.empty(0))

    def batch(self, block: int) -> Batch:
        read, start = block // BLOCKS_A_READ, block % BLOCKS_A_READ * self.size
        if read != self._held[0]:
            size, rows = BLOCKS_A_READ * self.size, self._source.rows
            self._held = read, self._inputs(min(read * size, rows), min((read + 1) * size, rows))
        return self._batch(block, inputs=padded(self._held[1][start : start + self.size], self.size))

    def columns(self) -> Mapping[str, RowsOf]:
        return {"inputs": self._inputs}

    def _inputs(self, start: int, stop: int) -> np.ndarray:
        return finite_rows(self._source.name, self._source.read(start, stop).samples, start, "inputs")


def padded(rows: np.ndarray, size: int) -> np.ndarray:
    """Return a block's rows, with zeros at the end up to `size`."""
    missing = size - len(rows)
    return np.concatenate([rows, np.zeros((missing, *rows.shape[1:]), rows.dtype)])
