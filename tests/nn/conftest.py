"""What the tests of layers share: how hypothesis draws, and layers' numbers."""

import drawing
import pytest
from hypothesis import strategies as st

from hpcgen.nn.convolution.geometry import Geometry


@st.composite
def _windows(draw, spatial=None, kernel=5, size=9):
    """A Geometry of 1, 2 or 3 axes with kernels up to `kernel`, and sizes up to `size` into which it fits."""
    spatial = spatial or draw(st.integers(1, 3))
    axes = [
        [draw(st.integers(low, high)) for low, high in ((1, kernel), (1, 3), (0, 2))] for _ in range(spatial)
    ]
    return Geometry(*zip(*axes)), tuple(
        draw(st.integers(max(1, k - 2 * p), max(size, k))) for k, _, p in axes
    )


@pytest.fixture(scope="session")
def windows():
    return _windows


@pytest.fixture(scope="session")
def filled():
    """filled(layer, random, dtype): a Vector of a layer's parameters and buffers."""
    return drawing.filled
