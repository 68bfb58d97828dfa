"""Streams are functions of their keys, and normal numbers have a normal distribution."""

import numpy as np
import pytest

from hpcgen.streams import Purpose, normal, stream


def test_a_stream_is_a_function_of_its_keys():
    keys = [(0, Purpose.NOISE, 0, 0, 0), (1, Purpose.NOISE, 0, 0, 0), (0, Purpose.SAMPLE, 0, 0, 0)]
    keys += [(0, Purpose.NOISE, 1, 0, 0), (0, Purpose.NOISE, 0, 1, 0), (0, Purpose.NOISE, 0, 0, 1)]
    first = [stream(*key).integers(1 << 62) for key in keys]
    assert first == [stream(*key).integers(1 << 62) for key in keys] and len(set(first)) == len(keys)


def test_the_numbers_of_purposes_stay():
    """They are part of what a seed means."""
    known = {"PREPARE": 1, "INITIALIZE": 2, "SHUFFLE": 3, "NOISE": 4, "SAMPLE": 5, "DROPOUT": 6}
    assert {purpose.name: int(purpose) for purpose in Purpose} == known | {
        "THETA": 10,
        "LINEAR": 11,
        "FIELDS": 12,
        "EVALUATE": 20,
    }


@pytest.mark.parametrize("shape", [(0,), (1,), (3, 5), (2, 3, 4)])
def test_normal_numbers_have_a_shape(shape):
    made = normal(stream(0, Purpose.NOISE), shape)
    assert made.shape == shape and made.dtype == np.float32


def test_normal_numbers_are_normal():
    made = normal(stream(3, Purpose.NOISE), (200_000,)).astype(float)
    assert abs(made.mean()) < 0.01 and abs(made.std() - 1) < 0.01
    assert abs((made**4).mean() - 3) < 0.1 and abs(made).max() < 5.78
