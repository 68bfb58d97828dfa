"""The kernels as loops for numba: the bits of `hpcgen.nn.kernels.plain`, in one pass each.

numba keeps the order of floating-point operations (no fastmath), vectorises over the channels, keeps what it compiled on disk,
per processor, and releases the interpreter's lock. What is not here is `plain`'s.
"""

import numba
import numpy as np
from numba import njit

from hpcgen.nn.kernels import plain
from hpcgen.nn.kernels.plain import ROWS

NAME = f"numba {numba.__version__}"
_compile = njit(cache=True, nogil=True, error_model="numpy")


def rectify(y, bias, slope):
    if bias is None:
        bias = np.zeros(y.shape[1], y.dtype)
    _rectify(y, bias, y.dtype.type(slope))


@_compile
def _rectify(y, bias, slope):
    for i in range(y.shape[0]):
        for k in range(y.shape[1]):
            t = y[i, k] + bias[k]
            y[i, k] = t if t > 0 else slope * t


def rectify_gradient(dy, y, slope):
    _rectify_gradient(dy.reshape(-1), y.reshape(-1), y.dtype.type(slope))


@_compile
def _rectify_gradient(dy, y, slope):
    for i in range(dy.size):
        t = dy[i]
        dy[i] = t if y[i] > 0 else slope * t


def scale_rectify(x, scale, shift, slope, out):
    _scale_rectify(x, scale, shift, x.dtype.type(slope), out)


@_compile
def _scale_rectify(x, scale, shift, slope, out):
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            t = x[i, k] * scale[k] + shift[k]
            out[i, k] = t if t > 0 else slope * t


def column_sums(x):
    return _column_sums(x) if x.shape[1] > 1 else plain.column_sums(x)


@_compile
def _column_sums(x):
    total, block = np.zeros_like(x[0]), np.empty_like(x[0])
    for start in range(0, x.shape[0], ROWS):
        block[:] = x[start]
        for i in range(start + 1, min(start + ROWS, x.shape[0])):
            for k in range(x.shape[1]):
                block[k] += x[i, k]
        for k in range(x.shape[1]):
            total[k] += block[k]
    return total


def column_squares(x, mean):
    return _column_squares(x, mean) if x.shape[1] > 1 else plain.column_squares(x, mean)


@_compile
def _column_squares(x, mean):
    total, block = np.zeros_like(mean), np.empty_like(mean)
    for start in range(0, x.shape[0], ROWS):
        block[:] = 0
        for i in range(start, min(start + ROWS, x.shape[0])):
            for k in range(x.shape[1]):
                centred = x[i, k] - mean[k]
                block[k] += centred * centred
        for k in range(x.shape[1]):
            total[k] += block[k]
    return total


def column_products(dy, x, mean):
    return _column_products(dy, x, mean) if x.shape[1] > 1 else plain.column_products(dy, x, mean)


@_compile
def _column_products(dy, x, mean):
    sums, products = np.zeros_like(mean), np.zeros_like(mean)
    block, block_products = np.empty_like(mean), np.empty_like(mean)
    for start in range(0, x.shape[0], ROWS):
        block[:] = 0
        block_products[:] = 0
        for i in range(start, min(start + ROWS, x.shape[0])):
            for k in range(x.shape[1]):
                block[k] += dy[i, k]
                block_products[k] += (x[i, k] - mean[k]) * dy[i, k]
        for k in range(x.shape[1]):
            sums[k] += block[k]
            products[k] += block_products[k]
    return sums, products


@_compile
def combine(dy, x, a, b, c):
    for i in range(dy.shape[0]):
        for k in range(dy.shape[1]):
            dy[i, k] = dy[i, k] * a[k] + (x[i, k] * b[k] + c[k])


def unfold(x, out, stride, padding):
    if x.ndim != 4:
        return plain.unfold(x, out, stride, padding)
    n, h, w, kh, kw, c = out.shape
    _unfold(x.reshape(*x.shape[:2], -1), out.reshape(n, h, w, kh, kw * c), c, *stride, *padding)


@_compile
def _unfold(x, out, c, down, right, top, left):
    """The kernel's rows lie in one piece in x's rows, which are given as (width channels,)."""
    n, positions, across, kernel, run = out.shape
    height, width = x.shape[1:]
    for i in range(n):
        for p in range(positions):
            for q in range(across):
                first = (q * right - left) * c
                before = min(max(0, -first), run)
                end = max(before, min(run, width - first))
                for a in range(kernel):
                    row = p * down + a - top
                    target = out[i, p, q, a]
                    if row < 0 or row >= height:
                        target[:] = 0
                        continue
                    source = x[i, row]
                    for k in range(before):
                        target[k] = 0
                    for k in range(before, end):
                        target[k] = source[first + k]
                    for k in range(end, run):
                        target[k] = 0


def fold(patches, out, stride, padding):
    if out.ndim != 4:
        return plain.fold(patches, out, stride, padding)
    n, h, w, kh, kw, c = patches.shape
    _fold(patches.reshape(n, h, w, kh, kw * c), out.reshape(*out.shape[:2], -1), c, *stride, *padding)


@_compile
def _fold(patches, out, c, down, right, top, left):
    """Add in the order of `plain.fold`: an output's kernel offsets ascend as its positions descend."""
    n, positions, across, kernel, run = patches.shape
    height, width = out.shape[1:]
    out[:] = 0
    for i in range(n):
        for row in range(height):
            target = out[i, row]
            # The windows that hold this row: p down + a = row + top.
            last = min(positions - 1, (row + top) // down)
            for p in range(last, -1, -1):
                a = row + top - p * down
                if a >= kernel:
                    break
                for q in range(across - 1, -1, -1):
                    first = (q * right - left) * c
                    source = patches[i, p, q, a]
                    for k in range(max(0, -first), min(run, width - first)):
                        target[first + k] += source[k]


def winograd_data(x, out):
    (_winograd_data if x.ndim == 4 else plain.winograd_data)(x, out)


@_compile
def _winograd_data(x, out):
    n, height, width, c = x.shape
    down, across = out.shape[3:5]
    padded = np.zeros((4 * down + 2, 4 * across + 2, c), x.dtype)
    rows, columns = min(height, 4 * down + 1), min(width, 4 * across + 1)
    for i in range(n):
        padded[1 : 1 + rows, 1 : 1 + columns] = x[i, :rows, :columns]
        for t in range(down):
            for s in range(across):
                for a in range(2):
                    for b in range(2):
                        x00, x01, x02 = (
                            padded[4 * t + a, 4 * s + b],
                            padded[4 * t + a, 4 * s + b + 2],
                            padded[4 * t + a, 4 * s + b + 4],
                        )
                        r = 4 * t + a + 2
                        x10, x11, x12 = padded[r, 4 * s + b], padded[r, 4 * s + b + 2], padded[r, 4 * s + b + 4]
                        r = 4 * t + a + 4
                        x20, x21, x22 = padded[r, 4 * s + b], padded[r, 4 * s + b + 2], padded[r, 4 * s + b + 4]
                        v00, v01, v02 = out[0, 0, i, t, s, a, b], out[0, 1, i, t, s, a, b], out[0, 2, i, t, s, a, b]
                        v10, v11, v12 = out[1, 0, i, t, s, a, b], out[1, 1, i, t, s, a, b], out[1, 2, i, t, s, a, b]
                        v20, v21, v22 = out[2, 0, i, t, s, a, b], out[2, 1, i, t, s, a, b], out[2, 2, i, t, s, a, b]
                        for k in range(c):
                            y0, y1, y2 = x00[k] - x01[k], x10[k] - x11[k], x20[k] - x21[k]
                            v00[k], v10[k], v20[k] = y0 - y1, y1, y1 - y2
                            y0, y1, y2 = x01[k], x11[k], x21[k]
                            v01[k], v11[k], v21[k] = y0 - y1, y1, y1 - y2
                            y0, y1, y2 = x01[k] - x02[k], x11[k] - x12[k], x21[k] - x22[k]
                            v02[k], v12[k], v22[k] = y0 - y1, y1, y1 - y2


def winograd_data_adjoint(v, out):
    (_winograd_data_adjoint if out.ndim == 4 else plain.winograd_data_adjoint)(v, out)


@_compile
def _winograd_data_adjoint(v, out):
    n, height, width, c = out.shape
    down, across = v.shape[3:5]
    # A row of cells, taken back along the rows; then along the columns, straight into the pixels.
    cells = np.empty((3, across, 2, 2, c), v.dtype)
    for i in range(n):
        for row in range(2 * down + 1):
            t = row // 2
            for j in range(3):
                for s in range(across):
                    for a in range(2):
                        for b in range(2):
                            target = cells[j, s, a, b]
                            if row % 2:
                                v0, v1, v2 = v[0, j, i, t, s, a, b], v[1, j, i, t, s, a, b], v[2, j, i, t, s, a, b]
                                for k in range(c):
                                    target[k] = (v1[k] - v0[k]) + v2[k]
                            elif t == 0:
                                target[:] = v[0, j, i, 0, s, a, b]
                            elif t == down:
                                v2 = v[2, j, i, t - 1, s, a, b]
                                for k in range(c):
                                    target[k] = -v2[k]
                            else:
                                v0, v2 = v[0, j, i, t, s, a, b], v[2, j, i, t - 1, s, a, b]
                                for k in range(c):
                                    target[k] = v0[k] - v2[k]
            for a in range(2):
                place = 2 * row + a - 1
                if place < 0 or place >= height:
                    continue
                for column in range(2 * across + 1):
                    s = column // 2
                    for b in range(2):
                        where = 2 * column + b - 1
                        if where < 0 or where >= width:
                            continue
                        target = out[i, place, where]
                        if column % 2:
                            c0, c1, c2 = cells[0, s, a, b], cells[1, s, a, b], cells[2, s, a, b]
                            for k in range(c):
                                target[k] = (c1[k] - c0[k]) + c2[k]
                        elif s == 0:
                            target[:] = cells[0, 0, a, b]
                        elif s == across:
                            c2 = cells[2, s - 1, a, b]
                            for k in range(c):
                                target[k] = -c2[k]
                        else:
                            c0, c2 = cells[0, s, a, b], cells[2, s - 1, a, b]
                            for k in range(c):
                                target[k] = c0[k] - c2[k]


def winograd_output(dy, out):
    (_winograd_output if dy.ndim == 4 else plain.winograd_output)(dy, out)


@_compile
def _winograd_output(dy, out):
    n, height, width, o = dy.shape
    down, across = out.shape[3:5]
    zero = np.zeros(o, dy.dtype)
    for i in range(n):
        for t in range(down):
            for s in range(across):
                lower, right = 2 * t + 1 < height, 2 * s + 1 < width
                y00 = dy[i, 2 * t, 2 * s]
                y01 = dy[i, 2 * t, 2 * s + 1] if right else zero
                y10 = dy[i, 2 * t + 1, 2 * s] if lower else zero
                y11 = dy[i, 2 * t + 1, 2 * s + 1] if lower and right else zero
                m00, m01, m02 = out[0, 0, i, t, s], out[0, 1, i, t, s], out[0, 2, i, t, s]
                m10, m11, m12 = out[1, 0, i, t, s], out[1, 1, i, t, s], out[1, 2, i, t, s]
                m20, m21, m22 = out[2, 0, i, t, s], out[2, 1, i, t, s], out[2, 2, i, t, s]
                for k in range(o):
                    y0, y1 = y00[k], y10[k]
                    m00[k], m10[k], m20[k] = y0, y0 + y1, -y1
                    y0, y1 = y00[k] + y01[k], y10[k] + y11[k]
                    m01[k], m11[k], m21[k] = y0, y0 + y1, -y1
                    y0, y1 = -y01[k], -y11[k]
                    m02[k], m12[k], m22[k] = y0, y0 + y1, -y1


def winograd_output_adjoint(m, out):
    (_winograd_output_adjoint if out.ndim == 4 else plain.winograd_output_adjoint)(m, out)


@_compile
def _winograd_output_adjoint(m, out):
    n, height, width, o = out.shape
    down, across = m.shape[3:5]
    beyond = np.empty(o, m.dtype)
    for i in range(n):
        for t in range(down):
            for s in range(across):
                lower, right = 2 * t + 1 < height, 2 * s + 1 < width
                y00 = out[i, 2 * t, 2 * s]
                y01 = out[i, 2 * t, 2 * s + 1] if right else beyond
                y10 = out[i, 2 * t + 1, 2 * s] if lower else beyond
                y11 = out[i, 2 * t + 1, 2 * s + 1] if lower and right else beyond
                m00, m01, m02 = m[0, 0, i, t, s], m[0, 1, i, t, s], m[0, 2, i, t, s]
                m10, m11, m12 = m[1, 0, i, t, s], m[1, 1, i, t, s], m[1, 2, i, t, s]
                m20, m21, m22 = m[2, 0, i, t, s], m[2, 1, i, t, s], m[2, 2, i, t, s]
                for k in range(o):
                    m0, m1, m2 = m00[k] + m10[k], m01[k] + m11[k], m02[k] + m12[k]
                    y00[k], y01[k] = m0 + m1, m1 - m2
                    m0, m1, m2 = m10[k] - m20[k], m11[k] - m21[k], m12[k] - m22[k]
                    y10[k], y11[k] = m0 + m1, m1 - m2


def winograd_weight(w, out):
    (_winograd_weight if w.ndim == 4 else plain.winograd_weight)(w, out)


@_compile
def _winograd_weight(w, out):
    c, o = w.shape[2:]
    for a in range(2):
        for b in range(2):
            for i in range(c):
                for k in range(o):
                    w00, w01, w10, w11 = w[a, b, i, k], w[a, 2 + b, i, k], w[2 + a, b, i, k], w[2 + a, 2 + b, i, k]
                    out[0, 0, a, b, i, k], out[1, 0, a, b, i, k], out[2, 0, a, b, i, k] = w00, w00 + w10, w10
                    w0, w1 = w00 + w01, w10 + w11
                    out[0, 1, a, b, i, k], out[1, 1, a, b, i, k], out[2, 1, a, b, i, k] = w0, w0 + w1, w1
                    out[0, 2, a, b, i, k], out[1, 2, a, b, i, k], out[2, 2, a, b, i, k] = w01, w01 + w11, w11


def winograd_weight_adjoint(s, out):
    (_winograd_weight_adjoint if out.ndim == 4 else plain.winograd_weight_adjoint)(s, out)


@_compile
def _winograd_weight_adjoint(s, out):
    c, o = out.shape[2:]
    for a in range(2):
        for b in range(2):
            for i in range(c):
                for k in range(o):
                    s0 = s[0, 0, a, b, i, k] + s[1, 0, a, b, i, k]
                    s1 = s[0, 1, a, b, i, k] + s[1, 1, a, b, i, k]
                    s2 = s[0, 2, a, b, i, k] + s[1, 2, a, b, i, k]
                    out[a, b, i, k], out[a, 2 + b, i, k] = s0 + s1, s1 + s2
                    s0 = s[1, 0, a, b, i, k] + s[2, 0, a, b, i, k]
                    s1 = s[1, 1, a, b, i, k] + s[2, 1, a, b, i, k]
                    s2 = s[1, 2, a, b, i, k] + s[2, 2, a, b, i, k]
                    out[2 + a, b, i, k], out[2 + a, 2 + b, i, k] = s0 + s1, s1 + s2


def descend(theta, grad, rate):
    _descend(theta, grad, theta.dtype.type(rate))


@_compile
def _descend(theta, grad, rate):
    for i in range(theta.size):
        theta[i] -= grad[i] * rate


def momentum(theta, grad, velocity, *constants):
    _momentum(theta, grad, velocity, *map(theta.dtype.type, constants))


@_compile
def _momentum(theta, grad, velocity, scale, decay, mu, gain, rate):
    for i in range(theta.size):
        velocity[i] = velocity[i] * mu + (grad[i] * scale + theta[i] * decay) * gain
        theta[i] -= velocity[i] * rate


def adam(theta, grad, m, v, scale, beta1, beta2, *constants):
    _adam(theta, grad, m, v, *map(theta.dtype.type, (scale, beta1, 1 - beta1, beta2, 1 - beta2, *constants)))


@_compile
def _adam(theta, grad, m, v, scale, beta1, rest1, beta2, rest2, correction, epsilon, eta, keep):
    for i in range(theta.size):
        g = grad[i] * scale
        m[i] = m[i] * beta1 + g * rest1
        v[i] = v[i] * beta2 + g * g * rest2
        theta[i] = theta[i] * keep - m[i] * eta / (np.sqrt(v[i]) * correction + epsilon)


def adam_direction(theta, grad, m, v, scale, beta1, beta2, *constants):
    _adam_direction(theta, grad, m, v, *map(theta.dtype.type, (scale, beta1, 1 - beta1, beta2, 1 - beta2, *constants)))


@_compile
def _adam_direction(theta, grad, m, v, scale, beta1, rest1, beta2, rest2, correction, epsilon, eta, decay):
    for i in range(theta.size):
        g = grad[i] * scale
        m[i] = m[i] * beta1 + g * rest1
        v[i] = v[i] * beta2 + g * g * rest2
        grad[i] = m[i] * eta / (np.sqrt(v[i]) * correction + epsilon) + theta[i] * decay


def rmsprop(theta, grad, square, scale, rho, rate, epsilon):
    _rmsprop(theta, grad, square, *map(theta.dtype.type, (scale, rho, 1 - rho, rate, epsilon)))


@_compile
def _rmsprop(theta, grad, square, scale, rho, rest, rate, epsilon):
    for i in range(theta.size):
        g = grad[i] * scale
        square[i] = square[i] * rho + g * g * rest
        theta[i] -= g * rate / (np.sqrt(square[i]) + epsilon)


def approach(average, values, share):
    _approach(average, values, average.dtype.type(share))


@_compile
def _approach(average, values, share):
    for i in range(average.size):
        average[i] += (values[i] - average[i]) * share
