"""Arguments for each kernel, drawn by hypothesis: shapes that reach the ends of vectors and of blocks."""

import numpy as np
from hypothesis import strategies as st

ROWS = st.sampled_from([1, 2, 3, 9, 100, 255, 256, 257, 511, 512, 513, 900])
CHANNELS = st.one_of(st.integers(1, 9), st.sampled_from([16, 31, 64, 65]))
SLOPES = st.sampled_from([1.0, 0.0, 0.2, 0.01])
SAMPLES = st.integers(1, 3)
# Around the end of a block of plain's, too.
LENGTHS = st.one_of(
    st.integers(0, 40), st.sampled_from([1003, (1 << 14) - 1, 1 << 14, (1 << 14) + 1, (1 << 15) + 3])
)
SHARES = st.floats(0.01, 0.99)


class Drawn:
    """Arguments for each kernel, drawn: `Drawn(...).NAME()`."""

    def __init__(self, draw, random, windows, dtype):
        self.draw, self.random, self.windows, self.dtype = draw, random, windows, dtype

    def numbers(self, *shape):
        """Normal numbers, of which some, or all, are zeros, of either sign, and some too small for full
        precision."""
        x = self.random.standard_normal(shape).astype(self.dtype)
        chosen = self.random.random(shape)
        x[chosen < self.random.choice([0, 0.3, 1])] = self.random.choice([0.0, -0.0])
        x[chosen > 0.95] *= np.finfo(self.dtype).tiny
        return x

    def matrix(self):
        return self.numbers(self.draw(ROWS), self.draw(CHANNELS))

    def rows(self, like, count):
        return [self.numbers(like.shape[1]) for _ in range(count)]

    def outer(self):
        out = self.matrix()
        return self.numbers(len(out), 1), self.numbers(out.shape[1], 1), out

    def rectify(self):
        y = self.matrix()
        return y, self.draw(st.sampled_from([None, *self.rows(y, 1)])), self.draw(SLOPES)

    def rectify_gradient(self):
        shape = self.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
        return self.numbers(*shape), self.numbers(*shape), self.draw(SLOPES)

    def scale_rectify(self):
        x = self.matrix()
        return x, *self.rows(x, 2), self.draw(SLOPES), np.empty_like(x)

    def column_sums(self):
        return (self.matrix(),)

    def column_squares(self):
        x = self.matrix()
        return x, *self.rows(x, 1)

    def column_products(self):
        dy = self.matrix()
        return dy, self.numbers(*dy.shape), *self.rows(dy, 1)

    def combine(self):
        dy = self.matrix()
        return dy, self.numbers(*dy.shape), *self.rows(dy, 3)

    def _windows(self):
        geometry, sizes = self.draw(self.windows())
        n, channels = self.draw(SAMPLES), self.draw(st.integers(1, 9))
        x = self.numbers(n, *sizes, channels)
        return (
            x,
            self.numbers(n, *geometry.positions(sizes), *geometry.kernel, channels),
            geometry.stride,
            geometry.padding,
        )

    def unfold(self):
        return self._windows()

    def fold(self):
        x, patches, *geometry = self._windows()
        return patches, x, *geometry

    def _sizes(self, smallest):
        spatial = self.draw(st.integers(1, 3))
        return [self.draw(st.integers(smallest, 9)) for _ in range(spatial)]

    def _grid(self, positions):
        """Return the axes of the products of a size of tile, and the tiles."""
        tile = self.draw(st.sampled_from([2, 4]))
        return (tile + 1,) * len(positions), [-(-count // tile) for count in positions]

    def winograd_data(self):
        positions = self._sizes(smallest=1)
        spatial, n, channels = len(positions), self.draw(SAMPLES), self.draw(CHANNELS)
        padding = [self.draw(st.integers(0, 1)) for _ in positions]
        # With padding a place may be left over after the last window.
        sizes = [
            2 * count + 2 - 2 * p + p * self.draw(st.integers(0, 1))
            for count, p in zip(positions, padding, strict=True)
        ]
        grid, tiles = self._grid(positions)
        x, cells = self.numbers(n, *sizes, channels), (*grid, n, *tiles, *(2,) * spatial, channels)
        return x, self.numbers(*cells), padding

    def winograd_output(self):
        positions, n, outputs = self._sizes(smallest=1), self.draw(SAMPLES), self.draw(CHANNELS)
        grid, tiles = self._grid(positions)
        return self.numbers(n, *positions, outputs), self.numbers(*grid, n, *tiles, outputs)

    def winograd_weight(self):
        spatial, shape = self.draw(st.integers(1, 3)), (self.draw(CHANNELS), self.draw(CHANNELS))
        return self.numbers(*(4,) * spatial, *shape), self.numbers(
            *(self.draw(st.sampled_from([3, 5])),) * spatial, *(2,) * spatial, *shape
        )

    def winograd_data_adjoint(self):
        x, cells, padding = self.winograd_data()
        return cells, x, padding

    def winograd_output_adjoint(self):
        return self.winograd_output()[::-1]

    def winograd_weight_adjoint(self):
        return self.winograd_weight()[::-1]

    def _vectors(self, count):
        n = self.draw(LENGTHS)
        return [self.numbers(n) for _ in range(count)]

    def _shares(self, count):
        return [self.draw(SHARES) for _ in range(count)]

    def descend(self):
        return *self._vectors(2), self.draw(SHARES)

    def momentum(self):
        return *self._vectors(3), *self._shares(5)

    def adam(self):
        theta, grad, m, v = self._vectors(4)
        return theta, grad, m, np.abs(v), *self._shares(7)

    adam_direction = adam

    def rmsprop(self):
        theta, grad, square = self._vectors(3)
        return theta, grad, np.abs(square), *self._shares(4)

    def approach(self):
        return *self._vectors(2), self.draw(SHARES)
