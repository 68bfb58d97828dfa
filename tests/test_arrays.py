"""Arrays come from one place, with the type that is asked for."""

import numpy as np
import pytest

from hpcgen import arrays

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@DTYPES
@pytest.mark.parametrize("shape", [(3, 4), (0,), 5])
def test_new_arrays(shape, dtype):
    zeros, empty = arrays.zeros(shape, dtype), arrays.empty(shape, dtype)
    assert zeros.shape == empty.shape == np.empty(shape).shape and zeros.dtype == empty.dtype == dtype
    assert not zeros.any()


def test_the_type_is_float32_unless_another_is_asked_for(random):
    made = [
        arrays.zeros(3),
        arrays.empty(3),
        arrays.uniform(random, (3,)),
        arrays.standard_normal(random, (3,)),
    ]
    assert {array.dtype for array in made} == {np.dtype(np.float32)}


@DTYPES
@pytest.mark.parametrize("draw, method", [("uniform", "random"), ("standard_normal", "standard_normal")])
def test_random_numbers_are_those_of_their_stream(draw, method, dtype):
    """Their bits are part of what a seed means."""
    found = getattr(arrays, draw)(np.random.default_rng(3), (4, 5), dtype)
    expected = getattr(np.random.default_rng(3), method)((4, 5), dtype=dtype)
    assert found.dtype == dtype and found.tobytes() == expected.tobytes()


def test_the_host_and_the_device_are_one():
    x = np.arange(3.0)
    assert arrays.to_host(arrays.from_host(x)) is x
