"""Batch normalisation and layer normalisation."""

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import numpy as np

from hpcgen.arrays import Array, Shape
from hpcgen.nn.buffers import Buffer
from hpcgen.nn.divided import Gradient
from hpcgen.nn.kernels import contiguous, kernels
from hpcgen.nn.layer import TRAIN, Backward, Layer, Parameters, TangentBackward, Train
from hpcgen.nn.vector import Vector

EPSILON = 1e-5
# Backward of the cells of a lane: (dys, grad, need_dx) -> dxs.
CellsBackward = Callable[[list[Array], Gradient | None, bool], list[Array]]
# Backward of a batch: (dys, need_dx) -> the cells' derivatives of gamma and beta, and its mean and variance.
PartBackward = Callable[[Sequence[Array], bool], tuple[list[tuple[Array, Array]], Array, Array]]


class BatchNorm(Layer):
    """y = gamma (x - mean) / sqrt(variance + 1e-5) + beta for each channel, over samples and positions (Ioffe
    & Szegedy 2015, arXiv:1502.03167, algorithm 1). x is (n, ..., channels).

    In training, mean and variance are computed from one lane (from each of its `parts`, see `Train`), so that
    they do not depend on the ranks. Inference uses running statistics. They are updated with the mean, over
    lanes and parts, of the means and of the unbiased variances. `slope` has the same meaning as in
    `hpcgen.nn.layers.convolution.Conv`. This is PyTorch's BatchNorm{1,2,3}d; gamma and beta are its weight
    and bias.
    """

    def __init__(self, name: str, channels: int, slope: float = 1.0) -> None:
        self.gamma, self.beta, self.mean, self.variance = (
            f"{name}/{part}" for part in ("gamma", "beta", "mean", "variance")
        )
        self.channels, self.slope = channels, slope

    def with_channels(self, channels: int) -> "BatchNorm":
        """Return the layer for `channels` of its channels. The parameters have the same names."""
        made = copy(self)
        made.channels = channels
        return made

    def parameters(self) -> dict[str, Shape]:
        return {self.gamma: (self.channels,), self.beta: (self.channels,)}

    def buffers(self) -> dict[str, Buffer]:
        running = Buffer((self.channels,))
        return {self.mean: running, self.variance: running}

    def initialize(self, theta: Vector, random: np.random.Generator) -> None:
        for name, value in ((self.gamma, 1), (self.beta, 0), (self.mean, 0), (self.variance, 1)):
            theta[name][...] = value

    def forward(self, theta: Parameters, x: Array, train: Train | None = TRAIN) -> tuple[Array, Backward]:
        x = contiguous(x)
        if train is None:
            return self._infer(theta, x)
        ys, cells_backward = self.normalize(theta, [x], len(x), train.parts)

        def backward(dy: Array, grad: Vector | None = None, need_dx: bool = True) -> Array | None:
            (dx,) = cells_backward([contiguous(dy)], grad, need_dx)
            return dx if need_dx else None

        return ys[0], backward

    def normalize(
        self, theta: Parameters, xs: list[Array], n: int, batches: int
    ) -> tuple[list[Array], CellsBackward]:
        """Normalise the cells xs of n samples in training, each of the equal `batches` by itself.

        Return the cells of y, and backward(dys, grad, need_dx), which overwrites dys with the cells of dx.
        """
        ys = [np.empty_like(x) for x in xs]
        split = [[_split(x, batches, self.channels) for x in each] for each in (xs, ys)]
        parts = [
            self._part(theta, *pair)
            for pair in zip(*(zip(*each, strict=True) for each in split), strict=True)
        ]

        def backward(dys: list[Array], grad: Gradient | None, need_dx: bool) -> list[Array]:
            if self.slope != 1:
                self.each(lambda dy, y: kernels(dy).rectify_gradient(dy, y, self.slope), dys, ys)
            rows = zip(*(_split(dy, batches, self.channels) for dy in dys), strict=True)
            derivatives = [part(each, need_dx) for part, each in zip(parts, rows, strict=True)]
            if grad is not None:
                self._write(grad, derivatives, n / batches**2)
            return dys

        return ys, backward

    def _write(self, grad: Gradient, derivatives: list[Any], weight: float) -> None:
        """Write the derivatives of each cell, and the running statistics of the lane.

        `derivatives` has (those of each cell, mean, variance) of each batch. `weight` is the weight of a
        batch in the statistics.
        """
        cells, means, variances = zip(*derivatives, strict=True)
        for leaf, *each in zip(grad.leaves, *cells, strict=True):
            gamma, beta = zip(*each, strict=True)
            leaf[self.gamma][...], leaf[self.beta][...] = sum(gamma), sum(beta)
        if grad.whole is not None:
            for name, values in ((self.mean, means), (self.variance, variances)):
                grad.whole[name][...] = sum(values)
                grad.whole[name][...] *= weight

    def each(self, function: Callable[..., Any], *cells: Sequence[Array]) -> list[Any]:
        """Return function(*cell) for each cell of this rank."""
        return list(map(function, *cells))

    def total(self, parts: Sequence[Array]) -> Array:
        """Return the sum over the cells of a lane. `parts` has an array for each cell of this rank."""
        return parts[0]

    def count(self, xs: Sequence[Array]) -> int:
        """Return the number of rows of all cells of a lane. `xs` are this rank's cells, (rows, channels)."""
        return len(xs[0])

    def _infer(self, theta: Parameters, x: Array) -> tuple[Array, Backward]:
        loops, mean, inverse = kernels(x), theta[self.mean], 1 / np.sqrt(theta[self.variance] + EPSILON)
        scale, y = theta[self.gamma] * inverse, np.empty_like(x)
        rows = x.reshape(-1, self.channels)
        loops.scale_rectify(rows, scale, theta[self.beta] - mean * scale, self.slope, y.reshape(rows.shape))

        def backward(dy: Array, grad: Vector | None = None, need_dx: bool = True) -> Array | None:
            """Treat running statistics as constants: they have no derivative and are not written to grad."""
            dy = contiguous(dy)
            if self.slope != 1:
                loops.rectify_gradient(dy, y, self.slope)
            if grad is not None:
                grad[self.beta][...], products = loops.column_products(dy.reshape(rows.shape), rows, mean)
                np.multiply(products, inverse, out=grad[self.gamma])
            return dy * scale if need_dx else None

        return y, backward

    def _part(self, theta: Parameters, xs: Sequence[Array], ys: Sequence[Array]) -> PartBackward:
        """Normalise the rows xs (m, channels) of the cells into ys. Return the derivative of that, which
        overwrites dys with dxs."""
        loops, m = kernels(xs[0]), self.count(xs)
        mean = self.total(self.each(loops.column_sums, xs)) / m
        variance = self.total(self.each(lambda x: loops.column_squares(x, mean), xs)) / m
        inverse = 1 / np.sqrt(variance + EPSILON)
        scale = theta[self.gamma] * inverse
        shift = theta[self.beta] - mean * scale
        self.each(lambda x, y: loops.scale_rectify(x, scale, shift, self.slope, y), xs, ys)

        def back(dys: Sequence[Array], need_dx: bool) -> tuple[list[tuple[Array, Array]], Array, Array]:
            sums = self.each(lambda dy, x: loops.column_products(dy, x, mean), dys, xs)
            cells = [(products * inverse, beta) for beta, products in sums]
            if need_dx:
                gamma, beta = self.total([np.stack(cell) for cell in cells])
                # dx = gamma / sigma (dy - mean(dy) - xhat mean(dy xhat)) as a dy + (b x + c)
                b = scale * inverse * gamma / -m
                c = scale * beta / -m - b * mean
                self.each(lambda dy, x: loops.combine(dy, x, scale, b, c), dys, xs)
            return cells, mean, variance * (m / max(m - 1, 1))

        return back


def _split(x: Array, parts: int, channels: int) -> Array:
    """Return the equal parts of a batch x (n, ..., channels) as views (rows, channels)."""
    return x.reshape(parts, -1, channels)


class LayerNorm(Layer):
    """y = gamma (x - mean) / sqrt(variance + 1e-5) + beta, over the last axes of x, which have the shape
    `shape` (Ba et al. 2016, arXiv:1607.06450).

    With shape = (channels,), each position is normalised over its channels. This is PyTorch's
    LayerNorm(shape).
    """

    def __init__(self, name: str, shape: Sequence[int]) -> None:
        self.gamma, self.beta, self.shape = f"{name}/gamma", f"{name}/beta", tuple(shape)

    def parameters(self) -> dict[str, Shape]:
        return {self.gamma: self.shape, self.beta: self.shape}

    def initialize(self, theta: Vector, random: np.random.Generator) -> None:
        theta[self.gamma][...], theta[self.beta][...] = 1, 0

    def forward(self, theta: Parameters, x: Array, train: Train | None = TRAIN) -> tuple[Array, Backward]:
        normal, _, jacobian = self._normalize(x)

        def backward(dy: Array, grad: Vector | None = None, need_dx: bool = True) -> Array | None:
            self._write(grad, dy, normal)
            return jacobian(dy * self._own(theta[self.gamma])) if need_dx else None

        return self._scale(theta, normal), backward

    def tangent(
        self, theta: Parameters, x: Array, t: Array, train: Train | None = TRAIN
    ) -> tuple[Array, Array, TangentBackward]:
        """Let n = (x - mean) / sigma and sigma^2 = variance + 1e-5, over the m numbers of a sample. Then
        dn/dx is the symmetric J:

            J d = (d - mean(d) - n mean(n d)) / sigma,    tn = J t,    ty = gamma tn.

        dx includes the derivative of <a, J t> with a = gamma dty. It depends on x through 1 / sigma, with the
        derivative -n / (m sigma^2), and through n, which occurs twice and has the derivative J:

            dt = J a,    dx = J (gamma dy) - (n mean(a tn) + tn mean(n a) + dt mean(n t)) / sigma.
        """
        normal, inverse, jacobian = self._normalize(x)
        tn = jacobian(t.copy())

        def backward(
            dy: Array | None, dty: Array, grad: Vector | None = None, need_dx: bool = True
        ) -> tuple[Array | None, Array | None]:
            dy = 0 * dty if dy is None else dy
            self._write(grad, dy, normal, dty, tn)
            if not need_dx:
                return None, None
            a, gamma = dty * self._own(theta[self.gamma]), self._own(theta[self.gamma])
            dt, dx = jacobian(a.copy()), jacobian(dy * gamma)
            dx -= inverse * (
                normal * self._mean(a * tn) + tn * self._mean(normal * a) + dt * self._mean(normal * t)
            )
            return dx, dt

        return self._scale(theta, normal), tn * self._own(theta[self.gamma]), backward

    def _normalize(self, x: Array) -> tuple[Array, Array, Callable[[Array], Array]]:
        """Return n = (x - mean) / sigma, 1 / sigma, and the function d -> J d, which overwrites d."""
        normal = x - self._mean(x)
        inverse = 1 / np.sqrt(self._mean(normal * normal) + EPSILON)
        normal *= inverse

        def jacobian(d: Array) -> Array:
            d -= self._mean(d) + normal * self._mean(d * normal)
            d *= inverse
            return d

        return normal, inverse, jacobian

    def _scale(self, theta: Parameters, normal: Array) -> Array:
        y = normal * self._own(theta[self.gamma])
        y += self._own(theta[self.beta])
        return y

    def _write(
        self,
        grad: Any,
        dy: Array,
        normal: Array,
        dty: Array | None = None,
        tn: Array | None = None,
    ) -> None:
        """Write the derivatives of the parameters, with those of the tangent if there is one."""
        if grad is not None:
            np.sum(dy, axis=self._rows(dy), out=grad[self.beta])
            np.sum(dy * normal, axis=self._rows(dy), out=grad[self.gamma])
            if dty is not None:
                grad[self.gamma][...] += np.sum(dty * tn, axis=self._rows(dty))

    def _own(self, parameter: Array) -> Array:
        """Return the part of a parameter (*shape) that belongs to the numbers on this rank."""
        return parameter

    def _mean(self, a: Array) -> Array:
        return a.mean(tuple(range(-len(self.shape), 0)), keepdims=True)

    def _rows(self, a: Array) -> tuple[int, ...]:
        return tuple(range(a.ndim - len(self.shape)))
