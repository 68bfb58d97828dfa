"""Convolutions with kernel 4, stride 2 and padding 1, by Winograd's minimal filtering.

Such a convolution is one of stride 1 with two taps an axis over cells of 2 x 2 ... pixels (space to depth): the cell i holds
the places 2 i - 1 and 2 i. On each axis F(2, 2) makes two outputs with three products where four would be due
(Winograd 1980; Lavin & Gray 2015, arXiv:1509.09308, section 4),

    y0 = (x0 - x1) w0 + x1 (w0 + w1)        y1 = x1 (w0 + w1) - (x1 - x2) w1,

so that two axes take 9 products instead of 16. The transforms only add; the error in float32 stays within twice the direct
form's.
"""

from math import prod

import numpy as np

from hpcgen.nn.geometry import Geometry
from hpcgen.nn.kernels import kernels


class Winograd:
    """The three maps (see `hpcgen.nn.windows`) of F(2, 2) on every axis, for kernel 4, stride 2, padding 1."""

    def __init__(self, geometry, channels, outputs):
        self.geometry, self.channels, self.outputs = geometry, channels, outputs
        self._spatial = len(geometry.kernel)
        self._threes, self._twos = (3,) * self._spatial, (2,) * self._spatial
        self.products, self.inner = prod(self._threes), prod(self._twos) * channels

    @staticmethod
    def serves(geometry, channels, outputs):
        """Tell whether this form is the faster one for these shapes; measured in benchmarks/layers.py."""
        spatial = len(geometry.kernel)
        fits = geometry == Geometry((4,) * spatial, (2,) * spatial, (1,) * spatial)
        return fits and spatial > 1 and channels << spatial >= 64 and outputs >= 32

    @staticmethod
    def _tiles(positions):
        return tuple(-(-count // 2) for count in positions)

    def rows(self, positions):
        """Return the rows of a product that a sample of so many positions takes."""
        return prod(self._tiles(positions))

    def _data_shape(self, sizes):
        return (*self._threes, sizes[0], *self._tiles(self.geometry.positions(sizes[1:-1])), *self._twos, self.channels)

    def data(self, x):
        out = np.empty_like(x, shape=self._data_shape(x.shape))
        kernels(x).winograd_data(x, out)
        return out.reshape(self.products, -1, self.inner)

    def data_adjoint(self, v, out):
        kernels(v).winograd_data_adjoint(v.reshape(self._data_shape(out.shape)), out)

    def output(self, dy):
        out = np.empty_like(dy, shape=(*self._threes, len(dy), *self._tiles(dy.shape[1:-1]), self.outputs))
        kernels(dy).winograd_output(dy, out)
        return out.reshape(self.products, -1, self.outputs)

    def output_adjoint(self, m, out):
        kernels(m).winograd_output_adjoint(m.reshape(*self._threes, len(out), *self._tiles(out.shape[1:-1]), -1), out)

    def weight(self, w):
        out = np.empty_like(w, shape=(*self._threes, *self._twos, self.channels, self.outputs))
        kernels(w).winograd_weight(w, out)
        return out.reshape(self.products, self.inner, self.outputs)

    def weight_adjoint(self, s, out):
        kernels(s).winograd_weight_adjoint(s.reshape(*self._threes, *self._twos, self.channels, self.outputs), out)
