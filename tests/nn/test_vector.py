import numpy as np
import pytest

from hpcgen.nn.buffers import MEAN, REPLACE, Buffer
from hpcgen.nn.vector import Layout, Vector


def test_parts_are_views_of_one_array():
    layout = Layout({"a/weight": (2, 3), "a/bias": (3,)}, {"mean": Buffer((3,))}, {"loss": ()})
    vector = Vector(layout)
    vector["a/bias"][...] = 5
    vector["loss"][...] = 7
    assert vector.data.tolist() == [0] * 6 + [5] * 3 + [0] * 3 + [7]
    assert (layout.parameters, layout.buffers, layout.statistics) == (
        slice(0, 9),
        slice(9, 12),
        slice(12, 13),
    )
    assert layout.names(layout.parameters) == ["a/weight", "a/bias"]
    assert list(vector) == ["a/weight", "a/bias", "mean", "loss"] and "mean" in vector


def test_sections_can_be_left_out_and_added():
    layout = Layout({"w": (4,)}, {"mean": Buffer((2,))}, {"loss": ()})
    assert layout.state().size == 6
    assert layout.with_statistics(stop=()).names(slice(6, 8)) == ["loss", "stop"]


def test_mistakes_are_refused():
    with pytest.raises(ValueError, match="named w"):
        Layout({"w": (1,)}, {"w": Buffer((1,))})
    with pytest.raises(ValueError, match="has 4 numbers"):
        Vector(Layout({"w": (4,)}), np.zeros(3, np.float32))


def test_ranges_of_buffers_tell_their_rule():
    buffers = {
        "mean": Buffer((2, 3)),
        "variance": Buffer((3,), MEAN),
        "u": Buffer((4,), REPLACE),
        "last": Buffer((1,)),
    }
    layout = Layout({"w": (5,)}, buffers, {"loss": ()})
    rules = [(slice(5, 14), MEAN), (slice(14, 18), REPLACE), (slice(18, 19), MEAN)]
    assert layout.buffer_rules() == rules
    assert layout.state().buffer_rules() == layout.with_statistics(stop=()).buffer_rules() == rules
    assert Layout({"w": (5,)}).buffer_rules() == []
