"""Creation of arrays. Every array that is not computed from another array is created here.

Today the arrays are NumPy's. All other operations return arrays of the same library as their arguments. If
these functions create arrays of another library, those arrays can pass through layers, losses and exchanges.
MPI, HDF5 and sums in float64 on the host take what `to_host` returns. With NumPy it is the array itself.
"""

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray
Shape: TypeAlias = tuple[int, ...]


def shown(shape: Iterable[int]) -> str:
    """Return a shape as messages show it: 28 x 28 x 1."""
    return " x ".join(map(str, shape))


def zeros(shape: Shape | int, dtype: np.typing.DTypeLike = np.float32) -> Array:
    """Return zeros on the run's device."""
    return np.zeros(shape, dtype)


def empty(shape: Shape | int, dtype: np.typing.DTypeLike = np.float32) -> Array:
    """Return an uninitialised array on the run's device."""
    return np.empty(shape, dtype)


def from_host(array: np.ndarray) -> Array:
    """Return an array in host memory as an array on the run's device."""
    return array


def to_host(array: Array) -> np.ndarray:
    """Return an array on the run's device as an array in host memory, for MPI, HDF5 and Python."""
    return array


# Random numbers are drawn on the host. Their bits therefore depend only on the stream, not on the device.


def uniform(random: np.random.Generator, shape: Shape, dtype: Any = np.float32) -> Array:
    """Return numbers drawn uniformly from [0, 1), float32 or float64."""
    return from_host(random.random(shape, dtype=dtype))


def standard_normal(random: np.random.Generator, shape: Shape, dtype: Any = np.float32) -> Array:
    """Return numbers drawn from the standard normal distribution, float32 or float64."""
    return from_host(random.standard_normal(shape, dtype=dtype))
