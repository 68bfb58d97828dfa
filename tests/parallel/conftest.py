"""What the tests of parallel work share: teams, numbers, and how hypothesis draws."""

import drawing  # noqa: F401
import numpy as np
import pytest
from hypothesis import strategies as st
from teams import cut, teams  # noqa: F401


@pytest.fixture
def unlike(random):
    """unlike(shape, dtype): numbers whose sum depends on the order of additions."""

    def unlike(shape, dtype=np.float32):
        return (random.standard_normal(shape) * 10.0 ** random.integers(-4, 4, shape)).astype(dtype)

    return unlike


@st.composite
def _divided_places(draw, axes=None, most=9, cells=8):
    """Sizes of places on 1, 2 or 3 axes, up to `most`, and a grid of at most `cells` cells over them."""
    sizes = draw(st.lists(st.integers(1, most), min_size=axes or 1, max_size=axes or 3))
    grid = []
    for size in sizes[: draw(st.integers(1, len(sizes)))]:
        grid.append(draw(st.integers(1, min(size, 4, cells // int(np.prod(grid))))))
    return tuple(sizes), tuple(grid)


@pytest.fixture(scope="session")
def divided_places():
    return _divided_places
