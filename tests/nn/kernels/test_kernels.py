"""Which kernels serve an array: the compiled ones, or NumPy's."""

import os
import subprocess
import sys

import numpy as np

from hpcgen.nn import kernels as package
from hpcgen.nn.kernels import kernels, plain


def test_loops_of_other_sources_are_declined(monkeypatch):
    monkeypatch.setattr("hpcgen.nn.kernels.sources.fingerprint", lambda: "other")
    monkeypatch.delitem(sys.modules, "hpcgen.nn.kernels.compiled", raising=False)
    monkeypatch.delattr(package, "compiled", raising=False)
    assert package._compiled() is None


def test_arrays_choose_their_kernels(compiled, monkeypatch):
    monkeypatch.setattr(package, "_modules", {})
    monkeypatch.delenv("HPCGEN_KERNELS", raising=False)

    class Other(np.ndarray):
        pass

    assert kernels(np.zeros(2)) is compiled and package.name() == compiled.NAME
    assert kernels(np.zeros(2).view(Other)) is plain and kernels("anything else") is plain


def test_numpy_serves_where_nothing_is_compiled(monkeypatch):
    monkeypatch.setattr(package, "_modules", {})
    monkeypatch.delenv("HPCGEN_KERNELS", raising=False)
    monkeypatch.delattr(package, "compiled", raising=False)
    monkeypatch.setitem(sys.modules, "hpcgen.nn.kernels.compiled", None)
    assert kernels(np.zeros(2)) is plain and package.name() == "numpy"


def test_compiled_kernels_can_be_declined():
    code = (
        "import sys, numpy; from hpcgen.nn.kernels import kernels, name, plain;"
        "assert kernels(numpy.zeros(2)) is plain and name() == 'numpy';"
        "assert not [module for module in sys.modules if module.endswith(('compiled', '_loops'))]"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "HPCGEN_KERNELS": "numpy"}, timeout=30
    )
    assert ended.returncode == 0


def test_kernels_get_their_order_in_memory():
    x = np.arange(6.0).reshape(2, 3)
    assert package.contiguous(x) is x
    turned = package.contiguous(x.T)
    assert turned.flags.c_contiguous and np.array_equal(turned, x.T)
