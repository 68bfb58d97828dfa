"""Convolutions with kernel 4, stride 2 and padding 0 or 1, by Winograd's minimal filtering.

Such a convolution equals a convolution with stride 1 and two taps per axis over cells of 2 x 2 ... pixels
(space to depth). Cell i holds the places 2 i - p and 2 i - p + 1. On each axis F(t, 2) computes t outputs
with t + 1 products instead of 2 t (Winograd 1980; Lavin & Gray 2015, arXiv:1509.09308, section 4). With t = 2

    y0 = (x0 - x1) w0 + x1 (w0 + w1)        y1 = x1 (w0 + w1) - (x1 - x2) w1.

Two axes then take 9 products instead of 16; with t = 4 they take 25 instead of 64. The maps are in
`hpcgen.nn.kernels.plain`. In float32 the error is twice the error of the direct form with t = 2, and three
times with t = 4. It depends on the points at which polynomials are evaluated (Barabasz et al. 2018,
arXiv:1803.10986).
"""

from collections.abc import Sequence
from math import prod

import numpy as np

from hpcgen.arrays import Array
from hpcgen.nn.convolution.form import Form
from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.kernels import kernels

# The most memory that the transformed weights of F(4, 2) may take.
WEIGHT_BYTES = 16 << 20


class Winograd(Form):
    """The three maps of F(tile, 2) on every axis, for kernel 4, stride 2, padding 0 or 1."""

    def __init__(self, geometry: Geometry, channels: int, outputs: int, tile: int) -> None:
        self.geometry, self.channels, self.outputs, self.tile = geometry, channels, outputs, tile
        spatial = len(geometry.kernel)
        self._grid, self._twos = (tile + 1,) * spatial, (2,) * spatial
        self.products, self.inner = prod(self._grid), prod(self._twos) * channels
        self.kind = tile

    @classmethod
    def forms(cls, geometry: Geometry, channels: int, outputs: int) -> list["Winograd"]:
        """Return the forms that may be fastest for these channels, as measured by benchmarks/layers.py."""
        spatial = len(geometry.kernel)
        fits = geometry == Geometry((4,) * spatial, (2,) * spatial, geometry.padding)
        if not fits or max(geometry.padding) > 1 or spatial == 1 or channels << spatial < 64 or outputs < 32:
            return []
        two, four = (cls(geometry, channels, outputs, tile) for tile in (2, 4))
        # F(4, 2) is not used in three dimensions, where its error grows to 2e-5, nor for weights that do not
        # fit into the cache, which cost more time than the products.
        small = spatial == 2 and 4 * four.products * four.inner * outputs <= WEIGHT_BYTES
        return [two, four] if small else [two]

    def _tiles(self, positions: Sequence[int]) -> tuple[int, ...]:
        return tuple(-(-count // self.tile) for count in positions)

    def rows(self, positions: Sequence[int]) -> int:
        return prod(self._tiles(positions))

    def _data_shape(self, sizes: Sequence[int]) -> tuple[int, ...]:
        return (
            *self._grid,
            sizes[0],
            *self._tiles(self.geometry.positions(sizes[1:-1])),
            *self._twos,
            self.channels,
        )

    def data(self, x: Array) -> Array:
        out = np.empty_like(x, shape=self._data_shape(x.shape))
        kernels(x).winograd_data(x, out, self.geometry.padding)
        return out.reshape(self.products, -1, self.inner)

    def data_adjoint(self, v: Array, out: Array) -> None:
        v, positions = v.reshape(self._data_shape(out.shape)), self.geometry.positions(out.shape[1:-1])
        places = (2 * (self.tile * tiles + 1) for tiles in self._tiles(positions))
        reached = zip(places, self.geometry.padding, out.shape[1:-1], strict=True)
        if any(place - padding < size for place, padding, size in reached):
            # No window reaches the last places.
            out[...] = 0
        kernels(v).winograd_data_adjoint(v, out, self.geometry.padding)

    def output(self, dy: Array) -> Array:
        out = np.empty_like(dy, shape=(*self._grid, len(dy), *self._tiles(dy.shape[1:-1]), self.outputs))
        kernels(dy).winograd_output(dy, out)
        return out.reshape(self.products, -1, self.outputs)

    def output_adjoint(self, m: Array, out: Array) -> None:
        kernels(m).winograd_output_adjoint(
            m.reshape(*self._grid, len(out), *self._tiles(out.shape[1:-1]), self.outputs), out
        )

    def weight(self, w: Array) -> Array:
        out = np.empty_like(w, shape=(*self._grid, *self._twos, self.channels, self.outputs))
        kernels(w).winograd_weight(w, out)
        return out.reshape(self.products, self.inner, self.outputs)

    def weight_adjoint(self, s: Array, out: Array) -> None:
        kernels(s).winograd_weight_adjoint(
            s.reshape(*self._grid, *self._twos, self.channels, self.outputs), out
        )
