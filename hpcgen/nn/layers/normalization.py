"""Batch normalisation and layer normalisation."""

from collections.abc import Callable, Sequence

import numpy as np

from hpcgen.arrays import Array, Shape
from hpcgen.nn.buffers import Buffer
from hpcgen.nn.kernels import contiguous, kernels
from hpcgen.nn.layer import TRAIN, Backward, Layer, Parameters, TangentBackward, Train
from hpcgen.nn.vector import Vector

EPSILON = 1e-5


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
        y = np.empty_like(x)
        parts = [
            self._part(theta, *pair)
            for pair in zip(
                _split(x, train.parts, self.channels), _split(y, train.parts, self.channels), strict=True
            )
        ]

        def backward(dy: Array, grad: Vector | None = None, need_dx: bool = True) -> Array | None:
            dy = contiguous(dy)
            if self.slope != 1:
                kernels(dy).rectify_gradient(dy, y, self.slope)
            derivatives = [
                part(d, need_dx)
                for part, d in zip(parts, _split(dy, train.parts, self.channels), strict=True)
            ]
            if grad is not None:
                weight = len(x) / train.parts**2
                for name, values, factor in zip(
                    (*self.parameters(), *self.buffers()),
                    zip(*derivatives, strict=True),
                    (1, 1, weight, weight),
                    strict=False,
                ):
                    grad[name][...] = sum(values)
                    grad[name][...] *= factor
            return dy if need_dx else None

        return y, backward

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

    def _part(
        self, theta: Parameters, x: Array, y: Array
    ) -> Callable[[Array, bool], tuple[Array, Array, Array, Array]]:
        """Normalise the rows x (m, channels) into y. Return a function that overwrites dy with dx."""
        loops, m = kernels(x), len(x)
        mean = loops.column_sums(x) / m
        variance = loops.column_squares(x, mean) / m
        inverse = 1 / np.sqrt(variance + EPSILON)
        scale = theta[self.gamma] * inverse
        loops.scale_rectify(x, scale, theta[self.beta] - mean * scale, self.slope, y)

        def back(dy: Array, need_dx: bool) -> tuple[Array, Array, Array, Array]:
            beta, gamma = loops.column_products(dy, x, mean)
            gamma *= inverse
            if need_dx:
                # dx = gamma / sigma (dy - mean(dy) - xhat mean(dy xhat)) as a dy + (b x + c)
                b = scale * inverse * gamma / -m
                loops.combine(dy, x, scale, b, scale * beta / -m - b * mean)
            return gamma, beta, mean, variance * (m / max(m - 1, 1))

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
            return jacobian(dy * theta[self.gamma]) if need_dx else None

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
            dy = np.zeros_like(dty) if dy is None else dy
            self._write(grad, dy, normal)
            if grad is not None:
                grad[self.gamma][...] += np.sum(dty * tn, axis=self._rows(dty))
            if not need_dx:
                return None, None
            a = dty * theta[self.gamma]
            dt, dx = jacobian(a.copy()), jacobian(dy * theta[self.gamma])
            dx -= inverse * (
                normal * self._mean(a * tn) + tn * self._mean(normal * a) + dt * self._mean(normal * t)
            )
            return dx, dt

        return self._scale(theta, normal), tn * theta[self.gamma], backward

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
        y = normal * theta[self.gamma]
        y += theta[self.beta]
        return y

    def _write(self, grad: Vector | None, dy: Array, normal: Array) -> None:
        if grad is not None:
            np.sum(dy, axis=self._rows(dy), out=grad[self.beta])
            np.sum(dy * normal, axis=self._rows(dy), out=grad[self.gamma])

    def _mean(self, a: Array) -> Array:
        return a.mean(tuple(range(-len(self.shape), 0)), keepdims=True)

    def _rows(self, a: Array) -> tuple[int, ...]:
        return tuple(range(a.ndim - len(self.shape)))
