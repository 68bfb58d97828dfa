"""The windows of convolutions: copied by their definition, and added back by its adjoint."""

import numpy as np
import pytest
from drawn import Drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcgen.nn.kernels import plain


@given(data=st.data(), random=...)
def test_unfold_is_its_definition(windows, data, random: np.random.Generator):
    geometry, sizes = data.draw(windows(kernel=3, size=5))
    spatial, stride, padding = len(sizes), geometry.stride, geometry.padding
    x = random.standard_normal((2, *sizes, 2))
    out = np.full((2, *geometry.positions(sizes), *geometry.kernel, 2), np.nan)
    plain.unfold(x, out, stride, padding)
    for n, *place in np.ndindex(out.shape[:-1]):
        at = [i * s + k - p for i, k, s, p in zip(place[:spatial], place[spatial:], stride, padding)]
        inside = all(0 <= a < size for a, size in zip(at, sizes))
        assert out[(n, *place)].tolist() == (x[(n, *at)].tolist() if inside else [0, 0])


@settings(max_examples=60)
@given(data=st.data(), random=...)
def test_fold_is_the_adjoint(windows, data, random: np.random.Generator):
    """<A x, v> = <x, A* v>."""
    x, v, *geometry = Drawn(data.draw, random, windows, np.float64).unfold()
    forth, back = np.full_like(v, np.nan), np.full_like(x, np.nan)
    plain.unfold(x, forth, *geometry)
    plain.fold(v, back, *geometry)
    assert np.vdot(forth, v) == pytest.approx(np.vdot(x, back), rel=1e-12, abs=1e-10)
