"""Compare Winograd's filters with their definition, and check their adjoints by the dot test, in float64."""

import numpy as np
import pytest

from hpcgen.nn.kernels.plain.filters import FILTERS, POINT_A, POINT_B

TILES = pytest.mark.parametrize("tile", FILTERS)


@TILES
def test_a_filter_makes_its_outputs(tile, random):
    """y_i = x_i w_0 + x_(i+1) w_1, with t + 1 products."""
    x, w = random.standard_normal((tile + 1, 50)), random.standard_normal((2, 50))
    filters = FILTERS[tile]
    products = [a * b for a, b in zip(filters.data(x), filters.weight(w))]
    assert len(products) == tile + 1
    assert np.array(filters.output_adjoint(products)) == pytest.approx(
        x[:-1] * w[0] + x[1:] * w[1], abs=1e-12
    )


@TILES
@pytest.mark.parametrize("name, size", [("data", None), ("weight", 2), ("output", "tile")])
def test_adjoints(tile, name, size, random):
    """<A x, v> = <x, A* v>."""
    size = {None: tile + 1, 2: 2, "tile": tile}[size]
    x, v = random.standard_normal((size, 50)), random.standard_normal((tile + 1, 50))
    forth = np.array(getattr(FILTERS[tile], name)(x))
    back = np.array(getattr(FILTERS[tile], f"{name}_adjoint")(v))
    assert np.vdot(forth, v) == pytest.approx(np.vdot(x, back), rel=1e-12)


def test_squares_and_products_of_the_points_are_exact_in_float32():
    for value in (POINT_A, POINT_B):
        for power in (2, 3):
            assert np.float32(value) ** np.float32(power) == value**power
    assert float(np.float32(POINT_A**2 * POINT_B**2)) == POINT_A**2 * POINT_B**2
