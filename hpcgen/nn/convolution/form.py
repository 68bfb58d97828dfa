"""A form of convolution: the method by which a layer computes it, as matrix products.

Each form (`hpcgen.nn.convolution.windows` and `hpcgen.nn.convolution.winograd`) consists of three linear maps
and their adjoints:

    data    P: x  (n, *sizes, c)      -> (products, rows, k)      multiplied with the weights
    output  Q: dy (n, *positions, o)  -> (products, rows, o)
    weight  R: w  (*kernel, c, o)     -> (products, k, o)

The convolution is y = Q*(P x . R w). The dot stands for `products` matrix products. It follows that

    y = Q*(P x . R w)        dx = P*(Q dy . (R w)^T)        dw = R*((P x)^T . Q dy)

The transposed convolution is the adjoint. Its forward is the formula of dx, and its derivative with respect
to x is the formula of y.
"""

from collections.abc import Sequence
from typing import Protocol

from hpcgen.arrays import Array


class Form(Protocol):
    """The maps of one form. `products` matrices (rows, `inner`) and (`inner`, `outputs`) are multiplied.

    Two forms of the same `kind`, for the same kernel and channels, have the same maps.
    """

    kind: int
    products: int
    inner: int
    outputs: int

    def rows(self, positions: Sequence[int]) -> int:
        """Return how many rows of a product a sample with these positions takes."""

    def data(self, x: Array) -> Array:
        """Return P x."""

    def data_adjoint(self, v: Array, out: Array) -> None:
        """Write P* v to `out`, of x's shape."""

    def output(self, dy: Array) -> Array:
        """Return Q dy."""

    def output_adjoint(self, m: Array, out: Array) -> None:
        """Write Q* m to `out`, of y's shape."""

    def weight(self, w: Array) -> Array:
        """Return R w."""

    def weight_adjoint(self, s: Array, out: Array) -> None:
        """Write R* s to `out`, of w's shape."""
