"""Rows drawn from a linear model with known theta, to check a fit."""

import numpy as np

from hpcgen.data.rows import Rows
from hpcgen.data.sources import Source
from hpcgen.parallel.partition import Partition
from hpcgen.runtime import one_blas_thread
from hpcgen.streams import Purpose, stream

# Approximate number of numbers of x and y in a block. The rows of a seed depend on it.
DRAWN_NUMBERS = 1 << 18


class LinearModel(Source):
    """y = x theta + noise epsilon: /inputs x (n, inputs), /samples y (n, outputs), /theta (inputs, outputs).

    x, theta and epsilon are standard normal. Rows are computed in whole blocks of one shape, with the product
    in float64. Their bits therefore do not depend on which rank reads which rows.
    """

    kind, dtype, columns, name = "array", np.float32, ("inputs", "samples"), "linear"

    def __init__(self, rows: int, inputs: int, outputs: int, noise: float, seed: int) -> None:
        self.rows, self.shape, self._noise, self._seed = rows, (outputs,), noise, seed
        self._theta = stream(seed, Purpose.THETA).standard_normal((inputs, outputs)).astype(np.float32)
        self.attributes, self.constants = {"noise": noise}, {"theta": self._theta}
        block = max(1, DRAWN_NUMBERS // (inputs + outputs))
        self._blocks = Partition([block] * -(-rows // block))

    def read(self, start: int, stop: int) -> Rows:
        inputs, samples = (np.empty((stop - start, width), np.float32) for width in self._theta.shape)
        with one_blas_thread():
            for block, inside, target in self._blocks.pieces(start, stop):
                x, y = self._block(block)
                inputs[target], samples[target] = x[inside], y[inside]
        return Rows(samples, inputs=inputs)

    def _block(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        """Return x (rows, inputs) and y (rows, outputs) of a block. y is computed from x and theta rounded to
        float32, as the file holds them."""
        random, rows = stream(self._seed, Purpose.LINEAR, block), self._blocks.counts[block]
        x, epsilon = (random.standard_normal((rows, width)) for width in self._theta.shape)
        x = x.astype(np.float32)
        return x, x.astype(np.float64) @ self._theta.astype(np.float64) + self._noise * epsilon
