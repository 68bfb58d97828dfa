"""Properties that hpcgen.nn.layer requires of every layer."""

import numpy as np
import pytest

from hpcgen.nn.chain import Chain
from hpcgen.nn.check import Pair
from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.convolution.winograd import Winograd
from hpcgen.nn.layer import Layer, Train
from hpcgen.nn.layers.activations import ELU, Identity, LeakyReLU, Sigmoid, Softplus, Tanh
from hpcgen.nn.layers.convolution import Conv, ConvTranspose
from hpcgen.nn.layers.dense import Dense
from hpcgen.nn.layers.dropout import Dropout
from hpcgen.nn.layers.normalization import BatchNorm, LayerNorm
from hpcgen.nn.layers.recurrent import GRU, LSTM, Recurrent
from hpcgen.nn.layers.shaping import Reshape, Upsample
from hpcgen.nn.layers.spectral import SpectralNorm
from hpcgen.nn.vector import Vector

HALVED = Geometry((4, 4), (2, 2), (1, 1))
CASES = {
    "LeakyReLU": (LeakyReLU(), (4, 3)),
    "ReLU": (LeakyReLU(0.0), (4, 3, 2)),
    "Tanh": (Tanh(), (4, 3)),
    "Sigmoid": (Sigmoid(), (4, 3)),
    "ELU": (ELU(), (4, 3)),
    "Softplus": (Softplus(), (4, 3)),
    "Identity": (Identity(), (4, 3)),
    "Dense": (Dense("layer", 3, 5), (4, 3)),
    "Dense to one": (Dense("layer", 3, 1, bias=False, slope=0.2), (4, 3)),
    "Dense, DCGAN's": (Dense("layer", 3, 5, slope=0.0, deviation=0.02), (4, 3)),
    "Conv": (Conv("layer", Geometry((3,), (2,), (1,)), 2, 3), (4, 7, 2)),
    "Conv 1 x 1": (Conv("layer", Geometry((1, 1), (1, 1), (0, 0)), 2, 3, slope=0.2), (4, 3, 2, 2)),
    "Conv, DCGAN's": (Conv("layer", HALVED, 16, 32, bias=False, slope=0.2, deviation=0.02), (4, 6, 7, 16)),
    "ConvTranspose": (ConvTranspose("layer", Geometry((3,), (2,), (1,)), 2, 3, (1,)), (4, 7, 2)),
    "ConvTranspose, DCGAN's": (
        ConvTranspose("layer", HALVED, 32, 16, (0, 0), slope=0.0, deviation=0.02),
        (4, 3, 2, 32),
    ),
    "BatchNorm": (BatchNorm("layer", 3), (4, 5, 3)),
    "BatchNorm, ReLU": (BatchNorm("layer", 3, slope=0.0), (4, 3)),
    "LayerNorm": (LayerNorm("layer", (5, 3)), (4, 5, 3)),
    "GRU": (GRU("layer", 3, 2), (4, 5, 3)),
    "LSTM": (LSTM("layer", 3, 2), (4, 5, 3)),
    "Reshape": (Reshape((6,)), (4, 2, 3)),
    "Upsample": (Upsample((2, 3)), (4, 2, 3, 2)),
    "Dropout": (Dropout(0.5), (4, 5)),
    "Dropout of nothing": (Dropout(0.0), (4, 5)),
    "SpectralNorm of Dense": (SpectralNorm(Dense("layer", 3, 5)), (4, 3)),
    "SpectralNorm of Conv": (SpectralNorm(Conv("layer", HALVED, 2, 3, slope=0.2)), (4, 6, 7, 2)),
    "SpectralNorm of ConvTranspose": (
        SpectralNorm(ConvTranspose("layer", HALVED, 2, 3, (0, 0))),
        (4, 3, 2, 2),
    ),
    "Chain": (Chain([Dense("layer", 3, 5), BatchNorm("norm", 5), Tanh()]), (4, 3)),
    "Chain with a tangent": (
        Chain([Dense("layer", 3, 5, slope=0.2), LayerNorm("norm", (5,)), Tanh(), Dropout(0.5)]),
        (4, 3),
    ),
}
TANGENTS = {
    f"tangent of {name}": (Pair(layer), (2, *shape))
    for name, (layer, shape) in CASES.items()
    if not layer.without_tangent
}
CASES |= TANGENTS
EACH = pytest.mark.parametrize("layer, shape", CASES.values(), ids=CASES)
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


class Passed:
    """Numbers for a layer, and passes with them: always the same."""

    def __init__(self, layer, shape, filled, dtype):
        random = np.random.default_rng(77)
        self.layer, self.theta = layer, filled(layer, random, dtype)
        self.x = random.standard_normal(shape).astype(dtype)
        self.dy = random.standard_normal(self.forward()[0].shape).astype(dtype)

    def forward(self):
        return self.layer.forward(self.theta, self.x, Train(random=np.random.default_rng(5)))

    def grad(self):
        grad = Vector(self.theta.layout, dtype=self.x.dtype)
        grad.data[...] = np.nan
        return grad

    def written(self, grad):
        """Return what a backward writes: a tangent's leaves the statistics as they are."""
        layout = self.theta.layout
        return grad.data[: (layout.parameters if isinstance(self.layer, Pair) else layout.buffers).stop]


@pytest.fixture
def passed(layer, shape, filled, dtype):
    return Passed(layer, shape, filled, dtype)


def subclasses(kind):
    return {kind}.union(*map(subclasses, kind.__subclasses__()))


def test_every_layer_is_a_case():
    mine = {
        kind
        for kind in subclasses(Layer)
        if kind.__module__.startswith("hpcgen.nn.") and not kind.__name__.startswith("_")
    }
    abstract = {
        Layer,
        Recurrent,
        *(kind for kind in mine if kind.__name__ in ("Affine", "Convolution", "Elementwise", "Shaping")),
    }
    elsewhere = {kind for kind in mine if kind.__name__ == "Embedding"}  # its x is no float
    assert mine - abstract - elsewhere == {type(layer) for layer, _ in CASES.values()}
    assert any(isinstance(form, Winograd) for form in CASES["Conv, DCGAN's"][0].forms)


@EACH
@DTYPES
def test_the_type_of_numbers_is_kept(passed, dtype):
    y, backward = passed.forward()
    assert y.dtype == backward(passed.dy.copy(), passed.grad()).dtype == dtype


@EACH
@DTYPES
def test_inference_keeps_the_type_too(passed, layer, dtype):
    assert layer.forward(passed.theta, passed.x, None)[0].dtype == dtype


@EACH
@DTYPES
def test_x_and_theta_are_only_read(passed, dtype):
    before = passed.x.tobytes(), passed.theta.data.tobytes()
    _, backward = passed.forward()
    assert before == (passed.x.tobytes(), passed.theta.data.tobytes())
    backward(passed.dy.copy(), passed.grad())
    assert before == (passed.x.tobytes(), passed.theta.data.tobytes())


@EACH
@DTYPES
def test_x_may_not_be_writable(passed, dtype):
    passed.x.flags.writeable = passed.theta.data.flags.writeable = False
    y, backward = passed.forward()
    assert backward(passed.dy.copy(), passed.grad()).shape == passed.x.shape


@EACH
@DTYPES
def test_every_derivative_is_written_once(passed, layer, dtype):
    """Over whatever was there."""
    grad = passed.grad()
    passed.forward()[1](passed.dy.copy(), grad)
    assert np.isfinite(passed.written(grad)).all() and all(grad[name].any() for name in layer.parameters())
    assert np.isnan(grad.data[len(passed.written(grad)) :]).all()


@EACH
@DTYPES
def test_without_grad_dx_is_the_same(passed, dtype):
    with_grad = passed.forward()[1](passed.dy.copy(), passed.grad())
    without = passed.forward()[1](passed.dy.copy())
    assert with_grad.tobytes() == without.tobytes()


@EACH
@DTYPES
def test_without_dx_grad_is_the_same(passed, dtype):
    grad, other = passed.grad(), passed.grad()
    passed.forward()[1](passed.dy.copy(), grad)
    assert passed.forward()[1](passed.dy.copy(), other, need_dx=False) is None
    assert grad.data.tobytes() == other.data.tobytes()
    assert passed.forward()[1](passed.dy.copy(), need_dx=False) is None


@EACH
@DTYPES
def test_two_passes_give_the_same_bits(passed, dtype):
    grads = passed.grad(), passed.grad()
    (y, backward), (z, other) = passed.forward(), passed.forward()
    assert y.tobytes() == z.tobytes()
    assert backward(passed.dy.copy(), grads[0]).tobytes() == other(passed.dy.copy(), grads[1]).tobytes()
    assert grads[0].data.tobytes() == grads[1].data.tobytes()


def turned(a):
    """Return an equal array whose samples do not lie in one piece."""
    return np.ascontiguousarray(a.swapaxes(0, 1)).swapaxes(0, 1)


@EACH
@DTYPES
@pytest.mark.parametrize("what", ["x", "dy"])
def test_another_order_in_memory_changes_nothing(passed, dtype, what):
    grads = passed.grad(), passed.grad()
    y, backward = passed.forward()
    dx = backward(passed.dy.copy(), grads[0])
    passed.x = turned(passed.x) if what == "x" else passed.x
    z, backward = passed.forward()
    other = backward(turned(passed.dy) if what == "dy" else passed.dy.copy(), grads[1])
    for a, b in ((z, y), (other, dx), [*map(passed.written, grads)]):
        assert np.abs(a - b).max(initial=0) <= 1e-5 * np.abs(b).max(initial=0)


@EACH
def test_parameters_and_buffers_have_shapes(layer, shape):
    buffers = {name: buffer.shape for name, buffer in layer.buffers().items()}
    for name, size in {**layer.parameters(), **buffers}.items():
        assert isinstance(name, str) and all(isinstance(part, int) and part > 0 for part in size)


@pytest.mark.parametrize("pair, shape", TANGENTS.values(), ids=TANGENTS)
@DTYPES
class TestTangent:
    @pytest.fixture
    def numbers(self, pair, shape, filled, dtype):
        random = np.random.default_rng(78)
        return filled(pair, random, dtype), *random.standard_normal(shape).astype(dtype)

    def train(self):
        return Train(random=np.random.default_rng(5))

    def test_y_is_forwards(self, pair, numbers):
        theta, x, t = numbers
        y, _, _ = pair.layer.tangent(theta, x, t, self.train())
        assert y.tobytes() == pair.layer.forward(theta, x, self.train())[0].tobytes()

    def test_the_adjoint_in_t_is_forwards_backward(self, pair, numbers, dtype):
        """<J t, dty> = <t, J^T dty>."""
        theta, x, t = numbers
        y, ty, backward = pair.layer.tangent(theta, x, t, self.train())
        dty = np.random.default_rng(79).standard_normal(y.shape).astype(dtype)
        _, dt = backward(None, dty.copy())
        tolerance = 1e-5 if dtype == np.float32 else 1e-12
        assert np.vdot(ty, dty) == pytest.approx(
            np.vdot(t, dt), abs=tolerance * float(np.abs(ty * dty).sum())
        )
        _, back = pair.layer.forward(theta, x, self.train())
        assert np.abs(back(dty.copy()) - dt).max() <= tolerance * np.abs(dt).max()

    def test_none_stands_for_zero(self, pair, numbers, dtype):
        theta, x, t = numbers
        y, ty, _ = pair.layer.tangent(theta, x, t, self.train())
        dty = np.random.default_rng(79).standard_normal(y.shape).astype(dtype)
        found = []
        for dy in (None, np.zeros_like(y)):
            grad = Vector(theta.layout, np.full_like(theta.data, np.nan))
            dx, dt = pair.layer.tangent(theta, x, t, self.train())[2](dy, dty.copy(), grad)
            found.append([np.zeros_like(x) if dx is None else dx, dt, grad.data[grad.layout.parameters]])
        for without, zero in zip(*found):
            assert without.dtype == dtype and np.abs(without - zero).max(initial=0) <= 1e-6 * np.abs(
                zero
            ).max(initial=1)


def test_a_layer_has_nothing_until_it_says_so():
    bare = Layer()
    assert (bare.parameters(), bare.buffers(), bare.draws) == ({}, {}, False)
    assert bare.without_tangent == ["Layer"] and Tanh().without_tangent == []
    for method, count in (("forward", 2), ("tangent", 3)):
        with pytest.raises(AssertionError, match=f"Layer has no {method}"):
            getattr(bare, method)(*[None] * count)
