"""Random numbers as functions of (seed, purpose, index, lane). No generator state is stored.

NumPy's Philox (Salmon et al. 2011, doi:10.1145/2063384.2063405) is counter-based. The key consists of the
seed and the purpose. The upper three quarters of the counter select the index (a step, an epoch, a block),
the lane, and a part. Each such stream has 2^66 numbers.
"""

from enum import IntEnum
from math import pi, prod

import numpy as np

from hpcgen.arrays import Array, from_host


class Purpose(IntEnum):
    """The use of a stream. Random numbers depend on these values: never reuse or change one."""

    PREPARE = 1
    INITIALIZE = 2
    SHUFFLE = 3
    NOISE = 4
    SAMPLE = 5
    DROPOUT = 6
    THETA = 10
    LINEAR = 11
    FIELDS = 12
    EVALUATE = 20


def stream(seed: int, purpose: Purpose, index: int = 0, lane: int = 0, part: int = 0) -> np.random.Generator:
    """Return a `numpy.random.Generator` at the start of the stream of (seed, purpose, index, lane, part)."""
    return np.random.Generator(np.random.Philox(key=[seed, int(purpose)], counter=[0, part, lane, index]))


def normal(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return float32 numbers of the standard normal distribution, by the method of Box and Muller (1958).

    The method vectorises. It uses uniform numbers of 24 bits, which bound the results by sqrt(48 log 2) =
    5.77.
    """
    count = prod(shape)
    radius, angle = generator.random((2, -(-count // 2)), dtype=np.float32)
    np.subtract(1, radius, out=radius)
    np.log(radius, out=radius)
    radius *= np.float32(-2)
    np.sqrt(radius, out=radius)
    angle *= np.float32(2 * pi)
    made = np.empty((2, radius.size), np.float32)
    np.cos(angle, out=made[0])
    np.sin(angle, out=made[1])
    made *= radius
    return from_host(made.reshape(-1)[:count].reshape(shape))
