"""Between the numbers of a data file and those that a model computes with."""

import numpy as np

from hpcgen.errors import InputError


class Interval:
    """Samples in [low, high] of a data file as float32 in another interval, `range`."""

    def __init__(self, schema, bottom, top):
        if schema.kind == "text":
            raise InputError('data.path: the samples are text, which takes model.kind = "rvae"')
        self.range, self._low, self._high, self._dtype = (bottom, top), schema.low, schema.high, schema.dtype

    def encode(self, samples):
        """Return samples as float32 with [low, high] mapped to `range`."""
        bottom, top = self.range
        slope = (top - bottom) / (self._high - self._low)
        x = samples.astype(np.float32)
        x *= np.float32(slope)
        x += np.float32(bottom - self._low * slope)
        return x

    def decode(self, x):
        """Return a model's samples in the data's own interval and type; uint8 is rounded and clipped."""
        bottom, top = self.range
        samples = (x - np.float32(bottom)) * np.float32(
            (self._high - self._low) / (top - bottom)
        ) + np.float32(self._low)
        if self._dtype == "uint8":
            samples = np.clip(np.rint(samples), 0, 255)
        return samples.astype(self._dtype)


class Tokens:
    """Samples that count the entries of a vocabulary."""

    def __init__(self, schema):
        self._dtype = schema.dtype

    def encode(self, samples):
        return samples.astype(np.intp)

    def decode(self, x):
        return x.astype(self._dtype)


class Standard:
    """Columns, each less its mean and divided by its standard deviation; with `centered` = False by its root mean square alone.

    Rows in a data file have `shape`, those of a model one axis.
    """

    def __init__(self, columns, shape, centered=True):
        mean, deviation = np.array(columns.mean), np.array(columns.deviation)
        self.offset = mean if centered else np.zeros_like(mean)
        self.scale = deviation if centered else np.hypot(mean, deviation)
        self._shape = tuple(shape)

    def encode(self, rows):
        return ((rows.reshape(len(rows), -1) - self.offset) / self.scale).astype(np.float32)

    def decode(self, x):
        return (x * self.scale + self.offset).astype(np.float32).reshape(len(x), *self._shape)


def require_inputs(schema, kind):
    """Raise InputError unless rows have inputs and numbers that depend on them."""
    if schema.inputs is None:
        raise InputError(
            f'data.path: the data have no /inputs, from which model.kind = "{kind}" makes samples'
        )
