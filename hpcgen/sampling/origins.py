"""Samples of a trained model in blocks: sample i of a seed is the same whoever makes it, and however many
others are made.

An origin says what samples are made from: `batch(block)` is the Batch of a block, `columns()` what a data
file holds beside the samples, {name: rows(start, stop)}; pictures of them go together in runs of `group`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from hpcgen.arrays import Array
from hpcgen.checkpoints.loading import Checkpoint
from hpcgen.data.checks import finite_rows
from hpcgen.data.schema import Schema
from hpcgen.data.sources import Source
from hpcgen.models import MODELS
from hpcgen.models.batch import Batch
from hpcgen.models.model import Model
from hpcgen.nn.vector import Vector
from hpcgen.runtime import one_blas_thread
from hpcgen.streams import Purpose, stream

# Samples are made in blocks, each from a stream of its own and in arrays of one shape.
SAMPLES_A_BLOCK = 64
# Blocks whose inputs are read at once.
BLOCKS_READ = 256


def model_of(checkpoint: Checkpoint) -> Model:
    """Return the model that a loaded checkpoint's parameters belong to."""
    options = checkpoint.config.model
    return MODELS[options.kind](options, checkpoint.schema)


class Origin(Protocol):
    """What samples are made from. Pictures keep runs of `group` samples in one row."""

    group: int

    def batch(self, block: int) -> Batch:
        """Return the Batch of a block of samples."""

    def codes(self, block: int) -> Any:
        """Return the numbers that the block's samples are made from."""

    def columns(self) -> Mapping[str, Callable[[int, int], np.ndarray]]:
        """Return what a data file holds beside the samples, {name: rows(start, stop)}."""


class Prior:
    """Samples from the noise of `seed`; those of a conditional model for `label`, or for all labels in
    turn."""

    group = 1

    def __init__(self, model, seed, label=None):
        self._model, self._seed, self._label = model, seed, label

    def batch(self, block: int) -> Batch:
        labels = (
            self._labels(block * SAMPLES_A_BLOCK, (block + 1) * SAMPLES_A_BLOCK)
            if self._model.classes
            else None
        )
        return Batch(SAMPLES_A_BLOCK, noise=self.codes(block), labels=labels, random=self._random(block))

    def columns(self) -> Mapping[str, Callable[[int, int], np.ndarray]]:
        return {"labels": self._labels} if self._model.classes else {}

    def _labels(self, start, stop):
        rows = np.arange(start, stop)
        return rows % self._model.classes if self._label is None else np.full_like(rows, self._label)

    def codes(self, block: int) -> Any:
        """Return the numbers that the block's samples are made from."""
        return self._model.noise(stream(self._seed, Purpose.SAMPLE, block), SAMPLES_A_BLOCK)

    def _random(self, block):
        return lambda i: stream(self._seed, Purpose.SAMPLE, block, part=1 + i)


class Conditioned(Prior):
    """Samples for the inputs that `source` reads, row by row."""

    def __init__(self, model, seed, source):
        super().__init__(model, seed)
        self._source: Source = source
        self._held: tuple[int, np.ndarray] = (-1, np.empty(0))

    def batch(self, block: int) -> Batch:
        # A source opens its file for each read: several blocks are read at once.
        chunk, start = block // BLOCKS_READ, SAMPLES_A_BLOCK * (block % BLOCKS_READ)
        if chunk != self._held[0]:
            rows = self._source.rows
            first, last = (min(edge * BLOCKS_READ * SAMPLES_A_BLOCK, rows) for edge in (chunk, chunk + 1))
            self._held = chunk, self._inputs(first, last)
        inputs = _padded(self._held[1][start : start + SAMPLES_A_BLOCK])
        return self._model.batch(
            SAMPLES_A_BLOCK, inputs=inputs, noise=self.codes(block), random=self._random(block)
        )

    def _inputs(self, start, stop):
        return finite_rows(self._source.name, self._source.read(start, stop).samples, start, "inputs")

    def columns(self) -> Mapping[str, Callable[[int, int], np.ndarray]]:
        return {"inputs": self._inputs}


class Matching(Prior):
    """Samples for the labels of a data file's rows, labels(start, stop): as frequent as there."""

    def __init__(self, model, seed, labels):
        super().__init__(model, seed)
        self._given = labels

    def _labels(self, start, stop):
        return _padded(self._given(start, stop))


class Decoded(ABC):
    """Samples of codes that were not drawn: the most likely ones."""

    group = 2

    @abstractmethod
    def codes(self, block: int) -> Array:
        """Return the numbers that the block's samples are made from."""

    def batch(self, block: int) -> Batch:
        return Batch(SAMPLES_A_BLOCK, noise=self.codes(block), random=None)

    def columns(self) -> Mapping[str, Callable[[int, int], np.ndarray]]:
        return {}


class Reconstruction(Decoded):
    """The most likely samples for the posterior's means of a data file's rows."""

    def __init__(self, model, theta, files):
        self._model, self._theta, self._files = model, theta, files

    def codes(self, block: int) -> Any:
        return self._model.codes(
            self._theta, self._model.batch(SAMPLES_A_BLOCK, samples=self.originals(block)).samples
        )[0]

    def originals(self, block: int) -> np.ndarray:
        return _padded(self._files.read(*_inside(block, self._files.rows), ("samples",)).samples)


class Interpolation(Decoded):
    """`steps` samples from each code of `ends` to the next, both included, along the great circle (White
    2016, arXiv:1609.04468)."""

    def __init__(self, ends, steps):
        self._ends, self._steps, self.group = ends, steps, steps

    def codes(self, block: int) -> Any:
        rows = np.arange(block * SAMPLES_A_BLOCK, (block + 1) * SAMPLES_A_BLOCK)
        first, share = rows // self._steps, rows % self._steps / (self._steps - 1)
        blocks = range(first[0] // SAMPLES_A_BLOCK, (first[-1] + 1) // SAMPLES_A_BLOCK + 1)
        codes = np.concatenate([self._ends.codes(b) for b in blocks])
        start = first - blocks[0] * SAMPLES_A_BLOCK
        return _between(codes[start], codes[start + 1], share[:, None])


def _between(a, b, share):
    a, b = a.astype(np.float64), b.astype(np.float64)
    cosine = (a * b).sum(1, keepdims=True) / np.sqrt(
        (a * a).sum(1, keepdims=True) * (b * b).sum(1, keepdims=True)
    )
    angle = np.arccos(cosine.clip(-1, 1))
    straight = np.sin(angle) < 1e-6
    sine = np.where(straight, 1, np.sin(angle))
    left = np.where(straight, 1 - share, np.sin((1 - share) * angle) / sine)
    right = np.where(straight, share, np.sin(share * angle) / sine)
    return (left * a + right * b).astype(np.float32)


def _inside(block, rows):
    return min(block * SAMPLES_A_BLOCK, rows), min((block + 1) * SAMPLES_A_BLOCK, rows)


def _padded(rows):
    """Return SAMPLES_A_BLOCK rows, zeros at the end."""
    return np.concatenate([rows, np.zeros((SAMPLES_A_BLOCK - len(rows), *rows.shape[1:]), rows.dtype)])


def generate(
    model: Model, theta: Mapping[str, Vector], schema: Schema, origin: Origin, start: int, stop: int
) -> np.ndarray:
    """Return samples [start, stop) of `origin` (a `Prior`, ...), in the data's own interval and type (stop -
    start, *shape)."""
    first, last = start // SAMPLES_A_BLOCK, -(-stop // SAMPLES_A_BLOCK)
    with one_blas_thread():
        blocks = [model.generate(theta, origin.batch(block)) for block in range(first, last)]
    samples = np.concatenate(blocks) if blocks else np.empty((0, *schema.shape), schema.dtype)
    return samples[start - first * SAMPLES_A_BLOCK : stop - first * SAMPLES_A_BLOCK]
