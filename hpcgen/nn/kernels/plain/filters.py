"""Winograd's minimal filters of two taps on one axis: F(2, 2) and F(4, 2).

F(t, 2) computes t outputs y_i = x_i w_0 + x_(i+1) w_1 with t + 1 products (Winograd 1980). It evaluates
polynomials at t + 1 points. A filter has three linear maps: `data` maps the data x, `weight` maps the taps w,
and `output_adjoint` maps the products to the outputs. The adjoint of each map is next to it.
"""

from collections.abc import Iterable
from typing import Protocol

from hpcgen.arrays import Array

# F(4, 2) uses the points +-a, +-b and infinity. Of all pairs that were tried, this pair has the smallest
# rounding error: a third of the error of the usual points 0, +-1, 2 and infinity. Multiples and squares of a
# and b are exact in binary. build.py passes the points to loops.h.
POINT_A = 3 / 8
POINT_B = 5 / 4


class Filter(Protocol):
    """The maps of one minimal filter. All arrays have the same shape."""

    tile: int

    def data(self, x: Iterable[Array]) -> tuple[Array, ...]:
        """Map t + 1 data to t + 1 factors."""

    def data_adjoint(self, v: Iterable[Array]) -> tuple[Array, ...]:
        """The adjoint of `data`."""

    def output(self, y: Iterable[Array]) -> tuple[Array, ...]:
        """Map t outputs to t + 1 products. This is the adjoint of `output_adjoint`."""

    def output_adjoint(self, m: Iterable[Array]) -> tuple[Array, ...]:
        """Map t + 1 products to t outputs."""

    def weight(self, w: Iterable[Array]) -> tuple[Array, ...]:
        """Map two taps to t + 1 factors."""

    def weight_adjoint(self, s: Iterable[Array]) -> tuple[Array, ...]:
        """The adjoint of `weight`."""


class FilterOfTwo:
    """F(2, 2) with the points 0, 1 and infinity."""

    tile = 2

    def data(self, x: Iterable[Array]) -> tuple[Array, ...]:
        x0, x1, x2 = x
        return x0 - x1, x1, x1 - x2

    def data_adjoint(self, v: Iterable[Array]) -> tuple[Array, ...]:
        v0, v1, v2 = v
        return v0, (v1 - v0) + v2, -v2

    def output(self, y: Iterable[Array]) -> tuple[Array, ...]:
        y0, y1 = y
        return y0, y0 + y1, -y1

    def output_adjoint(self, m: Iterable[Array]) -> tuple[Array, ...]:
        m0, m1, m2 = m
        return m0 + m1, m1 - m2

    def weight(self, w: Iterable[Array]) -> tuple[Array, ...]:
        w0, w1 = w
        return w0, w0 + w1, w1

    def weight_adjoint(self, s: Iterable[Array]) -> tuple[Array, ...]:
        s0, s1, s2 = s
        return s0 + s1, s1 + s2


class FilterOfFour:
    """F(4, 2) with the points +-a, +-b and infinity."""

    tile = 4
    A, B = POINT_A, POINT_B
    A2, B2, A3, B3 = A**2, B**2, A**3, B**3
    # 1 over the product of the differences between a point and the other points.
    CA, CB = 1 / (2 * A * (A2 - B2)), 1 / (2 * B * (B2 - A2))

    def data(self, x: Iterable[Array]) -> tuple[Array, ...]:
        x0, x1, x2, x3, x4 = x
        even_a, odd_a = x3 - x1 * self.B2, (x2 - x0 * self.B2) * self.A
        even_b, odd_b = x3 - x1 * self.A2, (x2 - x0 * self.A2) * self.B
        last = (x4 - x2 * (self.A2 + self.B2)) + x0 * (self.A2 * self.B2)
        return even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, last

    def data_adjoint(self, v: Iterable[Array]) -> tuple[Array, ...]:
        v0, v1, v2, v3, v4 = v
        even_a, odd_a, even_b, odd_b = v0 + v1, v0 - v1, v2 + v3, v2 - v3
        return (
            v4 * (self.A2 * self.B2) - (odd_a * (self.A * self.B2) + odd_b * (self.A2 * self.B)),
            -(even_a * self.B2 + even_b * self.A2),
            (odd_a * self.A + odd_b * self.B) - v4 * (self.A2 + self.B2),
            even_a + even_b,
            v4,
        )

    def output(self, y: Iterable[Array]) -> tuple[Array, ...]:
        y0, y1, y2, y3 = y
        even_a, odd_a = y0 + y2 * self.A2, (y1 + y3 * self.A2) * self.A
        even_b, odd_b = y0 + y2 * self.B2, (y1 + y3 * self.B2) * self.B
        return even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, y3

    def output_adjoint(self, m: Iterable[Array]) -> tuple[Array, ...]:
        m0, m1, m2, m3, m4 = m
        even_a, odd_a, even_b, odd_b = m0 + m1, m0 - m1, m2 + m3, m2 - m3
        return (
            even_a + even_b,
            odd_a * self.A + odd_b * self.B,
            even_a * self.A2 + even_b * self.B2,
            (odd_a * self.A3 + odd_b * self.B3) + m4,
        )

    def weight(self, w: Iterable[Array]) -> tuple[Array, ...]:
        w0, w1 = w
        ca, cb = w0.dtype.type(self.CA), w0.dtype.type(self.CB)
        odd_a, odd_b = w1 * self.A, w1 * self.B
        return (odd_a + w0) * ca, (odd_a - w0) * ca, (odd_b + w0) * cb, (odd_b - w0) * cb, w1

    def weight_adjoint(self, s: Iterable[Array]) -> tuple[Array, ...]:
        s0, s1, s2, s3, s4 = s
        ca, cb = s0.dtype.type(self.CA), s0.dtype.type(self.CB)
        aca, bcb = s0.dtype.type(self.A * self.CA), s0.dtype.type(self.B * self.CB)
        return (s0 - s1) * ca + (s2 - s3) * cb, ((s0 + s1) * aca + (s2 + s3) * bcb) + s4


FILTERS: dict[int, Filter] = {filters.tile: filters for filters in (FilterOfTwo(), FilterOfFour())}
