"""Winograd's forms against the direct one, in float64."""

import numpy as np
import pytest

from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.convolution.windows import Windows
from hpcgen.nn.convolution.winograd import WEIGHT_BYTES, Winograd


def halving(spatial, padding=1):
    return Geometry((4,) * spatial, (2,) * spatial, (padding,) * spatial)


@pytest.mark.parametrize("tile", [2, 4])
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("sizes", [(7,), (4, 5), (9, 16), (5, 4, 6)], ids=str)
def test_a_form_convolves(random, tile, padding, sizes):
    """y = Q*(P x . R w), dx = P*(Q dy . (R w)^T) and dw = R*((P x)^T . Q dy) are those of `Windows`."""
    geometry = halving(len(sizes), padding)
    positions = geometry.positions(sizes)
    x, dy = random.standard_normal((2, *sizes, 3)), random.standard_normal((2, *positions, 5))
    w = random.standard_normal((*geometry.kernel, 3, 5))
    found = []
    for form in (Winograd(geometry, 3, 5, tile), Windows(geometry, 3, 5)):
        data, output, weight = form.data(x), form.output(dy), form.weight(w)
        assert data.shape == (form.products, 2 * form.rows(positions), form.inner)
        y, dx, dw = (np.full_like(like, np.nan) for like in (dy, x, w))
        form.output_adjoint(data @ weight, y)
        form.data_adjoint(output @ weight.swapaxes(1, 2), dx)
        form.weight_adjoint(data.swapaxes(1, 2) @ output, dw)
        found.append((y, dx, dw))
    for ours, expected in zip(*found):
        assert np.abs(ours - expected).max() < 1e-12 * np.abs(expected).max()


@pytest.mark.parametrize("spatial, tile, share", [(2, 2, 9 / 16), (2, 4, 25 / 64), (3, 2, 27 / 64)])
def test_a_form_multiplies_less(spatial, tile, share):
    geometry, positions = halving(spatial), (8,) * spatial
    forms = Winograd(geometry, 16, 32, tile), Windows(geometry, 16, 32)
    ours, direct = (form.products * form.rows(positions) * form.inner for form in forms)
    assert ours / direct == share


@pytest.mark.parametrize(
    "geometry, channels, outputs, tiles",
    [
        (halving(2), 64, 128, [2, 4]),
        (halving(2), 16, 32, [2, 4]),
        (halving(2), 15, 32, []),
        (halving(2), 16, 31, []),
        (halving(2), 512, 512, [2]),
        (halving(3), 8, 32, [2]),
        (halving(3), 7, 32, []),
        (halving(1), 64, 64, []),
        (Geometry((4, 4), (2, 2), (0, 1)), 64, 64, [2, 4]),
        (Geometry((4, 4), (2, 2), (2, 1)), 64, 64, []),
        (Geometry((4, 4), (1, 1), (1, 1)), 64, 64, []),
        (Geometry((3, 4), (2, 2), (1, 1)), 64, 64, []),
    ],
)
def test_shapes_for_which_a_form_may_be_the_fastest(geometry, channels, outputs, tiles):
    forms = Winograd.forms(geometry, channels, outputs)
    assert [form.tile for form in forms] == tiles
    for form in forms:
        assert form.tile == 2 or 4 * form.products * form.inner * outputs <= WEIGHT_BYTES
