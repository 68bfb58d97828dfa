"""Conversion between the numbers of a data file and the numbers of a model."""

from typing import Protocol

import numpy as np

from hpcgen.arrays import Array, from_host, to_host
from hpcgen.data.schema import Columns, Schema
from hpcgen.errors import InputError


class Units(Protocol):
    """Conversion of rows of a data file to a model's numbers, and back."""

    def encode(self, rows: np.ndarray) -> Array:
        """Return rows of a data file as numbers in the model's units."""

    def decode(self, x: Array) -> np.ndarray:
        """Return a model's numbers as rows of a data file."""


class Interval:
    """Map samples in [low, high] of a data file to float32 numbers in the interval `range`."""

    def __init__(self, schema: Schema, bottom: float, top: float) -> None:
        if schema.kind == "text":
            raise InputError('data.path: the samples are text, which needs model.kind = "rvae"')
        self.range = (bottom, top)
        self._low, self._high, self._dtype = schema.low, schema.high, schema.dtype

    def encode(self, rows: np.ndarray) -> Array:
        """Return samples as float32, with [low, high] mapped to `range`."""
        bottom, top = self.range
        slope = (top - bottom) / (self._high - self._low)
        x = rows.astype(np.float32)
        x *= np.float32(slope)
        x += np.float32(bottom - self._low * slope)
        return from_host(x)

    def decode(self, x: Array) -> np.ndarray:
        """Return samples in the interval and type of the data. For uint8 they are rounded and clipped."""
        bottom, top = self.range
        slope = np.float32((self._high - self._low) / (top - bottom))
        samples = (to_host(x) - np.float32(bottom)) * slope + np.float32(self._low)
        if self._dtype == "uint8":
            samples = np.clip(np.rint(samples), 0, 255)
        return samples.astype(self._dtype)


class Tokens:
    """Samples of tokens, which are indices into a vocabulary."""

    def __init__(self, schema: Schema) -> None:
        self._dtype = schema.dtype

    def encode(self, rows: np.ndarray) -> Array:
        return from_host(rows.astype(np.intp))

    def decode(self, x: Array) -> np.ndarray:
        return to_host(x).astype(self._dtype)


class Standard:
    """Subtract the mean of each column, and divide it by its standard deviation.

    With `centered` = False, only divide each column by its root mean square. Rows of a data file have the
    shape `shape`. Rows of a model have one axis.
    """

    def __init__(self, columns: Columns, shape: tuple[int, ...], centered: bool = True) -> None:
        mean, deviation = np.array(columns.mean), np.array(columns.deviation)
        self.offset = mean if centered else np.zeros_like(mean)
        self.scale = deviation if centered else np.hypot(mean, deviation)
        self._shape = tuple(shape)

    def encode(self, rows: np.ndarray) -> Array:
        return from_host(((rows.reshape(len(rows), -1) - self.offset) / self.scale).astype(np.float32))

    def decode(self, x: Array) -> np.ndarray:
        return (to_host(x) * self.scale + self.offset).astype(np.float32).reshape(len(x), *self._shape)


def require_inputs(schema: Schema, kind: str) -> tuple[Columns, Columns]:
    """Return the columns of inputs and of samples. Raise InputError unless the data have both."""
    if schema.inputs is None or schema.outputs is None:
        raise InputError(f'data.path: the data have no /inputs, which model.kind = "{kind}" needs')
    return schema.inputs, schema.outputs
