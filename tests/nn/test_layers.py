import numpy as np
import pytest

from hpcgen.nn.activations import ELU, LeakyReLU, Linear, Sigmoid, Softplus, Tanh
from hpcgen.nn.chain import Chain
from hpcgen.nn.check import check_layer, numerical_gradient
from hpcgen.nn.dense import Dense
from hpcgen.nn.vector import Layout, Vector


ACTIVATIONS = [LeakyReLU(0.0), LeakyReLU(), Tanh(), Sigmoid(), ELU(), Softplus(), Linear()]


def initialized(layer, random):
    theta = Vector(Layout(layer.parameters()), dtype=np.float64)
    layer.initialize(theta, random)
    return theta


@pytest.mark.parametrize("n, inputs, outputs", [(1, 1, 1), (5, 3, 4), (2, 7, 1)])
def test_dense_derivatives(random, n, inputs, outputs):
    layer = Dense("dense", inputs, outputs)
    errors = check_layer(layer, initialized(layer, random), random.standard_normal((n, inputs)), random)
    assert set(errors) == {"x", "dense/weight", "dense/bias"}
    assert max(errors.values()) < 1e-8


def test_dense_is_its_definition(random):
    layer = Dense("dense", 3, 2)
    theta, x = initialized(layer, random), random.standard_normal((4, 3))
    y, _ = layer.forward(theta, x)
    for i in range(4):
        for j in range(2):
            expected = theta["dense/bias"][j] + sum(x[i, k] * theta["dense/weight"][k, j] for k in range(3))
            assert y[i, j] == pytest.approx(expected)


@pytest.mark.parametrize("layer", ACTIVATIONS, ids=lambda layer: type(layer).__name__)
def test_activation_derivatives(random, layer):
    x = random.standard_normal((6, 5))
    x[np.abs(x) < 1e-3] = 0.5  # no kink within a difference's step
    assert check_layer(layer, Vector(Layout(), dtype=np.float64), x, random)["x"] < 1e-8


@pytest.mark.parametrize("layer", ACTIVATIONS, ids=lambda layer: type(layer).__name__)
def test_activations_are_finite_far_out(layer):
    y, backward = layer.forward(None, np.array([-1e4, -80, 0, 80, 1e4], np.float32))
    assert np.isfinite(y).all() and np.isfinite(backward(np.ones(5, np.float32))).all()
    assert y.dtype == np.float32


def test_chain_derivatives(random):
    chain = Chain([Dense("a", 3, 5), Tanh(), Dense("b", 5, 2), Sigmoid()])
    errors = check_layer(chain, initialized(chain, random), random.standard_normal((4, 3)), random)
    assert max(errors.values()) < 1e-8


def test_chain_skips_what_is_not_needed(random):
    chain = Chain([Dense("a", 3, 5), LeakyReLU(0.0), Dense("b", 5, 2)])
    theta, x = initialized(chain, random), random.standard_normal((4, 3))
    _, backward = chain.forward(theta, x)
    grad = Vector(theta.layout, dtype=np.float64)
    assert backward(np.ones((4, 2)), grad, need_dx=False) is None
    assert np.abs(grad["a/weight"]).sum() > 0
    _, backward = chain.forward(theta, x)
    assert backward(np.ones((4, 2))).shape == (4, 3)


def test_the_checker_finds_a_wrong_derivative(random):
    class Wrong(Dense):
        def forward(self, theta, x, train=True):
            y, backward = super().forward(theta, x)

            def doubled(dy, grad=None, need_dx=True):
                dx = backward(dy, grad)
                grad[self.weight][...] *= 2
                return dx

            return y, doubled

    layer = Wrong("dense", 3, 2)
    errors = check_layer(layer, initialized(layer, random), random.standard_normal((4, 3)), random)
    assert errors["dense/weight"] > 0.1 and errors["x"] < 1e-8


def test_the_checker_wants_float64():
    with pytest.raises(ValueError, match="float64"):
        numerical_gradient(lambda: 0, np.zeros(2, np.float32))
