"""The compiled kernels, without which these tests fail."""

from importlib import import_module

import pytest


@pytest.fixture(scope="module")
def compiled():
    try:
        return import_module("hpcgen.nn.kernels.compiled")
    except ImportError as error:
        pytest.fail(f"the kernels are not compiled ({error}): run python -m hpcgen.nn.kernels.build")
