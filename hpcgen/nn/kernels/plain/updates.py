"""Kernels of the optimizers: one step on flat vectors, in place.

Constants are passed in Python's precision and rounded to the precision of theta.
"""

from collections.abc import Iterator

import numpy as np

from hpcgen.arrays import Array

# Size of a block that stays in the cache while several operations pass over it: 64 KiB of float32.
NUMBERS_A_BLOCK = 1 << 14


def descend(theta: Array, grad: Array, rate: float) -> None:
    """theta <- theta - rate grad."""
    theta -= grad * theta.dtype.type(rate)


def momentum(
    theta: Array,
    grad: Array,
    velocity: Array,
    scale: float,
    decay: float,
    mu: float,
    gain: float,
    rate: float,
) -> None:
    """velocity <- mu velocity + gain (scale grad + decay theta); theta <- theta - rate velocity."""
    scale, decay, mu, gain, rate = map(theta.dtype.type, (scale, decay, mu, gain, rate))
    for block in _blocks(theta):
        velocity[block] = velocity[block] * mu + (grad[block] * scale + theta[block] * decay) * gain
        theta[block] -= velocity[block] * rate


def adam(
    theta: Array,
    grad: Array,
    m: Array,
    v: Array,
    scale: float,
    beta1: float,
    beta2: float,
    correction: float,
    epsilon: float,
    eta: float,
    keep: float,
) -> None:
    """Take a step of Adam, with g = scale grad:

    m <- beta1 m + (1 - beta1) g,    v <- beta2 v + (1 - beta2) g^2,
    theta <- keep theta - eta m / (sqrt(v) correction + epsilon).
    """
    keep = theta.dtype.type(keep)
    for block, step in _adam_steps(theta, grad, m, v, scale, beta1, beta2, correction, epsilon, eta):
        theta[block] = theta[block] * keep - step


def adam_direction(
    theta: Array,
    grad: Array,
    m: Array,
    v: Array,
    scale: float,
    beta1: float,
    beta2: float,
    correction: float,
    epsilon: float,
    eta: float,
    decay: float,
) -> None:
    """Update m and v as `adam` does, then grad <- eta m / (sqrt(v) correction + epsilon) + decay theta."""
    decay = theta.dtype.type(decay)
    for block, step in _adam_steps(theta, grad, m, v, scale, beta1, beta2, correction, epsilon, eta):
        grad[block] = step + theta[block] * decay


def _adam_steps(
    theta: Array,
    grad: Array,
    m: Array,
    v: Array,
    scale: float,
    beta1: float,
    beta2: float,
    correction: float,
    epsilon: float,
    eta: float,
) -> Iterator[tuple[slice, Array]]:
    """Update the moments block by block. Yield each block and eta m / (sqrt(v) correction + epsilon)."""
    constants = (scale, beta1, 1 - beta1, beta2, 1 - beta2, correction, epsilon, eta)
    scale, beta1, rest1, beta2, rest2, correction, epsilon, eta = map(theta.dtype.type, constants)
    for block in _blocks(theta):
        g = grad[block] * scale
        m[block] = m[block] * beta1 + g * rest1
        v[block] = v[block] * beta2 + g * g * rest2
        yield block, m[block] * eta / (np.sqrt(v[block]) * correction + epsilon)


def rmsprop(
    theta: Array, grad: Array, square: Array, scale: float, rho: float, rate: float, epsilon: float
) -> None:
    """With g = scale grad: square <- rho square + (1 - rho) g^2; theta <- theta - rate g / (sqrt(square) +
    epsilon)."""
    scale, rho, rest, rate, epsilon = map(theta.dtype.type, (scale, rho, 1 - rho, rate, epsilon))
    for block in _blocks(theta):
        g = grad[block] * scale
        square[block] = square[block] * rho + g * g * rest
        theta[block] -= g * rate / (np.sqrt(square[block]) + epsilon)


def approach(average: Array, values: Array, share: float) -> None:
    """average <- average + share (values - average)."""
    average += (values - average) * average.dtype.type(share)


def _blocks(theta: Array) -> list[slice]:
    return [slice(start, start + NUMBERS_A_BLOCK) for start in range(0, theta.size, NUMBERS_A_BLOCK)]
