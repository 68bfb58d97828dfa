"""The kernels in C against those in NumPy, bit for bit, and what the loops refuse."""

import inspect

import numpy as np
import pytest
from drawn import Drawn
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hpcgen.nn.kernels import plain

NAMES = [name for name in plain.__all__ if name != "NAME"]
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


def run(module, name, arguments, garbage):
    """Return the arrays that a kernel leaves and returns; `out` holds `garbage` before."""
    bound = inspect.signature(getattr(plain, name)).bind(*arguments).arguments
    bound = {key: value.copy() if isinstance(value, np.ndarray) else value for key, value in bound.items()}
    if "out" in bound:
        bound["out"][...] = garbage
    returned = getattr(module, name)(*bound.values())
    if not isinstance(returned, tuple):
        returned = (returned,)
    return [value for value in (*bound.values(), *returned) if isinstance(value, np.ndarray)]


def test_every_kernel_is_compiled_and_drawn(compiled):
    assert all(inspect.isfunction(getattr(plain, name)) for name in NAMES) and len(NAMES) == 22
    assert [name for name in NAMES if not hasattr(compiled, name)] == []
    assert [name for name in NAMES if not hasattr(Drawn, name)] == []


@DTYPES
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60)
@given(data=st.data(), random=...)
def test_compiled_kernels_give_the_same_bits(
    compiled, windows, name, dtype, data, random: np.random.Generator
):
    arguments = getattr(Drawn(data.draw, random, windows, dtype), name)()
    expected = run(plain, name, arguments, garbage=np.nan)
    actual = run(compiled, name, arguments, garbage=7)
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected):
        assert a.dtype == b.dtype == dtype and a.shape == b.shape
        assert a.tobytes() == b.tobytes(), f"largest difference {np.abs(a - b).max()}"


class Recorded:
    """Stands for `_loops`: calls it and keeps what it was called with."""

    def __init__(self, loops):
        self.loops, self.calls = loops, []

    def __getattr__(self, name):
        def call(*arguments):
            self.calls.append((getattr(self.loops, name), arguments))
            return getattr(self.loops, name)(*arguments)

        return call


@DTYPES
@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), random=...)
def test_loops_refuse_arrays_that_they_would_misread(
    compiled, windows, name, dtype, data, random: np.random.Generator
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "_loops", Recorded(compiled._loops))
        getattr(compiled, name)(*getattr(Drawn(data.draw, random, windows, dtype), name)())
        calls = compiled._loops.calls
    assume(calls)  # some shapes are left to plain
    ((loop, arguments),) = calls
    for i, argument in enumerate(arguments):
        if isinstance(argument, np.ndarray):
            other = np.float32 if dtype == np.float64 else np.float64
            bad = [np.zeros(argument.shape, other), np.zeros(argument.shape, np.int64)]
            if argument.size > 1:
                bad.append(np.zeros((*argument.shape, 2), dtype)[..., 0])
            for array in bad:
                with pytest.raises(TypeError, match="contiguous, all float32 or all float64"):
                    loop(*arguments[:i], array, *arguments[i + 1 :])


@pytest.mark.parametrize("dtype", [np.int32, np.float16, np.longdouble, np.complex64, np.bool_])
def test_loops_refuse_other_types(compiled, dtype):
    with pytest.raises(TypeError, match="all float32 or all float64"):
        compiled._loops.descend(np.ones(3, dtype), np.ones(3, dtype), 3, 0.1)


def test_loops_refuse_wrong_counts(compiled):
    x = np.ones(3, np.float32)
    for arguments in ((), (x, x, 3), (x, x, x, 0.1), (x, 3, 3, 0.1), (x, x, 3, 0.1, 0.1)):
        with pytest.raises(TypeError, match="arguments|arrays"):
            compiled._loops.descend(*arguments)
    with pytest.raises(ValueError, match="-3 is negative"):
        compiled._loops.descend(x, x, -3, 0.1)


def test_loops_refuse_another_order_of_bytes(compiled):
    for bad in (np.ones(3, ">f4"), np.frombuffer(b"x" * 13, np.uint8)[1:].view(np.float32)):
        with pytest.raises(TypeError, match="contiguous"):
            compiled._loops.descend(bad, bad, 3, 0.1)


def test_loops_take_numbers_of_numpy(compiled):
    theta = np.ones(3, np.float32)
    compiled._loops.descend(theta, np.ones(3, np.float32), np.int64(2), np.float64(0.5))
    assert theta.tolist() == [0.5, 0.5, 1]
