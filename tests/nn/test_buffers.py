import numpy as np
import pytest

from hpcgen.nn.buffers import MEAN, MOMENTUM, REPLACE, follow

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@DTYPES
def test_a_running_mean_moves_by_a_share(random, dtype):
    running, mean = random.standard_normal((2, 1000)).astype(dtype)
    expected = (1 - MOMENTUM) * running.astype(np.float64) + MOMENTUM * mean
    follow(MEAN, running, mean)
    assert running.dtype == dtype
    assert running == pytest.approx(expected, rel=1e-5, abs=1e-6)


@DTYPES
def test_a_buffer_is_replaced_by_the_mean(random, dtype):
    running, mean = random.standard_normal((2, 1000)).astype(dtype)
    follow(REPLACE, running, mean)
    assert running.tobytes() == mean.tobytes()


@pytest.mark.parametrize("rule", [MEAN, REPLACE])
def test_parts_follow_with_the_bits_of_the_whole(random, rule):
    """Ranks that own a part of a buffer give the bits that one rank gives."""
    running, mean = random.standard_normal((2, 1000)).astype(np.float32)
    parts = running.copy()
    follow(rule, running, mean)
    for part in (slice(0, 1), slice(1, 516), slice(516, 516), slice(516, 1000)):
        follow(rule, parts[part], mean[part])
    assert parts.tobytes() == running.tobytes()
