"""Convolutions of any kernel, stride and padding, as one product of matrices (im2col)."""

from collections.abc import Sequence
from math import prod

import numpy as np

from hpcgen.arrays import Array
from hpcgen.nn.convolution.form import Form
from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.kernels import kernels


class Windows(Form):
    """The maps of im2col: P copies each window of x into a row, Q and R are views."""

    def __init__(self, geometry: Geometry, channels: int, outputs: int) -> None:
        self.geometry, self.channels, self.outputs = geometry, channels, outputs
        self._kernel = (*geometry.kernel, channels)
        self.products, self.inner = 1, prod(self._kernel)
        self.kind = 0

    def rows(self, positions: Sequence[int]) -> int:
        return prod(positions)

    def data(self, x: Array) -> Array:
        positions = self.geometry.positions(x.shape[1:-1])
        if self._whole(x.shape[1:-1]):
            return x.reshape(1, -1, self.inner)
        out = np.empty_like(x, shape=(len(x), *positions, *self._kernel))
        kernels(x).unfold(x, out, self.geometry.stride, self.geometry.padding)
        return out.reshape(1, -1, self.inner)

    def data_adjoint(self, v: Array, out: Array) -> None:
        if self._whole(out.shape[1:-1]):
            out[...] = v.reshape(out.shape)
            return
        positions = self.geometry.positions(out.shape[1:-1])
        patches = v.reshape(len(out), *positions, *self._kernel)
        kernels(v).fold(patches, out, self.geometry.stride, self.geometry.padding)

    def _whole(self, sizes: Sequence[int]) -> bool:
        """Return whether the rows are x itself: a kernel of size 1 with stride 1, or a kernel that covers all
        of x."""
        g = self.geometry
        return not any(g.padding) and (set(g.kernel + g.stride) == {1} or tuple(sizes) == g.kernel)

    def output(self, dy: Array) -> Array:
        return dy.reshape(1, -1, self.outputs)

    def output_adjoint(self, m: Array, out: Array) -> None:
        out[...] = m.reshape(out.shape)

    def weight(self, w: Array) -> Array:
        return w.reshape(1, self.inner, self.outputs)

    def weight_adjoint(self, s: Array, out: Array) -> None:
        out[...] = s.reshape(out.shape)
