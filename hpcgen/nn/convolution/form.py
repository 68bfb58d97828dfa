"""What a form of convolution is: the way in which a layer computes it.

Each form consists of three linear maps and their adjoints,

    data    P: x  (n, *sizes, c)      -> (products, rows, k)      what the weights are multiplied with
    output  Q: dy (n, *positions, o)  -> (products, rows, o)
    weight  R: w  (*kernel, c, o)     -> (products, k, o)

and stands for y = Q*(P x . R w), where the dot is one product of matrices for each of `products`. What a
layer needs follows:

    y = Q*(P x . R w)        dx = P*(Q dy . (R w)^T)        dw = R*((P x)^T . Q dy)

The transposed convolution is the adjoint: its forward is that dx, its derivative in x that y.
"""

from collections.abc import Sequence
from typing import Protocol

from hpcgen.arrays import Array


class Form(Protocol):
    """The maps of one form. `products` matrices (rows, `inner`) and (`inner`, `outputs`) are multiplied."""

    products: int
    inner: int
    outputs: int

    def rows(self, positions: Sequence[int]) -> int:
        """Return the rows of a product that a sample of so many positions takes."""

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
