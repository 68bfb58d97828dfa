"""Samples that are decoded from codes, the latent numbers of an autoencoder: reconstructions and
interpolations."""

import numpy as np

from hpcgen.arrays import Array, from_host, to_host
from hpcgen.data.reading import DataFiles
from hpcgen.data.rows import Rows
from hpcgen.data.shards import CellReader
from hpcgen.models.batch import Batch
from hpcgen.models.latent import Autoencoder
from hpcgen.models.model import Theta
from hpcgen.nn.divided import Divided
from hpcgen.sampling.origins import Origin, padded, samples_a_block

# If the sine of the angle between two codes is below this value, a straight line replaces the great circle.
SMALLEST_SINE = 1e-6


class Reconstruction(Origin):
    """The posterior means for the rows of data files. In a plot each sample follows its original."""

    group = 2

    def __init__(self, model: Autoencoder, theta: Theta, files: DataFiles) -> None:
        self._model, self._theta, self._files, self.rows = model, theta, files, files.rows
        self.size = samples_a_block(model.sample_shape)
        self._cells = None if model.team is None else CellReader(files, model.team)

    def batch(self, block: int) -> Batch:
        # Without a random stream the model returns the most likely samples.
        return Batch(self.size, noise=self.codes(block), random=None)

    def codes(self, block: int) -> Array:
        # Ranks that share a sample read only their cells of it.
        samples = self._originals(block) if self._cells is None else self._divided(self._cells, block)
        return self._model.codes(self._theta, self._model.batch(self.size, samples=samples).samples)[0]

    def with_originals(self, samples: np.ndarray) -> np.ndarray:
        blocks = range(-(-len(samples) // self.size))
        originals = np.concatenate([self._originals(block) for block in blocks])[: len(samples)]
        return np.stack([originals, samples], axis=1).reshape(-1, *samples.shape[1:])

    def _originals(self, block: int) -> np.ndarray:
        return padded(self._files.read(*self._rows(block), ("samples",)).samples, self.size)

    def _divided(self, cells: CellReader, block: int) -> Divided:
        packed = padded(cells.read(*self._rows(block), ("samples",)).samples, self.size)
        return cells.unpacked(Rows(packed)).samples

    def _rows(self, block: int) -> tuple[int, int]:
        """Return the first row of a block, and the row after its last."""
        first, last = (min(edge * self.size, self._files.rows) for edge in (block, block + 1))
        return first, last


class Interpolation(Origin):
    """`steps` samples on the great circle from each code of `ends` to the next, both included.

    White 2016 (arXiv:1609.04468).
    """

    def __init__(self, ends: Origin, steps: int) -> None:
        self._ends, self._steps, self.group, self.size = ends, steps, steps, ends.size
        self.rows = None if ends.rows is None else steps * (ends.rows - 1)

    def batch(self, block: int) -> Batch:
        # Without a random stream the model returns the most likely samples.
        return Batch(self.size, noise=self.codes(block), random=None)

    def codes(self, block: int) -> Array:
        rows = np.arange(block * self.size, (block + 1) * self.size)
        first, share = rows // self._steps, rows % self._steps / (self._steps - 1)
        blocks = range(first[0] // self.size, (first[-1] + 1) // self.size + 1)
        codes = np.concatenate([to_host(self._ends.codes(each)) for each in blocks])
        start = first - blocks[0] * self.size
        return from_host(between(codes[start], codes[start + 1], share[:, None]))


def between(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return the codes (n, latent) at the fraction `share` (n, 1) of the way from a to b, as float32."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    cosine = (a * b).sum(1, keepdims=True) / np.sqrt(
        (a * a).sum(1, keepdims=True) * (b * b).sum(1, keepdims=True)
    )
    angle = np.arccos(cosine.clip(-1, 1))
    straight = np.sin(angle) < SMALLEST_SINE
    sine = np.where(straight, 1, np.sin(angle))
    left = np.where(straight, 1 - share, np.sin((1 - share) * angle) / sine)
    right = np.where(straight, share, np.sin(share * angle) / sine)
    return (left * a + right * b).astype(np.float32)
