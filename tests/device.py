"""A device for tests: arrays that only NumPy's API can reach, as those of a GPU library.

They meet no array in host memory: neither MPI, nor HDF5, nor a `numpy.random.Generator` can read them, and
NumPy refuses to mix both kinds. `hpcgen.arrays.to_host` and `from_host` alone lead from one to the other.
"""

import sys

import numpy as np

from hpcgen import arrays


class DeviceArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array on the device. `host` is where this stand-in for a device keeps its numbers."""

    def __init__(self, host):
        self.host = host

    def __array__(self, *args, **options):
        raise TypeError("an array on the device is taken for one in host memory")

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if any(hasattr(each, "cells") for each in inputs):
            return NotImplemented  # a Divided calls the function for each of its cells
        return _made(getattr(ufunc, method)(*_known(inputs), **_known(options)))

    def __array_function__(self, function, types, arguments, options):
        options.pop("like", None)
        return _made(function(*_known(arguments), **_known(options)))

    def __getattr__(self, name):
        value = getattr(self.host, name)
        if not callable(value):
            return _made(value)
        return lambda *arguments, **options: _made(value(*_known(arguments), **_known(options)))

    def __getitem__(self, key):
        return _made(self.host[_known(key)])

    def __setitem__(self, key, value):
        self.host[_known(key)] = _known(value)

    def __len__(self):
        return len(self.host)

    def __iter__(self):
        return map(_made, self.host)

    def __bool__(self):
        return bool(self.host)

    def __float__(self):
        return float(self.host)

    def tolist(self):
        raise TypeError("an array on the device is read by Python")


def _known(value):
    """Return what NumPy computes with, for what the code under test computes with."""
    if isinstance(value, DeviceArray):
        return value.host
    if isinstance(value, np.ndarray):
        raise TypeError(f"an array in host memory {value.shape} meets one on the device")
    if isinstance(value, (tuple, list)):
        return type(value)(map(_known, value))
    if isinstance(value, dict):
        return {name: _known(part) for name, part in value.items()}
    return value


def _made(value):
    """Return NumPy's arrays as arrays on the device. Numbers stay on the device too."""
    if isinstance(value, (np.ndarray, np.generic)):
        return DeviceArray(np.asarray(value))
    if isinstance(value, (tuple, list)) and any(isinstance(part, np.ndarray) for part in value):
        return type(value)(map(_made, value))
    return value


def zeros(shape, dtype=np.float32):
    return DeviceArray(np.zeros(shape, dtype))


def empty(shape, dtype=np.float32):
    return DeviceArray(np.full(shape, 77, dtype))


def from_host(array):
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{type(array)} is not in host memory")
    return DeviceArray(array.copy())


def to_host(array):
    if not isinstance(array, DeviceArray):
        raise TypeError(f"{type(array)} is not on the device")
    return array.host.copy()


def use(monkeypatch):
    """Let hpcgen make its arrays on the device."""
    for function in (zeros, empty, from_host, to_host):
        name, real = function.__name__, getattr(arrays, function.__name__)
        for module in list(sys.modules.values()):
            if getattr(module, "__name__", "").startswith("hpcgen") and getattr(module, name, None) is real:
                monkeypatch.setattr(module, name, function)
