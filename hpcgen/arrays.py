"""Where arrays come from: the one place that makes arrays which are not made from other arrays.

Arrays are NumPy's today. Another library's can pass through layers, losses and exchanges once these
functions make them: every other operation takes its result's kind from its arguments.
"""

from typing import TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray


def zeros(shape: tuple[int, ...] | int, dtype: np.typing.DTypeLike = np.float32) -> Array:
    """Return zeros on the run's device."""
    return np.zeros(shape, dtype)


def empty(shape: tuple[int, ...] | int, dtype: np.typing.DTypeLike = np.float32) -> Array:
    """Return an array on the run's device whose numbers are not set."""
    return np.empty(shape, dtype)


def from_host(array: np.ndarray) -> Array:
    """Return an array that was made in host memory, such as random numbers, on the run's device."""
    return array


def to_host(array: Array) -> np.ndarray:
    """Return an array in host memory, where MPI, HDF5 and Python can read it."""
    return array


def uniform(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return float32 numbers in [0, 1), drawn on the host so that their bits depend on the stream alone."""
    return from_host(random.random(shape, dtype=np.float32))
