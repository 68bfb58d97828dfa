"""The names of the package, each loaded when it is first used."""

import subprocess
import sys
from importlib import import_module

import pytest

import hpcgen


@pytest.mark.parametrize("name", [name for name in hpcgen.__all__ if name != "__version__"])
def test_every_name_is_that_of_its_home(name):
    found, home = getattr(hpcgen, name), import_module(hpcgen._HOMES[name])
    assert found is getattr(home, name) and found.__module__ == home.__name__
    assert name in dir(hpcgen)


def test_other_names_are_not_there():
    with pytest.raises(AttributeError, match="module 'hpcgen' has no attribute 'lode'"):
        hpcgen.lode


def test_importing_hpcgen_loads_nothing_heavy():
    code = "import sys, hpcgen; sys.exit(bool({'numpy', 'h5py', 'mpi4py'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], timeout=30).returncode == 0
