import numpy as np
import pytest

from hpcgen.errors import InputError
from hpcgen.nn.chain import Chain
from hpcgen.nn.check import numerical_gradient, relative_error
from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.layer import TRAIN, Train
from hpcgen.nn.layers.activations import ELU, Sigmoid, Softplus, Tanh
from hpcgen.nn.layers.convolution import Conv, ConvTranspose
from hpcgen.nn.layers.dense import Dense
from hpcgen.nn.layers.dropout import Dropout
from hpcgen.nn.layers.normalization import BatchNorm, LayerNorm
from hpcgen.nn.layers.recurrent import GRU
from hpcgen.nn.layers.shaping import Reshape, Upsample
from hpcgen.nn.layers.spectral import SpectralNorm
from hpcgen.nn.penalty import gradient_penalty, require_second_derivatives
from hpcgen.nn.vector import Vector

HALVED = Geometry((4, 4), (2, 2), (1, 1))
# From samples of (4, 4, 2) to three numbers.
CHAINS = {
    "dense": [Reshape((32,)), Dense("a", 32, 5), Tanh(), Dense("b", 5, 4), Softplus(), Dense("c", 4, 3)],
    "rectified": [
        Reshape((32,)),
        Dense("a", 32, 5, slope=0.2),
        Dense("b", 5, 4, slope=0.0),
        Dense("c", 4, 3),
    ],
    "conv": [
        Conv("a", HALVED, 2, 3),
        ELU(),
        Conv("b", HALVED, 3, 4),
        Tanh(),
        Reshape((4,)),
        Dense("c", 4, 3),
    ],
    "transposed": [
        ConvTranspose("a", HALVED, 2, 1, (0, 0)),
        Sigmoid(),
        Reshape((64,)),
        Dense("c", 64, 3, bias=False),
    ],
    "norms": [
        Conv("a", HALVED, 2, 3),
        LayerNorm("n", (2, 2, 3)),
        Tanh(),
        Reshape((12,)),
        LayerNorm("m", (12,)),
        Dense("c", 12, 3),
    ],
    "dropout": [Upsample((2, 1)), Reshape((64,)), Dense("a", 64, 5), Tanh(), Dropout(0.4), Dense("c", 5, 3)],
    "curved to the end": [Reshape((32,)), Dense("a", 32, 3), Softplus(), LayerNorm("n", (3,)), Sigmoid()],
}
EACH = pytest.mark.parametrize("layers", CHAINS.values(), ids=CHAINS)


def penalised(chain, theta, x, dy, weight=10.0, train=TRAIN):
    """Return the penalty, the sum of norms and the Vector of derivatives."""
    grad = Vector(theta.layout, np.full_like(theta.data, np.nan))
    return *gradient_penalty(chain, theta, x, dy, weight, train, grad), grad


def one_hot(random, n, classes=3):
    return np.eye(classes)[random.integers(0, classes, n)]


@EACH
@pytest.mark.parametrize(
    "select", [one_hot, lambda random, n: np.ones((n, 3))], ids=["one of three", "their sum"]
)
def test_derivatives(random, filled, layers, select):
    chain = Chain(layers)
    theta, x = filled(chain, random), random.standard_normal((3, 4, 4, 2))
    dy = select(random, len(x))

    def train():
        return Train(random=np.random.default_rng(8))

    _, _, grad = penalised(chain, theta, x, dy, train=train())
    for name in chain.parameters():
        numerical = numerical_gradient(lambda: penalised(chain, theta, x, dy, train=train())[0], theta[name])
        assert relative_error(grad[name], numerical) < 1e-7, name


@EACH
def test_definition(random, filled, layers):
    """The norms are those of gradients by central differences."""
    chain = Chain(layers)
    theta, x = filled(chain, random), random.standard_normal((3, 4, 4, 2))
    dy = one_hot(random, len(x))
    penalty, norms, _ = penalised(chain, theta, x, dy, weight=3.0, train=None)
    g = numerical_gradient(lambda: np.vdot(chain.forward(theta, x, None)[0], dy), x)
    expected = np.sqrt((g * g).reshape(3, -1).sum(1))
    assert norms == pytest.approx(expected.sum(), rel=1e-7)
    assert penalty == pytest.approx(3 * ((expected - 1) ** 2).sum(), rel=1e-6)


def test_of_a_linear_function(random, filled):
    """D(x) = <w, x> + b: the gradient is w, the derivative 2 n (|w| - 1) w / |w|, and none in b."""
    layer = Dense("a", 5, 1)
    theta = filled(layer, random)
    w, dy = theta["a/weight"], np.ones((7, 1))
    penalty, norms, grad = penalised(Chain([layer]), theta, random.standard_normal((7, 5)), dy, weight=2.0)
    norm = np.linalg.norm(w)
    assert penalty == pytest.approx(2 * 7 * (norm - 1) ** 2) and norms == pytest.approx(7 * norm)
    assert grad["a/weight"] == pytest.approx(4 * 7 * (norm - 1) * w / norm) and grad["a/bias"] == 0
    assert dy.all()


def test_where_the_gradient_is_zero_the_derivative_is_too(random, filled):
    chain = Chain([Dense("a", 4, 3, slope=0.0), Dense("b", 3, 1)])
    theta = filled(chain, random)
    theta["a/bias"][...] = -1e3
    penalty, norms, grad = penalised(chain, theta, random.standard_normal((6, 4)), np.ones((6, 1)))
    assert penalty == 60 and norms == 0 and not grad.data.any()


def test_float32_and_repeated_runs(random, filled):
    chain = Chain([*CHAINS["conv"][:-1], Dense("c", 4, 1)])
    theta, x = filled(chain, random, np.float32), random.standard_normal((3, 4, 4, 2)).astype(np.float32)
    passes = [penalised(chain, theta, x, np.ones((3, 1), np.float32)) for _ in range(2)]
    assert passes[0][:2] == passes[1][:2] and passes[0][2].data.tobytes() == passes[1][2].data.tobytes()
    exact = penalised(
        chain, Vector(theta.layout, theta.data.astype(np.float64)), x.astype(np.float64), np.ones((3, 1))
    )
    assert passes[0][0] == pytest.approx(exact[0], rel=1e-5)
    assert np.abs(passes[0][2].data - exact[2].data).max() < 1e-5 * np.abs(exact[2].data).max()


def test_no_samples(filled, random):
    chain = Chain([Dense("a", 4, 3, slope=0.0), Dense("b", 3, 1)])
    penalty, norms, grad = penalised(chain, filled(chain, random), np.zeros((0, 4)), np.ones((0, 1)))
    assert penalty == norms == 0 and not grad.data.any()


def test_statistics_are_left_to_the_other_pass(random, filled):
    chain = Chain([SpectralNorm(Dense("a", 4, 3)), Tanh(), SpectralNorm(Dense("b", 3, 1))])
    theta = filled(chain, random)
    _, _, grad = penalised(chain, theta, random.standard_normal((6, 4)), np.ones((6, 1)))
    assert (
        np.isfinite(grad.data[grad.layout.parameters]).all()
        and np.isnan(grad.data[grad.layout.buffers]).all()
    )


def test_layers_without_second_derivatives_are_refused():
    require_second_derivatives(Chain(CHAINS["norms"]))
    with pytest.raises(InputError, match="^BatchNorm, GRU do not support second derivatives"):
        require_second_derivatives(Chain([GRU("a", 3, 3), BatchNorm("b", 3), Tanh()]))
