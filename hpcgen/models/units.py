"""Between the numbers of a data file and those that a model computes with."""

import numpy as np


class Interval:
    """Samples in [low, high] of a data file as float32 in another interval, `range`."""

    def __init__(self, schema, bottom, top):
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
        samples = (x - np.float32(bottom)) * np.float32((self._high - self._low) / (top - bottom)) + np.float32(self._low)
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
    """Columns less `mean`, divided by `deviation`, of one number each or one a column."""

    def __init__(self, mean, deviation, shape):
        self.mean, self.deviation = np.asarray(mean, np.float64), np.asarray(deviation, np.float64)
        self._shape = tuple(shape)

    def encode(self, rows):
        return ((rows.reshape(len(rows), -1) - self.mean) / self.deviation).astype(np.float32)

    def decode(self, x):
        return (x * self.deviation + self.mean).astype(np.float32).reshape(len(x), *self._shape)
