from itertools import product

import numpy as np
import pytest

from hpcgen.nn.chain import Chain
from hpcgen.nn.check import check_layer, check_tangent
from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.layer import Train
from hpcgen.nn.layers.activations import Identity, LeakyReLU, Sigmoid, Tanh
from hpcgen.nn.layers.convolution import Conv, ConvTranspose
from hpcgen.nn.layers.dense import Dense
from hpcgen.nn.layers.dropout import Dropout
from hpcgen.nn.layers.normalization import BatchNorm, LayerNorm
from hpcgen.nn.layers.recurrent import GRU, LSTM
from hpcgen.nn.layers.shaping import Reshape, Upsample

# Each maps (n, time, 3) to (n, another time, 3).
LAYERS = {
    "leaky": lambda name: LeakyReLU(),
    "tanh": lambda name: Tanh(),
    "conv": lambda name: Conv(name, Geometry((3,), (1,), (1,)), 3, 3, slope=0.2),
    "conv1": lambda name: Conv(name, Geometry((1,), (1,), (0,)), 3, 3, bias=False),
    "transposed": lambda name: ConvTranspose(name, Geometry((4,), (2,), (1,)), 3, 3, (0,), slope=0.0),
    "batch": lambda name: BatchNorm(name, 3),
    "batch-relu": lambda name: BatchNorm(name, 3, slope=0.0),
    "layer": lambda name: LayerNorm(name, (3,)),
    "gru": lambda name: GRU(name, 3, 3),
    "lstm": lambda name: LSTM(name, 3, 3),
    "upsample": lambda name: Upsample((2,)),
    "dropout": lambda name: Dropout(0.3),
    "reshape": lambda name: Reshape((-1, 3)),
}
# Those that have a tangent.
SMOOTH = [name for name in LAYERS if name not in ("batch", "batch-relu", "gru", "lstm")]


def test_derivatives(random, filled):
    chain = Chain([Dense("a", 3, 5), Tanh(), Dense("b", 5, 2), Sigmoid()])
    errors = check_layer(chain, filled(chain, random), random.standard_normal((4, 3)), random)
    assert set(errors) == {"x", "a/weight", "a/bias", "b/weight", "b/bias"}
    assert max(errors.values()) < 1e-8


@pytest.mark.parametrize("first, second", list(product(LAYERS, LAYERS)))
def test_any_layer_can_follow_any_other(random, filled, first, second):
    chain, train = Chain([LAYERS[first]("a"), LAYERS[second]("b")]), Train(random=np.random.default_rng(3))
    errors = check_layer(chain, filled(chain, random), random.standard_normal((2, 3, 3)), random, train)
    assert max(errors.values()) < 1e-6, errors


@pytest.mark.parametrize("first, second", list(product(SMOOTH, SMOOTH)))
def test_tangents_of_any_layer_after_any_other(random, filled, first, second):
    chain, train = Chain([LAYERS[first]("a"), LAYERS[second]("b")]), Train(random=np.random.default_rng(3))
    assert chain.without_tangent == []
    errors = check_tangent(chain, filled(chain, random), random.standard_normal((2, 3, 3)), random, train)
    assert set(errors) == {"ty", "x", *chain.parameters()}
    assert max(errors.values()) < 1e-6, errors


def test_what_is_not_needed_is_skipped(random, filled):
    asked = []

    class Spy(Tanh):
        def forward(self, theta, x, train=None):
            y, backward = super().forward(theta, x)

            def spied(dy, grad=None, need_dx=True):
                asked.append(need_dx)
                return backward(dy, grad, need_dx)

            return y, spied

    chain = Chain([Spy(), Dense("a", 3, 5), Spy(), Dense("b", 5, 2)])
    theta, x = filled(chain, random), random.standard_normal((4, 3))
    _, backward = chain.forward(theta, x)
    grad = filled(chain, random)
    grad.data[...] = 0
    assert backward(np.ones((4, 2)), grad, need_dx=False) is None
    assert asked == [True] and all(np.abs(grad[name]).sum() > 0 for name in grad)
    _, backward = chain.forward(theta, x)
    assert backward(np.ones((4, 2))).shape == (4, 3)


def test_a_chain_without_parameters_or_layers(random):
    x = random.standard_normal((2, 3))
    for layers in ([Tanh(), Sigmoid()], []):
        _, backward = Chain(layers).forward(None, x)
        assert backward(x, need_dx=False) is None
        _, backward = Chain(layers).forward(None, x)
        assert backward(x.copy()).shape == x.shape


def test_a_chain_is_its_layers(random, filled):
    layers = [Dense("a", 3, 4), BatchNorm("b", 4), Chain([Dense("c", 4, 2), Dropout(0.5)])]
    chain = Chain(layers)
    assert list(chain.parameters()) == ["a/weight", "a/bias", "b/gamma", "b/beta", "c/weight", "c/bias"]
    assert list(chain.buffers()) == ["b/mean", "b/variance"]
    assert chain.draws and not Chain(layers[:2]).draws
    theta, x = filled(chain, random), random.standard_normal((5, 3))
    expected = x
    for layer in layers:
        expected, _ = layer.forward(theta, expected, None)
    assert np.array_equal(chain.forward(theta, x, None)[0], expected)


def test_each_layer_initializes_its_own(random, filled):
    chain = Chain([Dense("a", 3, 4), BatchNorm("b", 4)])
    theta = filled(chain, random)
    chain.initialize(theta, random)
    assert theta["b/gamma"].tolist() == theta["b/variance"].tolist() == [1] * 4
    assert theta["b/beta"].tolist() == theta["b/mean"].tolist() == [0] * 4
    assert np.abs(theta["a/weight"]).max() <= 3**-0.5


def test_zero_stays_none_where_all_is_linear_in_pieces(random, filled):
    pieces = [
        Dense("a", 6, 6, slope=0.2),
        Dropout(0.0),
        Reshape((3, 2)),
        Upsample((2,)),
        LeakyReLU(0.0),
        Identity(),
    ]
    for last, stays in ((Conv("b", Geometry((3,), (1,), (1,)), 2, 2), True), (Tanh(), False)):
        chain = Chain([*pieces, last])
        theta, (x, t) = filled(chain, random), random.standard_normal((2, 4, 6))
        _, ty, backward = chain.tangent(theta, x, t)
        dx, dt = backward(None, ty.copy(), filled(chain, random))
        assert (dx is None) == stays and dt.shape == x.shape


def test_a_tangent_skips_what_is_not_needed(random, filled):
    chain = Chain([Tanh(), Dense("a", 3, 5), Tanh(), Dense("b", 5, 2)])
    theta, (x, t) = filled(chain, random), random.standard_normal((2, 4, 3))
    dy, dty = random.standard_normal((2, 4, 2))
    grad, other = filled(chain, random), filled(chain, random)
    assert len(chain.tangent(theta, x, t)[2](dy.copy(), dty.copy(), grad)) == 2
    assert chain.tangent(theta, x, t)[2](dy.copy(), dty.copy(), other, need_dx=False) == (None, None)
    assert np.array_equal(grad.data, other.data)


def test_a_chain_tells_the_kinds_without_a_tangent(random):
    recurrent = [GRU("a", 3, 3), Chain([LSTM("b", 3, 3), GRU("c", 3, 3)])]
    assert Chain([BatchNorm("d", 3), *recurrent, Tanh()]).without_tangent == ["BatchNorm", "GRU", "LSTM"]
    with pytest.raises(AssertionError, match="BatchNorm has no tangent"):
        Chain([BatchNorm("d", 3)]).tangent(None, *random.standard_normal((2, 4, 3)))
