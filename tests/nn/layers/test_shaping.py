import numpy as np
import pytest

from hpcgen.nn.check import check_layer, check_tangent
from hpcgen.nn.layers.shaping import Reshape, Upsample
from hpcgen.nn.vector import Layout, Vector

NOTHING = Vector(Layout(), dtype=np.float64)
UPSAMPLES = pytest.mark.parametrize(
    "sizes, factor",
    [
        ((4,), (3,)),
        ((1,), (2,)),
        ((3,), (1,)),
        ((2, 3), (2, 2)),
        ((3, 2), (1, 4)),
        ((2, 1, 3), (2, 3, 1)),
        ((2, 2, 2), (2, 2, 2)),
    ],
    ids=str,
)


@UPSAMPLES
def test_upsampling_repeats_places(random, sizes, factor):
    x = random.standard_normal((2, *sizes, 3))
    y, _ = Upsample(factor).forward(NOTHING, x)
    assert y.shape == (2, *(size * f for size, f in zip(sizes, factor)), 3)
    for n, *place in np.ndindex(y.shape[:-1]):
        assert np.array_equal(y[(n, *place)], x[(n, *(i // f for i, f in zip(place, factor)))])


@UPSAMPLES
def test_derivatives_of_upsampling(random, sizes, factor):
    assert check_layer(Upsample(factor), NOTHING, random.standard_normal((2, *sizes, 3)), random)["x"] < 1e-8


@pytest.mark.parametrize(
    "shape, new", [((4, 6), (2, 3)), ((2, 2, 3, 2), (12,)), ((3, 4), (4, 1, 1)), ((2, 5, 2), (5, 2))]
)
def test_reshaping_keeps_the_order(random, shape, new):
    x = random.standard_normal(shape)
    y, backward = Reshape(new).forward(NOTHING, x)
    assert y.shape == (shape[0], *new)
    assert all(np.array_equal(a.reshape(-1), b.reshape(-1)) for a, b in zip(x, y))
    assert np.array_equal(backward(y), x)


def test_flattening_and_back(random):
    x = random.standard_normal((3, 4, 5, 2))
    flat, _ = Reshape((40,)).forward(NOTHING, x)
    assert flat[1, (2 * 5 + 3) * 2 + 1] == x[1, 2, 3, 1]
    assert np.array_equal(Reshape((4, 5, 2)).forward(NOTHING, flat)[0], x)


def test_another_size_is_refused():
    with pytest.raises(ValueError, match="reshape"):
        Reshape((7,)).forward(NOTHING, np.zeros((2, 6)))


@pytest.mark.parametrize(
    "layer, shape",
    [(Reshape((6,)), (2, 3, 2)), (Upsample((2,)), (2, 3, 2)), (Upsample((1, 3)), (2, 3, 2, 1))],
)
def test_tangents(random, layer, shape):
    assert max(check_tangent(layer, NOTHING, random.standard_normal(shape), random).values()) < 1e-8
