"""Layers against PyTorch's, with the weights carried over as the layers' docstrings say."""

import numpy as np
import pytest

from hpcgen.nn.activations import ELU, LeakyReLU, Sigmoid, Softplus, Tanh
from hpcgen.nn.convolution import Conv, ConvTranspose
from hpcgen.nn.dense import Dense
from hpcgen.nn.embedding import Embedding
from hpcgen.nn.geometry import Geometry
from hpcgen.nn.layer import TRAIN
from hpcgen.nn.normalization import MOMENTUM, BatchNorm, LayerNorm
from hpcgen.nn.recurrent import GRU, LSTM
from hpcgen.nn.shaping import Upsample
from hpcgen.nn.vector import Vector
from hpcgen.nn.winograd import Winograd

REASON = "PyTorch is not installed here: run `PYTHON -m pytest tests/nn/test_torch.py` with an interpreter that has it"
torch = pytest.importorskip("torch", reason=REASON)
torch.set_num_threads(1)


def assert_close(actual, expected):
    expected = expected.detach().numpy()
    assert actual.shape == expected.shape and actual.dtype == expected.dtype == np.float32
    assert np.abs(actual - expected).max() <= 1e-5 * np.abs(expected).max()


def channels_first(x):
    return np.moveaxis(x, -1, 1)


def channels_last(x):
    return torch.movedim(x, 1, -1)


def transposed(w):
    return w.T


def same(a):
    return a


def compare(layer, theirs, x, filled, random, weights=(), there=same, back=same, train=TRAIN):
    """Compare y and every derivative.

    `weights`: for each of the layer's parameters the name of theirs, and what makes one's array of the other's: its own
    inverse. `there` and `back` take x to PyTorch's order of axes and y from it.
    """
    theta = filled(layer, random, np.float32)
    assert {ours for ours, _, _ in weights} == set(layer.parameters())
    parts = dict(theirs.named_parameters())
    assert {name for _, name, _ in weights} == set(parts)
    with torch.no_grad():
        for ours, name, turn in weights:
            parts[name].copy_(torch.from_numpy(np.ascontiguousarray(turn(theta[ours]))))
    if x.dtype == np.float32:
        x_there = torch.from_numpy(np.ascontiguousarray(there(x))).requires_grad_()
    else:
        x_there = torch.from_numpy(x)
    y_there = theirs(x_there)
    y_there = back(y_there[0] if isinstance(y_there, tuple) else y_there)
    y, backward = layer.forward(theta, x, train)
    assert_close(y, y_there)
    dy = random.standard_normal(y.shape).astype(np.float32)
    y_there.backward(torch.from_numpy(dy))
    grad = Vector(theta.layout, np.full_like(theta.data, np.nan))
    dx = backward(dy.copy(), grad)
    if x_there.grad is not None:
        assert_close(there(dx), x_there.grad)
    for ours, name, turn in weights:
        assert_close(turn(grad[ours]), parts[name].grad)
    return theta, grad


def normal(random, *shape):
    return random.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("n, inputs, outputs, bias", [(5, 3, 4, True), (64, 100, 50, True), (9, 20, 1, True), (7, 6, 5, False)])
def test_dense(random, filled, n, inputs, outputs, bias):
    layer, theirs = Dense("layer", inputs, outputs, bias), torch.nn.Linear(inputs, outputs, bias)
    weights = [("layer/weight", "weight", transposed), ("layer/bias", "bias", same)][: 1 + bias]
    compare(layer, theirs, normal(random, n, inputs), filled, random, weights)


# kernel, stride, padding, sizes of the larger side, its channels and those of the other
CONVOLUTIONS = [
    ((3,), (1,), (1,), (11,), 3, 5),
    ((5,), (3,), (0,), (17,), 4, 2),
    ((25,), (4,), (11,), (64,), 16, 32),
    ((4,), (2,), (1,), (33,), 64, 64),
    ((1, 1), (1, 1), (0, 0), (5, 6), 7, 4),
    ((3, 2), (2, 1), (1, 0), (8, 7), 3, 5),
    ((5, 5), (2, 2), (2, 2), (14, 14), 8, 16),
    ((4, 4), (1, 1), (0, 0), (4, 4), 32, 1),
    ((4, 4), (2, 2), (1, 1), (9, 8), 3, 5),
    ((4, 4), (2, 2), (1, 1), (16, 16), 64, 128),
    ((4, 4), (2, 2), (1, 1), (15, 18), 64, 64),
    ((2, 3, 1), (1, 2, 3), (1, 1, 0), (4, 5, 7), 2, 3),
    ((4, 4, 4), (2, 2, 2), (1, 1, 1), (8, 6, 7), 64, 64),
]
CASES = pytest.mark.parametrize("kernel, stride, padding, sizes, channels, outputs", CONVOLUTIONS)
BIASES = pytest.mark.parametrize("bias", [True, False])


def reversed_axes(w):
    return w.transpose(*reversed(range(w.ndim)))


def weights_first(w):
    """(*kernel, c, o) as (o, c, *kernel)."""
    return w.transpose(-1, -2, *range(w.ndim - 2))


def compare_convolutions(layer, theirs, shape, filled, random):
    geometry = layer.geometry
    weights = [("layer/weight", "weight", weights_first), ("layer/bias", "bias", same)][: 1 + bool(layer.bias)]
    halving = set(zip(geometry.kernel, geometry.stride, geometry.padding)) == {(4, 2, 1)}
    chosen = halving and len(geometry.kernel) > 1 and layer.form.channels >= 64
    assert isinstance(layer.form, Winograd) == chosen
    compare(layer, theirs, normal(random, 6, *shape), filled, random, weights, channels_first, channels_last)


@CASES
@BIASES
def test_conv(random, filled, kernel, stride, padding, sizes, channels, outputs, bias):
    layer = Conv("layer", Geometry(kernel, stride, padding), channels, outputs, bias)
    make = getattr(torch.nn, f"Conv{len(kernel)}d")
    theirs = make(channels, outputs, kernel, stride, padding, bias=bias)
    compare_convolutions(layer, theirs, (*sizes, channels), filled, random)


@CASES
@BIASES
def test_conv_transpose(random, filled, kernel, stride, padding, sizes, channels, outputs, bias):
    geometry = Geometry(kernel, stride, padding)
    output_padding = tuple((size + 2 * p - k) % s for size, k, s, p in zip(sizes, kernel, stride, padding))
    layer = ConvTranspose("layer", geometry, outputs, channels, output_padding, bias)
    make = getattr(torch.nn, f"ConvTranspose{len(kernel)}d")
    theirs = make(outputs, channels, kernel, stride, padding, output_padding, bias=bias)
    compare_convolutions(layer, theirs, (*geometry.positions(sizes), outputs), filled, random)
