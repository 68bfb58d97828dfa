"""Convolutions with any kernel, stride and padding, as one matrix product (im2col).

Each method of convolution (this one, and `hpcgen.nn.convolution.winograd`) consists of three linear maps and
their adjoints:

    data    P: x  (n, *sizes, c)      -> (products, rows, k)      multiplied with the weights
    output  Q: dy (n, *positions, o)  -> (products, rows, o)
    weight  R: w  (*kernel, c, o)     -> (products, k, o)

The convolution is y = Q*(P x . R w). The dot stands for `products` matrix products. It follows that

    y = Q*(P x . R w)        dx = P*(Q dy . (R w)^T)        dw = R*((P x)^T . Q dy)

The transposed convolution is the adjoint. Its forward is the formula of dx, and its derivative with respect
to x is the formula of y.
"""

from collections.abc import Sequence
from math import prod

import numpy as np

from hpcgen.arrays import Array
from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.kernels import kernels


class Windows:
    """The maps of im2col: P copies each window of x into a row, Q and R are views."""

    def __init__(self, geometry: Geometry, channels: int, outputs: int) -> None:
        self.geometry, self.channels, self.outputs = geometry, channels, outputs
        self._kernel = (*geometry.kernel, channels)
        self.products, self.inner = 1, prod(self._kernel)
        # Forms of the same kind have the same factors.
        self.kind = 0

    def rows(self, positions: Sequence[int]) -> int:
        """Return how many rows of a product a sample with these positions takes."""
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
