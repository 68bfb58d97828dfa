import numpy as np
import pytest

from hpcgen.nn.check import numerical_gradient, relative_error
from hpcgen.nn.layers.embedding import Embedding
from hpcgen.nn.vector import Vector

TOKENS = pytest.mark.parametrize(
    "x",
    [
        np.array([2]),
        np.array([0, 4, 2]),
        np.array([3, 1, 3, 3, 0]),
        np.array([[1, 1, 4], [0, 1, 4]]),
        np.zeros((2, 2, 3), int),
    ],
    ids=["one", "distinct", "repeated", "two axes", "all the same"],
)


@TOKENS
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_tokens_choose_rows(random, filled, x, dtype):
    layer = Embedding("embedding", 5, 3)
    theta = filled(layer, random)
    y, _ = layer.forward(theta, x.astype(dtype))
    assert y.shape == (*x.shape, 3)
    for place in np.ndindex(x.shape):
        assert np.array_equal(y[place], theta["embedding/weight"][x[place]])


@TOKENS
def test_derivatives(random, filled, x):
    layer = Embedding("embedding", 5, 3)
    theta, dy = filled(layer, random), random.standard_normal((*x.shape, 3))
    _, backward = layer.forward(theta, x)
    grad = Vector(theta.layout, dtype=np.float64)
    grad.data[...] = np.nan
    assert backward(dy.copy(), grad) is None
    expected = numerical_gradient(lambda: np.vdot(layer.forward(theta, x)[0], dy), theta["embedding/weight"])
    assert relative_error(grad["embedding/weight"], expected) < 1e-8


def test_y_is_no_view_of_the_weights(random, filled):
    layer = Embedding("embedding", 5, 3)
    theta = filled(layer, random)
    y, _ = layer.forward(theta, np.arange(5))
    assert not np.shares_memory(y, theta.data)


def test_a_token_that_is_not_there_is_refused(random, filled):
    layer = Embedding("embedding", 5, 3)
    with pytest.raises(IndexError, match="5"):
        layer.forward(filled(layer, random), np.array([0, 5]))


@pytest.mark.parametrize("features", [1, 3])
def test_rows_of_a_token_are_added_in_the_order_in_which_they_came(random, filled, features):
    layer = Embedding("embedding", 4, features)
    theta, x = filled(layer, random, np.float32), random.integers(0, 4, 300)
    dy = (random.standard_normal((300, features)) * 10 ** random.uniform(-4, 4, (300, 1))).astype(np.float32)
    grad = Vector(theta.layout)
    layer.forward(theta, x)[1](dy.copy(), grad)
    for token in range(4):
        assert np.array_equal(grad["embedding/weight"][token], np.add.reduceat(dy[x == token], [0])[0])
