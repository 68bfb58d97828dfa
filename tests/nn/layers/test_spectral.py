import numpy as np
import pytest

from hpcgen.nn.buffers import REPLACE, Buffer, follow
from hpcgen.nn.check import (
    check_layer,
    check_tangent,
    numerical_gradient,
    relative_error,
)
from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.layer import TRAIN, Train
from hpcgen.nn.layers.convolution import Conv, ConvTranspose
from hpcgen.nn.layers.dense import Dense
from hpcgen.nn.layers.spectral import SpectralNorm
from hpcgen.nn.vector import Layout, Vector

SIDES = Geometry((3, 2), (2, 1), (1, 0))
# The layer, the shape of x, and its weight as the matrix (outputs, rest).
CASES = {
    "Dense": (Dense("layer", 6, 4), (5, 6), lambda w: w.T),
    "Dense, rectified": (Dense("layer", 6, 4, bias=False, slope=0.2), (5, 6), lambda w: w.T),
    "Dense to one": (Dense("layer", 6, 1), (5, 6), lambda w: w.T),
    "Conv": (Conv("layer", SIDES, 2, 3, slope=0.2), (4, 5, 4, 2), lambda w: w.reshape(-1, 3).T),
    "ConvTranspose": (
        ConvTranspose("layer", SIDES, 2, 3, (0, 0)),
        (4, 3, 4, 2),
        lambda w: np.array([w[:, :, o].reshape(-1) for o in range(3)]),
    ),
}
EACH = pytest.mark.parametrize("layer, shape, matrix", CASES.values(), ids=CASES)
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture
def start(random, filled):
    def make(layer, shape, dtype=np.float64):
        """Return the normalised layer, a theta whose running u is any vector, and x."""
        layer = SpectralNorm(layer)
        return layer, filled(layer, random, dtype), random.standard_normal(shape).astype(dtype)

    return make


def unit(a):
    return a / np.linalg.norm(a)


def iterated(matrix, theta):
    """Return u and v of algorithm 1, from the running u."""
    v = unit(matrix.T @ unit(theta["layer/weight_u"]))
    return unit(matrix @ v), v


def plain(layer, theta, sigma):
    """Return the wrapped layer's theta with W / sigma."""
    parameters = Vector(Layout(layer.parameters()), theta.data[theta.layout.parameters].copy())
    parameters["layer/weight"][...] /= sigma
    return parameters


def step(layer, theta, x, dy, train=TRAIN):
    """Return the Vector that a lane hands on."""
    grad = Vector(theta.layout, np.full_like(theta.data, np.nan))
    layer.forward(theta, x, train)[1](dy.copy(), grad)
    return grad


def advance(layer, theta, grad, count):
    """Let the running vector follow the statistics of `count` samples, as a step does."""
    for name, buffer in layer.buffers().items():
        follow(buffer.follows, theta[name], grad[name] / count)


def converged(layer, theta, matrix):
    """Put the left singular vector of the largest singular value into theta."""
    theta["layer/weight_u"][...] = np.linalg.svd(matrix(theta["layer/weight"]))[0][:, 0]


@EACH
@pytest.mark.parametrize("train", [TRAIN, None], ids=["training", "inference"])
def test_definition(start, layer, shape, matrix, train):
    normalized, theta, x = start(layer, shape)
    w = matrix(theta["layer/weight"])
    u, v = iterated(w, theta)
    sigma = u @ w @ v if train else unit(theta["layer/weight_u"]) @ w @ v
    y, _ = normalized.forward(theta, x, train)
    assert y == pytest.approx(layer.forward(plain(layer, theta, sigma), x)[0], rel=1e-12)


@EACH
def test_the_running_vector_is_iterated(start, layer, shape, matrix):
    """After a step the buffer holds u, however many parts the batch has."""
    normalized, theta, x = start(layer, (4, *shape[1:]))
    w, dy = matrix(theta["layer/weight"]), np.ones_like(normalized.forward(theta, x)[0])
    for parts in (1, 2, 1):
        u, _ = iterated(w, theta)
        advance(normalized, theta, step(normalized, theta, x, dy, Train(parts)), len(x) / parts)
        assert theta["layer/weight_u"] == pytest.approx(u, rel=1e-12)


@EACH
@DTYPES
def test_sigma_becomes_the_largest_singular_value(start, layer, shape, matrix, dtype):
    normalized, theta, x = start(layer, shape, dtype)
    dy = np.ones_like(normalized.forward(theta, x)[0])
    for _ in range(200):
        advance(normalized, theta, step(normalized, theta, x, dy), len(x))
    largest = np.linalg.svd(matrix(theta["layer/weight"]), compute_uv=False)[0]
    tolerance = 1e-5 if dtype == np.float32 else 1e-10
    for train in (TRAIN, None):
        expected = layer.forward(plain(layer, theta, largest), x)[0]
        assert (
            np.abs(normalized.forward(theta, x, train)[0] - expected).max()
            < tolerance * np.abs(expected).max()
        )


@EACH
def test_it_starts_near_the_largest_singular_value(random, start, layer, shape, matrix):
    normalized, theta, _ = start(layer, shape)
    normalized.initialize(theta, random)
    w, u = matrix(theta["layer/weight"]), theta["layer/weight_u"]
    largest = np.linalg.svd(w, compute_uv=False)[0]
    assert np.linalg.norm(u) == pytest.approx(1) and np.linalg.norm(u @ w) == pytest.approx(largest, rel=1e-2)


@EACH
def test_derivatives_hold_the_vectors_constant(random, start, layer, shape, matrix):
    normalized, theta, x = start(layer, shape)
    u, v = iterated(matrix(theta["layer/weight"]), theta)
    y, _ = normalized.forward(theta, x)
    dy = random.standard_normal(y.shape)

    def value():
        return np.vdot(layer.forward(plain(layer, theta, u @ matrix(theta["layer/weight"]) @ v), x)[0], dy)

    grad = step(normalized, theta, x, dy)
    for name in layer.parameters():
        assert relative_error(grad[name], numerical_gradient(value, theta[name])) < 1e-8


@EACH
@pytest.mark.parametrize("check", [check_layer, check_tangent])
def test_derivatives(random, start, layer, shape, matrix, check):
    """They are exact where v is the best for u: in inference for every u, in training for the singular
    vector."""
    normalized, theta, x = start(layer, shape)
    assert max(check(normalized, theta, x, random, train=None).values()) < 1e-7
    converged(layer, theta, matrix)
    assert max(check(normalized, theta, x, random).values()) < 1e-7


@EACH
@DTYPES
def test_repeated_runs_give_the_same_bits(random, start, layer, shape, matrix, dtype):
    normalized, theta, x = start(layer, shape, dtype)
    dy = random.standard_normal(normalized.forward(theta, x)[0].shape).astype(dtype)
    assert step(normalized, theta, x, dy).data.tobytes() == step(normalized, theta, x, dy).data.tobytes()


@EACH
def test_it_is_the_layer_but_for_the_running_vector(start, layer, shape, matrix):
    normalized, theta, _ = start(layer, shape)
    assert normalized.parameters() == layer.parameters() and normalized.draws == layer.draws
    assert normalized.buffers() == {"layer/weight_u": Buffer((len(matrix(theta["layer/weight"])),), REPLACE)}
