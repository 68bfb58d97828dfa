"""A batch: what it refuses to draw, and what it keeps for itself."""

import pytest

from hpcgen.models.batch import Batch


def test_a_batch_without_a_stream_draws_nothing():
    with pytest.raises(AssertionError, match="no random stream"):
        Batch(3).random(0)


def test_each_batch_keeps_its_own():
    one, other = Batch(3), Batch(3)
    one.kept["samples"] = 1
    assert other.kept == {}
