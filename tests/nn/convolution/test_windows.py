"""The three maps of the direct form: P against its definition, and each adjoint against the dot test."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.convolution.windows import Windows

# Windows that are x itself: one place each, or all places.
WHOLE = [(Geometry((1, 1), (1, 1), (0, 0)), (3, 4)), (Geometry((3, 4), (2, 1), (0, 0)), (3, 4))]


@pytest.fixture(params=[*WHOLE, None], ids=["one place", "all places", "any"])
def whole(request):
    """A geometry and sizes, or None for drawn ones."""
    return request.param


@given(data=st.data(), random=...)
def test_each_row_is_a_window(windows, whole, data, random: np.random.Generator):
    geometry, sizes = whole or data.draw(windows(size=5))
    form, x = Windows(geometry, 2, 3), random.standard_normal((2, *sizes, 2))
    padded = np.pad(x, [(0, 0), *((p, p) for p in geometry.padding), (0, 0)])
    positions = geometry.positions(sizes)
    (rows,) = form.data(x)
    assert rows.shape == (2 * form.rows(positions), form.inner)
    for row, (n, *at) in zip(rows, np.ndindex(2, *positions)):
        places = [slice(i * s, i * s + k) for i, s, k in zip(at, geometry.stride, geometry.kernel)]
        assert np.array_equal(row, padded[(n, *places)].reshape(-1))


@given(data=st.data(), random=...)
def test_adjoints(windows, whole, data, random: np.random.Generator):
    """<A x, v> = <x, A* v>, whatever lies in the memory that A* v is written to."""
    geometry, sizes = whole or data.draw(windows(size=5))
    form, positions = Windows(geometry, 2, 3), geometry.positions(sizes)
    shapes = {"data": (2, *sizes, 2), "output": (2, *positions, 3), "weight": (*geometry.kernel, 2, 3)}
    for name, shape in shapes.items():
        x, back = random.standard_normal(shape), np.full(shape, np.nan)
        forth = getattr(form, name)(x)
        v = random.standard_normal(forth.shape)
        getattr(form, f"{name}_adjoint")(v.copy(), back)
        assert np.vdot(forth, v) == pytest.approx(np.vdot(x, back), rel=1e-12, abs=1e-12), name


def test_windows_that_are_x_itself_are_not_copied(random):
    for geometry, sizes in WHOLE:
        x = random.standard_normal((2, *sizes, 2))
        assert np.shares_memory(Windows(geometry, 2, 3).data(x), x)
    x = random.standard_normal((2, 5, 5, 2))
    assert not np.shares_memory(Windows(Geometry((2, 2), (1, 1), (0, 0)), 2, 3).data(x), x)
