"""The maps of Winograd's filters on every axis: their adjoints. tests/nn/convolution/test_winograd.py has the
convolutions."""

import numpy as np
import pytest
from drawn import Drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcgen.nn.kernels import plain


@pytest.mark.parametrize("name", ["data", "output", "weight"])
@settings(max_examples=60)
@given(data=st.data(), random=...)
def test_adjoints(windows, name, data, random: np.random.Generator):
    """<A x, v> = <x, A* v>."""
    x, v, *padding = getattr(Drawn(data.draw, random, windows, np.float64), f"winograd_{name}")()
    forth, back = np.full_like(v, np.nan), np.full_like(x, np.nan)
    getattr(plain, f"winograd_{name}")(x, forth, *padding)
    getattr(plain, f"winograd_{name}_adjoint")(v, back, *padding)
    assert np.vdot(forth, v) == pytest.approx(np.vdot(x, back), rel=1e-12, abs=1e-10)
