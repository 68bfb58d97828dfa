"""Loops that pass over memory once where NumPy's API would pass several times.

Each kernel exists twice, with the same bits: in `plain`, NumPy's API, which defines it and serves every kind
of array; and in `compiled`, loops in C (loops.h), where they have been built (build.py). `kernels(x)` returns
the module for the arrays of x's kind. Sums over rows are taken over blocks of rows first; that, too, both do
in the same order.
"""

import os
from types import ModuleType

import numpy as np

from hpcgen.nn.kernels import plain

_modules: dict[type, ModuleType] = {}


def kernels(x):
    """Return the module of kernels for arrays of x's type."""
    if not _modules:
        _modules[np.ndarray] = _compiled() or plain
    return _modules.get(type(x), plain)


def contiguous(x):
    """Return x, or a copy whose numbers lie in order, as the kernels need them."""
    return x if x.flags.c_contiguous else x.copy()


def name():
    """Return what runs the kernels for NumPy's arrays: "C (COMPILER)" or "numpy"."""
    return kernels(np.empty(0)).NAME


def _compiled():
    """Return the compiled kernels, or None: not built, or of other sources, or declined by
    HPCGEN_KERNELS=numpy."""
    if os.environ.get("HPCGEN_KERNELS") == "numpy":
        return None
    try:
        from hpcgen.nn.kernels import compiled
    except ImportError:
        return None
    return compiled
