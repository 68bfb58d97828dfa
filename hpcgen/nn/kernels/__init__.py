"""Kernels: loops that pass over memory once. The same operations in NumPy's API pass several times.

Each kernel exists twice, with the same bits. `plain` uses NumPy's API. It defines the kernel and works for
every array type. `compiled` calls loops in C (loops.h), if build.py has compiled them. `kernels(x)` returns
the module for arrays of x's type.
"""

import os
from types import ModuleType

import numpy as np

from hpcgen.arrays import Array
from hpcgen.nn.kernels import plain

_modules: dict[type, ModuleType] = {}


def kernels(x: object) -> ModuleType:
    """Return the module of kernels for arrays of x's type."""
    if not _modules:
        _modules[np.ndarray] = _compiled() or plain
    return _modules.get(type(x), plain)


def contiguous(x: Array) -> Array:
    """Return x, or a copy in C order if x is in another order. Kernels need C order."""
    return x if x.flags.c_contiguous else x.copy()


def name() -> str:
    """Return the implementation of the kernels for NumPy's arrays: "C (COMPILER)" or "numpy"."""
    return kernels(np.empty(0)).NAME


def _compiled() -> ModuleType | None:
    """Return the compiled kernels, or None if they are not available or not wanted.

    They are not available if they were not built, or were built from other sources. They are not wanted if
    HPCGEN_KERNELS=numpy.
    """
    if os.environ.get("HPCGEN_KERNELS") == "numpy":
        return None
    try:
        from hpcgen.nn.kernels import compiled
    except ImportError:
        return None
    return compiled
