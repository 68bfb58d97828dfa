"""Compare tangents and their adjoints with central differences. test_contract.py has the properties of every
layer."""

import numpy as np
import pytest

from hpcgen.nn.chain import Chain
from hpcgen.nn.check import check_tangent
from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.layer import TRAIN, Train
from hpcgen.nn.layers.activations import ELU, Identity, LeakyReLU, Sigmoid, Softplus, Tanh
from hpcgen.nn.layers.convolution import Conv, ConvTranspose
from hpcgen.nn.layers.dense import Dense
from hpcgen.nn.layers.dropout import Dropout
from hpcgen.nn.layers.normalization import BatchNorm, LayerNorm
from hpcgen.nn.layers.recurrent import GRU, LSTM
from hpcgen.nn.layers.shaping import Reshape, Upsample

SLOPES = pytest.mark.parametrize("slope", [1.0, 0.0, 0.2])
BIASES = pytest.mark.parametrize("bias", [True, False])


def worst(layer, theta, x, random, train=TRAIN):
    errors = check_tangent(layer, theta, x, random, train)
    assert set(errors) == {"ty", "x", *layer.parameters()}
    return max(errors.values())


@pytest.mark.parametrize(
    "layer", [LeakyReLU(), LeakyReLU(0.0), Tanh(), Sigmoid(), ELU(), Softplus(), Identity()], ids=repr
)
def test_activations(random, filled, layer):
    x = random.standard_normal((6, 5)) * 2
    x[np.abs(x) < 1e-3] = 0.5  # no kink within a difference's step
    assert worst(layer, filled(layer, random), x, random) < 1e-8


@SLOPES
@BIASES
@pytest.mark.parametrize("n, inputs, outputs", [(1, 1, 1), (5, 3, 4), (2, 7, 1)])
def test_dense(random, filled, n, inputs, outputs, bias, slope):
    layer = Dense("dense", inputs, outputs, bias, slope)
    assert worst(layer, filled(layer, random), random.standard_normal((n, inputs)), random) < 1e-8


@SLOPES
@BIASES
@pytest.mark.parametrize(
    "geometry, sizes",
    [
        (Geometry((3,), (2,), (1,)), (7,)),
        (Geometry((2, 3), (1, 2), (0, 1)), (3, 4)),
        (Geometry((4, 4), (2, 2), (1, 1)), (4, 5)),
        (Geometry((2, 1, 3), (2, 1, 1), (1, 0, 0)), (3, 2, 4)),
    ],
    ids=str,
)
def test_convolutions(random, filled, geometry, sizes, bias, slope):
    for layer in (
        Conv("layer", geometry, 2, 3, bias, slope),
        ConvTranspose("layer", geometry, 2, 3, (0,) * len(sizes), bias, slope),
    ):
        assert worst(layer, filled(layer, random), random.standard_normal((2, *sizes, 2)), random) < 1e-7


HALVED = Geometry((4, 4), (2, 2), (1, 1))


@pytest.mark.parametrize(
    "layer", [Conv("layer", HALVED, 16, 32), ConvTranspose("layer", HALVED, 32, 16, (0, 0))]
)
def test_winograds_forms(random, filled, layer):
    theta, (x, t) = (
        filled(layer, random),
        random.standard_normal((2, 2, 4, 4, 16 if isinstance(layer, Conv) else 32)),
    )
    assert len(layer.forms) > 1
    found = []
    for form in layer.forms:
        layer.forms = [form]
        y, ty, backward = layer.tangent(theta, x, t)
        dy, dty = np.random.default_rng(5).standard_normal((2, *y.shape))
        grad = filled(layer, random)
        found.append([y, ty, *backward(dy, dty, grad), grad["layer/weight"]])
    for ours in found[1:]:
        for a, b in zip(ours, found[0]):
            assert np.abs(a - b).max() <= 1e-12 * np.abs(b).max()


@pytest.mark.parametrize(
    "shape, axes", [((6, 3), 1), ((2, 5, 3), 1), ((2, 5, 3), 2), ((2, 3, 4, 2), 1), ((2, 3, 2, 2), 3)]
)
def test_layer_norm(random, filled, shape, axes):
    layer = LayerNorm("norm", shape[-axes:])
    assert worst(layer, filled(layer, random), random.standard_normal(shape) * 2 + 1, random) < 1e-7


@pytest.mark.parametrize(
    "layer, shape",
    [(Reshape((6,)), (2, 3, 2)), (Upsample((2,)), (2, 3, 2)), (Upsample((1, 3)), (2, 3, 2, 1))],
)
def test_shaping(random, filled, layer, shape):
    assert worst(layer, filled(layer, random), random.standard_normal(shape), random) < 1e-8


@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize(
    "train", [Train(random=np.random.default_rng(3)), None], ids=["training", "inference"]
)
def test_dropout(random, filled, rate, train):
    layer = Dropout(rate)
    assert worst(layer, filled(layer, random), random.standard_normal((6, 5)), random, train) < 1e-8


def test_the_tangent_is_dropped_where_x_is(random):
    x, t = random.standard_normal((2, 30, 20)) + 10
    y, ty, _ = Dropout(0.4).tangent(None, x, t, Train(random=random))
    assert ty == pytest.approx(t * y / x, rel=1e-12) and 0.3 < (ty == 0).mean() < 0.5


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


def test_a_chain_skips_what_is_not_needed(random, filled):
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
