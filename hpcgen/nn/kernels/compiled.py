"""The kernels as compiled loops (loops.h). They compute the bits of `hpcgen.nn.kernels.plain`, in one pass.

`python -m hpcgen.nn.kernels.build` builds the module `_loops`. Shapes that it does not support are computed
by `plain`.
"""

from collections.abc import Sequence

import numpy as np

from hpcgen.arrays import Array
from hpcgen.nn.kernels import _loops, plain  # type: ignore[attr-defined]
from hpcgen.nn.kernels.plain.rows import ROWS_A_SUM
from hpcgen.nn.kernels.sources import fingerprint

if fingerprint() != _loops.SOURCE:
    raise ImportError("_loops was compiled from other sources: run python -m hpcgen.nn.kernels.build")

# Number of weights that are transformed together. They stay in the first-level cache for both axes.
WEIGHTS_A_BLOCK = 512
NAME = f"C ({_loops.COMPILER})"


def outer(left: Array, right: Array, out: Array) -> None:
    _loops.outer(left, right, out, *out.shape)


def rectify(y: Array, bias: Array | None, slope: float) -> None:
    if bias is None:
        # Adding -0 changes no number, not even the sign of a zero.
        bias = np.full(y.shape[1], -0.0, y.dtype)
    _loops.rectify(y, bias, *y.shape, float(slope))


def rectify_gradient(dy: Array, y: Array, slope: float) -> None:
    _loops.rectify_gradient(dy, y, dy.size, float(slope))


def scale_rectify(x: Array, scale: Array, shift: Array, slope: float, out: Array) -> None:
    _loops.scale_rectify(x, scale, shift, out, *x.shape, float(slope))


# With one channel NumPy adds the rows in pairs, not one after the other. Therefore `plain` computes it.


def column_sums(x: Array) -> Array:
    if x.shape[1] == 1:
        return plain.column_sums(x)
    total, block = np.empty((2, x.shape[1]), x.dtype)
    _loops.column_sums(x, total, block, *x.shape, ROWS_A_SUM)
    return total


def column_squares(x: Array, mean: Array) -> Array:
    if x.shape[1] == 1:
        return plain.column_squares(x, mean)
    total, block = np.empty((2, x.shape[1]), x.dtype)
    _loops.column_squares(x, mean, total, block, *x.shape, ROWS_A_SUM)
    return total


def column_products(dy: Array, x: Array, mean: Array) -> tuple[Array, Array]:
    if x.shape[1] == 1:
        return plain.column_products(dy, x, mean)
    sums, products, *blocks = np.empty((4, x.shape[1]), x.dtype)
    _loops.column_products(dy, x, mean, sums, products, *blocks, *x.shape, ROWS_A_SUM)
    return sums, products


def combine(dy: Array, x: Array, a: Array, b: Array, c: Array) -> None:
    _loops.combine(dy, x, a, b, c, *x.shape)


def unfold(x: Array, out: Array, stride: Sequence[int], padding: Sequence[int]) -> None:
    if x.ndim != 4:
        return plain.unfold(x, out, stride, padding)
    _loops.unfold(x, out, *x.shape[:3], *out.shape[1:], *stride, *padding)


def fold(patches: Array, out: Array, stride: Sequence[int], padding: Sequence[int]) -> None:
    if out.ndim != 4:
        return plain.fold(patches, out, stride, padding)
    _loops.fold(patches, out, *out.shape[:3], *patches.shape[1:], *stride, *padding)


def winograd_data(x: Array, out: Array, padding: Sequence[int]) -> None:
    if x.ndim != 4:
        return plain.winograd_data(x, out, padding)
    n, height, width, channels = x.shape
    products, (down, across) = len(out), out.shape[3:5]
    tile = products - 1
    padded = np.empty((2 * (tile * down + 1), 2 * (tile * across + 1), channels), x.dtype)
    work = np.empty((products, products, 2, channels), x.dtype)
    _loops.winograd_data(x, out, padded, work, tile, n, height, width, down, across, channels, *padding)


def winograd_data_adjoint(v: Array, out: Array, padding: Sequence[int]) -> None:
    if out.ndim != 4:
        return plain.winograd_data_adjoint(v, out, padding)
    cells = np.empty((len(v), *v.shape[4:]), v.dtype)
    _loops.winograd_data_adjoint(
        v, out, cells, len(v) - 1, *out.shape[:3], *v.shape[3:5], out.shape[3], *padding
    )


def winograd_output(dy: Array, out: Array) -> None:
    if dy.ndim != 4:
        return plain.winograd_output(dy, out)
    products, (down, across, outputs) = len(out), out.shape[3:]
    tile = products - 1
    padded = np.empty((tile * down, tile * across, outputs), dy.dtype)
    work = np.empty((products, tile, outputs), dy.dtype)
    _loops.winograd_output(dy, out, padded, work, tile, *dy.shape[:3], down, across, outputs)


def winograd_output_adjoint(m: Array, out: Array) -> None:
    if out.ndim != 4:
        return plain.winograd_output_adjoint(m, out)
    products, tile, outputs = len(m), len(m) - 1, m.shape[-1]
    work = np.empty((tile, products, outputs), m.dtype)
    made = np.empty((tile, outputs), m.dtype)
    _loops.winograd_output_adjoint(m, out, work, made, tile, *out.shape[:3], *m.shape[3:])


def winograd_weight(w: Array, out: Array) -> None:
    if w.ndim != 4:
        return plain.winograd_weight(w, out)
    _loops.winograd_weight(
        w, out, np.empty((len(out), 2, WEIGHTS_A_BLOCK), w.dtype), len(out) - 1, w[0, 0].size, WEIGHTS_A_BLOCK
    )


def winograd_weight_adjoint(s: Array, out: Array) -> None:
    if out.ndim != 4:
        return plain.winograd_weight_adjoint(s, out)
    _loops.winograd_weight_adjoint(
        s, out, np.empty((2, len(s), WEIGHTS_A_BLOCK), s.dtype), len(s) - 1, out[0, 0].size, WEIGHTS_A_BLOCK
    )


def descend(theta: Array, grad: Array, rate: float) -> None:
    _loops.descend(theta, grad, theta.size, float(rate))


def momentum(theta: Array, grad: Array, velocity: Array, *constants: float) -> None:
    _loops.momentum(theta, grad, velocity, theta.size, *map(float, constants))


def adam(
    theta: Array, grad: Array, m: Array, v: Array, scale: float, beta1: float, beta2: float, *constants: float
) -> None:
    _loops.adam(theta, grad, m, v, theta.size, *_with_rests(scale, beta1, beta2, constants))


def adam_direction(
    theta: Array, grad: Array, m: Array, v: Array, scale: float, beta1: float, beta2: float, *constants: float
) -> None:
    _loops.adam_direction(theta, grad, m, v, theta.size, *_with_rests(scale, beta1, beta2, constants))


def _with_rests(scale: float, beta1: float, beta2: float, constants: tuple[float, ...]) -> map:
    """Return Adam's constants with 1 - beta after each beta. 1 - beta is computed before rounding."""
    return map(float, (scale, beta1, 1 - beta1, beta2, 1 - beta2, *constants))


def rmsprop(
    theta: Array, grad: Array, square: Array, scale: float, rho: float, rate: float, epsilon: float
) -> None:
    _loops.rmsprop(theta, grad, square, theta.size, *map(float, (scale, rho, 1 - rho, rate, epsilon)))


def approach(average: Array, values: Array, share: float) -> None:
    _loops.approach(average, values, average.size, float(share))
