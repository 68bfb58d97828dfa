"""The kernels in NumPy's API: their definition.

Arrays are C-contiguous; `rows` and `channels` are the two axes that a tensor (..., channels) is seen with.
"""

from itertools import product

import numpy as np

NAME = "numpy"
# Rows of a partial sum.
ROWS = 256


def outer(left, right, out):
    """out <- left right^T: left (rows, 1), right (channels, 1), out (rows, channels)."""
    np.multiply(left, right.T, out=out)


def rectify(y, bias, slope):
    """y <- t where t = y + bias > 0, else slope t. y (rows, channels), bias (channels,) or None."""
    if bias is not None:
        y += bias
    if slope != 1:
        y *= _slopes(y, slope)


def rectify_gradient(dy, y, slope):
    """dy <- dy where y > 0, else slope dy. Any shape."""
    dy *= _slopes(y, slope)


def _slopes(y, slope):
    return np.array([slope, 1], y.dtype, like=y)[(y > 0).view(np.uint8)]


def scale_rectify(x, scale, shift, slope, out):
    """out <- t where t = x scale + shift > 0, else slope t. x (rows, channels), scale and shift
    (channels,)."""
    np.multiply(x, scale, out=out)
    rectify(out, shift, slope)


def column_sums(x):
    """Return the sums over the rows of x (rows, channels)."""
    return _by_blocks(x)


def column_squares(x, mean):
    """Return the sums over rows of (x - mean)^2, mean (channels,)."""
    centred = x - mean
    centred *= centred
    return _by_blocks(centred)


def column_products(dy, x, mean):
    """Return the sums over rows of dy and of (x - mean) dy."""
    centred = x - mean
    centred *= dy
    return _by_blocks(dy), _by_blocks(centred)


def _by_blocks(x):
    starts = range(0, len(x), ROWS)
    return _fold([np.add.reduce(x[start : start + ROWS], axis=0) for start in starts])


def _fold(partial):
    total = partial[0].copy()
    for row in partial[1:]:
        total += row
    return total


def combine(dy, x, a, b, c):
    """dy <- dy a + (x b + c), with a, b and c (channels,)."""
    dy *= a
    rest = x * b
    rest += c
    dy += rest


def unfold(x, out, stride, padding):
    """out[n, *i, *k, :] <- x[n, *(i stride + k - padding), :], zero outside x. out (n, *positions, *kernel,
    channels)."""
    spatial = x.ndim - 2
    positions, kernel = out.shape[1 : 1 + spatial], out.shape[1 + spatial : -1]
    out[...] = 0
    for offset in np.ndindex(kernel):
        inside, source = _overlap(x.shape[1:-1], positions, offset, stride, padding)
        out[(slice(None), *inside, *offset)] = x[(slice(None), *source)]


def fold(patches, out, stride, padding):
    """The adjoint of `unfold`: out <- for each place of out the sum of the patches' elements that were read
    there."""
    spatial = out.ndim - 2
    positions, kernel = patches.shape[1 : 1 + spatial], patches.shape[1 + spatial : -1]
    out[...] = 0
    for offset in np.ndindex(kernel):
        inside, source = _overlap(out.shape[1:-1], positions, offset, stride, padding)
        out[(slice(None), *source)] += patches[(slice(None), *inside, *offset)]


def _overlap(sizes, positions, offset, stride, padding):
    """Return the positions i for which i stride + offset - padding lies inside, and these places, as slices
    an axis."""
    inside, source = [], []
    for size, count, k, s, p in zip(sizes, positions, offset, stride, padding, strict=True):
        first = max(0, -((k - p) // s))
        stop = max(first, min(count, -((k - p - size) // s)))
        inside.append(slice(first, stop))
        start = first * s + k - p
        source.append(slice(start, start + (stop - first) * s, s))
    return inside, source


# Winograd's F(2, 2) and F(4, 2) on each axis (see hpcgen.nn.convolution.winograd): t + 1 products make t
# outputs of a filter of two taps. Each axis in turn becomes an axis of t + 1 in front, the last one first;
# the adjoints take them back, the first one first.


def winograd_data(x, out):
    """out (*t + 1, n, *tiles, *2, c) <- the combinations of the cells of x (n, *sizes, c) that are
    multiplied."""
    tiles, filters = _tiles(out, x.ndim - 2), MINIMAL[len(out) - 1]
    v = np.zeros_like(
        x, shape=(len(x), *(filters.tile * t + 1 for t in tiles), *(2,) * len(tiles), x.shape[-1])
    )
    for inside, source, phase in _cells(x.shape[1:-1], tiles, filters.tile):
        v[(slice(None), *inside, *phase)] = x[(slice(None), *source)]
    for axis in _axes(tiles, 1 + len(tiles)):
        count = v.shape[axis]
        cells = [
            _along(v, axis, slice(i, count - filters.tile + i, filters.tile)) for i in range(filters.tile + 1)
        ]
        v = np.stack(filters.data(*cells))
    out[...] = v


def winograd_data_adjoint(v, out):
    """The adjoint of `winograd_data`: out (n, *sizes, c) from v (*t + 1, n, *tiles, *2, c)."""
    tiles, filters = _tiles(v, out.ndim - 2), MINIMAL[len(v) - 1]
    for axis in reversed(_axes(tiles, 1 + len(tiles))):
        first, *middle, last = filters.data_adjoint(*v)
        shape = list(first.shape)
        shape[axis] = filters.tile * shape[axis] + 1
        v = np.empty_like(first, shape=shape)
        for i, cells in enumerate(middle, 1):
            _along(v, axis, slice(i, None, filters.tile))[...] = cells
        # A tile's last cell is the next one's first.
        _along(v, axis, slice(0, -1, filters.tile))[...] = first
        _along(v, axis, slice(filters.tile, -1, filters.tile))[...] += _along(last, axis, slice(0, -1))
        _along(v, axis, slice(-1, None))[...] = _along(last, axis, slice(-1, None))
    for inside, source, phase in _cells(out.shape[1:-1], tiles, filters.tile):
        out[(slice(None), *source)] = v[(slice(None), *inside, *phase)]


def winograd_output(dy, out):
    """out (*t + 1, n, *tiles, o) <- the combinations of dy (n, *positions, o) that are multiplied."""
    tiles, filters = _tiles(out, dy.ndim - 2), MINIMAL[len(out) - 1]
    m = np.zeros_like(dy, shape=(len(dy), *(filters.tile * t for t in tiles), dy.shape[-1]))
    m[(slice(None), *(slice(size) for size in dy.shape[1:-1]))] = dy
    for axis in _axes(tiles, 1):
        m = np.stack(
            filters.output(*(_along(m, axis, slice(i, None, filters.tile)) for i in range(filters.tile)))
        )
    out[...] = m


def winograd_output_adjoint(m, out):
    """The adjoint of `winograd_output`: out (n, *positions, o) from the products m (*t + 1, n, *tiles, o)."""
    tiles, filters = _tiles(m, out.ndim - 2), MINIMAL[len(m) - 1]
    for axis in reversed(_axes(tiles, 1)):
        parts = filters.output_adjoint(*m)
        shape = list(parts[0].shape)
        shape[axis] *= filters.tile
        m = np.empty_like(parts[0], shape=shape)
        for i, part in enumerate(parts):
            _along(m, axis, slice(i, None, filters.tile))[...] = part
    out[...] = m[(slice(None), *(slice(size) for size in out.shape[1:-1]))]


def winograd_weight(w, out):
    """out (*t + 1, *2, c, o) <- the combinations of the weights w (*4, c, o) that are multiplied."""
    spatial = w.ndim - 2
    u = w.reshape(*(2,) * (2 * spatial), *w.shape[-2:])
    u = u.transpose(*range(0, 2 * spatial, 2), *range(1, 2 * spatial, 2), -2, -1)
    # The last axis of taps goes in front, so that the one before it is the last.
    for _ in range(spatial):
        u = np.stack(MINIMAL[len(out) - 1].weight(*np.moveaxis(u, -spatial - 3, 0)))
    out[...] = u


def winograd_weight_adjoint(s, out):
    """The adjoint of `winograd_weight`: out (*4, c, o) from s (*t + 1, *2, c, o)."""
    spatial, filters = out.ndim - 2, MINIMAL[len(s) - 1]
    for _ in range(spatial):
        s = np.stack(filters.weight_adjoint(*s), axis=-spatial - 3)
    places = out.reshape(*(2,) * (2 * spatial), *out.shape[-2:])
    places.transpose(*range(0, 2 * spatial, 2), *range(1, 2 * spatial, 2), -2, -1)[...] = s


class _Two:
    """F(2, 2), from the points 0, 1 and infinity."""

    tile = 2

    @staticmethod
    def data(x0, x1, x2):
        return x0 - x1, x1, x1 - x2

    @staticmethod
    def data_adjoint(v0, v1, v2):
        return v0, (v1 - v0) + v2, -v2

    @staticmethod
    def output(y0, y1):
        return y0, y0 + y1, -y1

    @staticmethod
    def output_adjoint(m0, m1, m2):
        return m0 + m1, m1 - m2

    @staticmethod
    def weight(w0, w1):
        return w0, w0 + w1, w1

    @staticmethod
    def weight_adjoint(s0, s1, s2):
        return s0 + s1, s1 + s2


class _Four:
    """F(4, 2), from the points +-a, +-b and infinity: of all a and b tried these round least, a third of 0,
    1, -1 and 2.

    Multiples and squares of a and b are exact in binary.
    """

    tile = 4
    A, B = 3 / 8, 5 / 4
    A2, B2, A3, B3 = A**2, B**2, A**3, B**3
    # One over the products of the differences of the points.
    CA, CB = 1 / (2 * A * (A2 - B2)), 1 / (2 * B * (B2 - A2))

    @classmethod
    def data(cls, x0, x1, x2, x3, x4):
        even_a, odd_a = x3 - x1 * cls.B2, (x2 - x0 * cls.B2) * cls.A
        even_b, odd_b = x3 - x1 * cls.A2, (x2 - x0 * cls.A2) * cls.B
        last = (x4 - x2 * (cls.A2 + cls.B2)) + x0 * (cls.A2 * cls.B2)
        return even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, last

    @classmethod
    def data_adjoint(cls, v0, v1, v2, v3, v4):
        even_a, odd_a, even_b, odd_b = v0 + v1, v0 - v1, v2 + v3, v2 - v3
        return (
            v4 * (cls.A2 * cls.B2) - (odd_a * (cls.A * cls.B2) + odd_b * (cls.A2 * cls.B)),
            -(even_a * cls.B2 + even_b * cls.A2),
            (odd_a * cls.A + odd_b * cls.B) - v4 * (cls.A2 + cls.B2),
            even_a + even_b,
            v4,
        )

    @classmethod
    def output(cls, y0, y1, y2, y3):
        even_a, odd_a = y0 + y2 * cls.A2, (y1 + y3 * cls.A2) * cls.A
        even_b, odd_b = y0 + y2 * cls.B2, (y1 + y3 * cls.B2) * cls.B
        return even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, y3

    @classmethod
    def output_adjoint(cls, m0, m1, m2, m3, m4):
        even_a, odd_a, even_b, odd_b = m0 + m1, m0 - m1, m2 + m3, m2 - m3
        return (
            even_a + even_b,
            odd_a * cls.A + odd_b * cls.B,
            even_a * cls.A2 + even_b * cls.B2,
            (odd_a * cls.A3 + odd_b * cls.B3) + m4,
        )

    @classmethod
    def weight(cls, w0, w1):
        ca, cb = w0.dtype.type(cls.CA), w0.dtype.type(cls.CB)
        odd_a, odd_b = w1 * cls.A, w1 * cls.B
        return (odd_a + w0) * ca, (odd_a - w0) * ca, (odd_b + w0) * cb, (odd_b - w0) * cb, w1

    @classmethod
    def weight_adjoint(cls, s0, s1, s2, s3, s4):
        ca, cb = s0.dtype.type(cls.CA), s0.dtype.type(cls.CB)
        aca, bcb = s0.dtype.type(cls.A * cls.CA), s0.dtype.type(cls.B * cls.CB)
        return (s0 - s1) * ca + (s2 - s3) * cb, ((s0 + s1) * aca + (s2 + s3) * bcb) + s4


MINIMAL = {filters.tile: filters for filters in (_Two, _Four)}


def _tiles(v, spatial):
    return v.shape[spatial + 1 : 2 * spatial + 1]


def _cells(sizes, tiles, tile):
    """Yield, for each phase, where it lies in the cells and where in the samples: cell i holds the places 2 i
    - 1 and 2 i."""
    for phase in product((0, 1), repeat=len(tiles)):
        yield (
            *_overlap(sizes, [tile * t + 1 for t in tiles], phase, (2,) * len(tiles), (1,) * len(tiles)),
            phase,
        )


def _axes(tiles, behind):
    """Return the axes of the tiles, counted from the end, with `behind` axes after them; the last one
    first."""
    return [-behind - 1 - i for i in range(len(tiles))]


def _along(v, axis, part):
    """Return the `part` of v along `axis`, counted from the end."""
    return v[(..., part, *(slice(None),) * (-axis - 1))]


# Optimizers. Numbers are given in Python's precision and used in theta's.


def descend(theta, grad, rate):
    """theta <- theta - rate grad."""
    theta -= grad * theta.dtype.type(rate)


def momentum(theta, grad, velocity, scale, decay, mu, gain, rate):
    """velocity <- mu velocity + gain (scale grad + decay theta); theta <- theta - rate velocity."""
    scale, decay, mu, gain, rate = map(theta.dtype.type, (scale, decay, mu, gain, rate))
    for block in _blocks(theta):
        velocity[block] = velocity[block] * mu + (grad[block] * scale + theta[block] * decay) * gain
        theta[block] -= velocity[block] * rate


def adam(theta, grad, m, v, scale, beta1, beta2, correction, epsilon, eta, keep):
    """theta <- keep theta - eta m / (sqrt(v) correction + epsilon), with m and v the moments of scale grad
    after this step."""
    constants = map(
        theta.dtype.type, (scale, beta1, 1 - beta1, beta2, 1 - beta2, correction, epsilon, eta, keep)
    )
    scale, beta1, rest1, beta2, rest2, correction, epsilon, eta, keep = constants
    for block in _blocks(theta):
        g = grad[block] * scale
        m[block] = m[block] * beta1 + g * rest1
        v[block] = v[block] * beta2 + g * g * rest2
        theta[block] = theta[block] * keep - m[block] * eta / (np.sqrt(v[block]) * correction + epsilon)


def adam_direction(theta, grad, m, v, scale, beta1, beta2, correction, epsilon, eta, decay):
    """grad <- eta m / (sqrt(v) correction + epsilon) + decay theta, with the moments as in `adam`."""
    constants = map(
        theta.dtype.type, (scale, beta1, 1 - beta1, beta2, 1 - beta2, correction, epsilon, eta, decay)
    )
    scale, beta1, rest1, beta2, rest2, correction, epsilon, eta, decay = constants
    for block in _blocks(theta):
        g = grad[block] * scale
        m[block] = m[block] * beta1 + g * rest1
        v[block] = v[block] * beta2 + g * g * rest2
        grad[block] = m[block] * eta / (np.sqrt(v[block]) * correction + epsilon) + theta[block] * decay


def rmsprop(theta, grad, square, scale, rho, rate, epsilon):
    """square <- rho square + (1 - rho) g^2; theta <- theta - rate g / (sqrt(square) + epsilon), with g =
    scale grad."""
    scale, rho, rest, rate, epsilon = map(theta.dtype.type, (scale, rho, 1 - rho, rate, epsilon))
    for block in _blocks(theta):
        g = grad[block] * scale
        square[block] = square[block] * rho + g * g * rest
        theta[block] -= g * rate / (np.sqrt(square[block]) + epsilon)


def approach(average, values, share):
    """average <- average + share (values - average)."""
    average += (values - average) * average.dtype.type(share)


def _blocks(theta, size=1 << 14):
    """Return slices of theta that stay in the cache while several operations pass over them."""
    return [slice(start, start + size) for start in range(0, theta.size, size)]
