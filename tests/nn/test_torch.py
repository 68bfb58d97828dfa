"""Compare layers with PyTorch's layers. The weights are converted as the layers' documentation says."""

import numpy as np
import pytest

from hpcgen.nn.buffers import MEAN, follow
from hpcgen.nn.chain import Chain
from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.convolution.winograd import Winograd
from hpcgen.nn.layer import TRAIN
from hpcgen.nn.layers.activations import ELU, LeakyReLU, Sigmoid, Softplus, Tanh
from hpcgen.nn.layers.convolution import Conv, ConvTranspose
from hpcgen.nn.layers.dense import Dense
from hpcgen.nn.layers.embedding import Embedding
from hpcgen.nn.layers.normalization import BatchNorm, LayerNorm
from hpcgen.nn.layers.recurrent import GRU, LSTM
from hpcgen.nn.layers.shaping import Reshape, Upsample
from hpcgen.nn.layers.spectral import SpectralNorm
from hpcgen.nn.penalty import gradient_penalty
from hpcgen.nn.vector import Vector

HOW = "no PyTorch here: run `PYTHON -m pytest tests/nn/test_torch.py` with an interpreter that has torch"
torch = pytest.importorskip("torch", reason=HOW)
torch.set_num_threads(1)


def same(a):
    return a


def transposed(a):
    return a.T


def channels_first(a):
    """(n, *sizes, channels) -> (n, channels, *sizes)."""
    return np.moveaxis(a, -1, 1)


def kernel_last(weight):
    """(*kernel, c, o) -> (o, c, *kernel), as PyTorch has both of its convolutions' weights."""
    return weight.transpose(-1, -2, *range(weight.ndim - 2))


def agree(actual, expected, what):
    expected = expected.detach().numpy()
    assert actual.dtype == np.float32 and actual.shape == expected.shape, what
    assert np.abs(actual - expected).max() <= 1e-5 * np.abs(expected).max(), what


@pytest.fixture
def compare(random, filled):
    def run(layer, x, other, names, place=same, train=TRAIN, theta=None):
        """Compare y and all derivatives of `layer` and the module or function `other`; return the Vector of
        derivatives.

        `names` is {name of ours: (name of theirs, how ours is turned into theirs)}, `place` turns our samples
        into theirs.
        """
        theta = theta or filled(layer, random, np.float32)
        assert set(names) == set(layer.parameters())
        theirs = dict(other.named_parameters()) if names else {}
        assert {name for name, _ in names.values()} == set(theirs)
        for name, (their, turn) in names.items():
            assert theirs[their].shape == turn(theta[name]).shape
            theirs[their].data = torch.tensor(turn(theta[name]).copy())
        their_x = torch.tensor(place(x).copy(), requires_grad=x.dtype == np.float32)
        their_y = other(their_x)
        y, backward = layer.forward(theta, x, train)
        agree(place(y), their_y, "y")
        if train is None:
            return None
        dy = random.standard_normal(y.shape).astype(np.float32)
        their_y.backward(torch.tensor(place(dy).copy()))
        grad = Vector(theta.layout)
        dx = backward(dy, grad)
        if their_x.requires_grad:
            agree(place(dx), their_x.grad, "x")
        for name, (their, turn) in names.items():
            agree(turn(grad[name]), theirs[their].grad, name)
        return grad

    return run


def numbers(random, *shape):
    return random.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("outputs", [1, 20])
def test_dense(random, compare, outputs, bias):
    names = {"layer/weight": ("weight", transposed), **({"layer/bias": ("bias", same)} if bias else {})}
    compare(
        Dense("layer", 30, outputs, bias), numbers(random, 16, 30), torch.nn.Linear(30, outputs, bias), names
    )


# Kernel, stride, padding, sizes.
CONVOLUTIONS = [
    ((1,), (1,), (0,), (9,)),
    ((3,), (1,), (1,), (10,)),
    ((4,), (2,), (1,), (13,)),
    ((25,), (4,), (11,), (64,)),
    ((3, 3), (1, 1), (1, 1), (8, 7)),
    ((1, 1), (1, 1), (0, 0), (5, 6)),
    ((1, 1), (2, 2), (0, 0), (5, 6)),
    ((5, 3), (2, 1), (0, 2), (11, 9)),
    ((2, 5), (3, 2), (1, 2), (10, 10)),
    ((4, 4), (1, 1), (0, 0), (4, 4)),
    ((4, 4), (2, 2), (1, 1), (9, 8)),
    ((4, 4), (2, 2), (1, 1), (14, 14)),
    ((3, 3, 3), (1, 1, 1), (1, 1, 1), (4, 5, 6)),
    ((2, 3, 1), (2, 1, 3), (1, 0, 0), (5, 6, 7)),
    ((4, 4, 4), (2, 2, 2), (1, 1, 1), (6, 5, 7)),
]
CHANNELS = pytest.mark.parametrize("channels, outputs", [(3, 5), (64, 64), (128, 256)])


def names_of_convolution(bias):
    return {"layer/weight": ("weight", kernel_last), **({"layer/bias": ("bias", same)} if bias else {})}


@pytest.mark.parametrize("kernel, stride, padding, sizes", CONVOLUTIONS, ids=str)
@CHANNELS
def test_convolution(random, compare, kernel, stride, padding, sizes, channels, outputs):
    bias = channels < 64
    layer = Conv("layer", Geometry(kernel, stride, padding), channels, outputs, bias)
    theirs = getattr(torch.nn, f"Conv{len(kernel)}d")(channels, outputs, kernel, stride, padding, bias=bias)
    compare(layer, numbers(random, 3, *sizes, channels), theirs, names_of_convolution(bias), channels_first)
    assert isinstance(layer.forms[-1], Winograd) == (
        kernel in ((4, 4), (4, 4, 4)) and stride[0] == 2 and channels >= 64
    )


# The same, with output_padding.
TRANSPOSED_CONVOLUTIONS = [
    ((1,), (1,), (0,), (9,), (0,)),
    ((3,), (2,), (1,), (6,), (1,)),
    ((4,), (2,), (1,), (7,), (0,)),
    ((25,), (4,), (11,), (16,), (1,)),
    ((3, 3), (1, 1), (1, 1), (5, 6), (0, 0)),
    ((1, 1), (1, 1), (0, 0), (5, 6), (0, 0)),
    ((4, 4), (1, 1), (0, 0), (1, 1), (0, 0)),
    ((5, 5), (2, 2), (2, 2), (4, 5), (1, 1)),
    ((2, 3), (3, 2), (1, 0), (4, 5), (2, 1)),
    ((4, 4), (2, 2), (1, 1), (4, 5), (0, 0)),
    ((4, 4), (2, 2), (1, 1), (5, 3), (1, 0)),
    ((4, 4), (2, 2), (1, 1), (7, 7), (0, 0)),
    ((3, 3, 3), (2, 2, 2), (1, 1, 1), (3, 2, 4), (1, 0, 1)),
    ((4, 4, 4), (2, 2, 2), (1, 1, 1), (3, 4, 2), (0, 1, 0)),
]


@pytest.mark.parametrize("kernel, stride, padding, sizes, output_padding", TRANSPOSED_CONVOLUTIONS, ids=str)
@CHANNELS
def test_transposed_convolution(
    random, compare, kernel, stride, padding, sizes, output_padding, channels, outputs
):
    bias = channels < 64
    layer = ConvTranspose("layer", Geometry(kernel, stride, padding), channels, outputs, output_padding, bias)
    kind = getattr(torch.nn, f"ConvTranspose{len(kernel)}d")
    theirs = kind(channels, outputs, kernel, stride, padding, output_padding, bias=bias)
    compare(layer, numbers(random, 3, *sizes, channels), theirs, names_of_convolution(bias), channels_first)
    assert isinstance(layer.forms[-1], Winograd) == (
        kernel in ((4, 4), (4, 4, 4)) and stride[0] == 2 and channels >= 64
    )


@pytest.mark.parametrize(
    "places, channels, outputs", [(32, 64, 128), (16, 128, 256), (8, 256, 512), (14, 64, 128), (14, 128, 256)]
)
@pytest.mark.parametrize("kind", [Conv, ConvTranspose])
def test_the_presets_layers_on_numbers_above_zero(random, compare, kind, places, channels, outputs):
    """As they come from a ReLU: what Winograd's forms subtract from each other is then large."""
    geometry, transposed = Geometry((4, 4), (2, 2), (1, 1)), kind is ConvTranspose
    layer = kind("layer", geometry, channels, outputs, *([(0, 0)] if transposed else []), bias=False)
    theirs = (torch.nn.ConvTranspose2d if transposed else torch.nn.Conv2d)(
        channels, outputs, 4, 2, 1, bias=False
    )
    places = places // 2 if transposed else places
    x = random.random((16, places, places, channels), dtype=np.float32)
    compare(layer, x, theirs, names_of_convolution(False), channels_first)


BATCHES = pytest.mark.parametrize(
    "shape, kind", [((16, 5), "BatchNorm1d"), ((4, 9, 5), "BatchNorm1d"), ((4, 6, 7, 5), "BatchNorm2d")]
)
AFFINE = {"layer/gamma": ("weight", same), "layer/beta": ("bias", same)}


@BATCHES
def test_batch_norm(random, filled, compare, shape, kind):
    layer, theirs = BatchNorm("layer", shape[-1]), getattr(torch.nn, kind)(shape[-1], momentum=0.1)
    theta = filled(layer, random, np.float32)
    theirs.running_mean = torch.tensor(theta["layer/mean"].copy())
    theirs.running_var = torch.tensor(theta["layer/variance"].copy())
    grad = compare(layer, numbers(random, *shape) * 2 + 1, theirs, AFFINE, channels_first, theta=theta)
    for name, running in (("layer/mean", theirs.running_mean), ("layer/variance", theirs.running_var)):
        follow(MEAN, theta[name], grad[name] / np.float32(shape[0]))
        agree(theta[name], running, name)


@BATCHES
def test_batch_norm_in_inference(random, filled, compare, shape, kind):
    layer, theirs = BatchNorm("layer", shape[-1]), getattr(torch.nn, kind)(shape[-1]).eval()
    theta = filled(layer, random, np.float32)
    theirs.running_mean = torch.tensor(theta["layer/mean"].copy())
    theirs.running_var = torch.tensor(theta["layer/variance"].copy())
    compare(layer, numbers(random, *shape), theirs, AFFINE, channels_first, train=None, theta=theta)


@pytest.mark.parametrize("shape, axes", [((8, 30), 1), ((4, 5, 12), 1), ((4, 5, 12), 2), ((3, 4, 5, 6), 3)])
def test_layer_norm(random, compare, shape, axes):
    layer, theirs = LayerNorm("layer", shape[-axes:]), torch.nn.LayerNorm(shape[-axes:])
    compare(layer, numbers(random, *shape) * 2 + 1, theirs, AFFINE)


@pytest.mark.parametrize(
    "layer, theirs",
    [
        (LeakyReLU(), torch.nn.LeakyReLU(0.2)),
        (LeakyReLU(0.0), torch.nn.ReLU()),
        (Tanh(), torch.nn.Tanh()),
        (Sigmoid(), torch.nn.Sigmoid()),
        (ELU(), torch.nn.ELU()),
        (Softplus(), torch.nn.Softplus()),
    ],
    ids=["LeakyReLU", "ReLU", "Tanh", "Sigmoid", "ELU", "Softplus"],
)
def test_activations(random, compare, layer, theirs):
    compare(layer, numbers(random, 50, 20) * 3, theirs, {})


@pytest.mark.parametrize("slope, theirs", [(0.2, torch.nn.LeakyReLU(0.2)), (0.0, torch.nn.ReLU())])
def test_slopes_are_activations(random, compare, slope, theirs):
    """In the layers that have a slope of their own."""
    compare(
        Dense("layer", 9, 8, slope=slope),
        numbers(random, 16, 9),
        torch.nn.Sequential(torch.nn.Linear(9, 8), theirs),
        {"layer/weight": ("0.weight", transposed), "layer/bias": ("0.bias", same)},
    )
    compare(
        Conv("layer", Geometry((3, 3), (1, 1), (1, 1)), 4, 6, slope=slope),
        numbers(random, 3, 5, 6, 4),
        torch.nn.Sequential(torch.nn.Conv2d(4, 6, 3, 1, 1), theirs),
        {"layer/weight": ("0.weight", kernel_last), "layer/bias": ("0.bias", same)},
        channels_first,
    )
    compare(
        BatchNorm("layer", 4, slope=slope),
        numbers(random, 3, 5, 6, 4),
        torch.nn.Sequential(torch.nn.BatchNorm2d(4), theirs),
        {"layer/gamma": ("0.weight", same), "layer/beta": ("0.bias", same)},
        channels_first,
    )


@pytest.mark.parametrize(
    "sizes, factor", [((5,), (2,)), ((3, 4), (2, 2)), ((3, 4), (1, 3)), ((2, 3, 2), (2, 1, 4))], ids=str
)
def test_upsample(random, compare, sizes, factor):
    theirs = torch.nn.Upsample(scale_factor=factor, mode="nearest")
    compare(Upsample(factor), numbers(random, 2, *sizes, 3), theirs, {}, channels_first)


@pytest.mark.parametrize("shape", [(40,), (8, 5)])
def test_embedding(random, compare, shape):
    x = random.integers(0, 10, shape)
    compare(Embedding("layer", 10, 7), x, torch.nn.Embedding(10, 7), {"layer/weight": ("weight", same)})


class HiddenStates(torch.nn.Module):
    """Of what a recurrent layer returns."""

    def forward(self, returned):
        return returned[0]


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
@pytest.mark.parametrize("time", [1, 12])
def test_recurrent(random, compare, kind, time):
    theirs = torch.nn.Sequential(getattr(torch.nn, kind)(6, 8, batch_first=True), HiddenStates())
    names = {
        "layer/input": ("0.weight_ih_l0", transposed),
        "layer/recurrent": ("0.weight_hh_l0", transposed),
        "layer/input_bias": ("0.bias_ih_l0", same),
        "layer/recurrent_bias": ("0.bias_hh_l0", same),
    }
    compare({"GRU": GRU, "LSTM": LSTM}[kind]("layer", 6, 8), numbers(random, 4, time, 6), theirs, names)


def unit(a):
    return a / np.linalg.norm(a)


def normed(module):
    return torch.nn.utils.parametrizations.spectral_norm(module)


def give_vectors(module, theta, name, axis, train):
    """Give PyTorch's normalisation of a weight, which iterates in another order, the u and v of ours; it
    keeps them."""
    weight = module.parametrizations.weight.original.detach().numpy()
    matrix, u = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1), unit(theta[f"{name}/weight_u"])
    v = unit(matrix.T @ u)
    vectors = module.eval().parametrizations.weight[0]
    vectors._u, vectors._v = torch.tensor(unit(matrix @ v) if train else u), torch.tensor(v)


@pytest.mark.parametrize("train", [TRAIN, None], ids=["training", "inference"])
@pytest.mark.parametrize(
    "layer, shape, kind, arguments, turn, axis",
    [
        (Dense("layer", 30, 20, slope=0.2), (16, 30), torch.nn.Linear, (30, 20), transposed, 0),
        (Dense("layer", 30, 1), (16, 30), torch.nn.Linear, (30, 1), transposed, 0),
        (
            *(Conv("layer", Geometry((4, 4), (2, 2), (1, 1)), 8, 12), (4, 8, 6, 8)),
            *(torch.nn.Conv2d, (8, 12, 4, 2, 1), kernel_last, 0),
        ),
        (
            *(
                ConvTranspose("layer", Geometry((4, 3), (2, 1), (1, 0)), 8, 12, (0, 0), slope=0.2),
                (4, 5, 6, 8),
            ),
            *(torch.nn.ConvTranspose2d, (8, 12, (4, 3), (2, 1), (1, 0)), kernel_last, 1),
        ),
    ],
    ids=["Dense", "Dense to one", "Conv", "ConvTranspose"],
)
def test_spectral_norm(random, filled, compare, layer, shape, kind, arguments, turn, axis, train):
    normalized, theirs = SpectralNorm(layer), normed(kind(*arguments))
    theta = filled(normalized, random, np.float32)
    theirs.parametrizations.weight.original.data = torch.tensor(turn(theta["layer/weight"]).copy())
    give_vectors(theirs, theta, "layer", axis, train)
    both = torch.nn.Sequential(theirs, torch.nn.LeakyReLU(layer.slope))
    names = {"layer/weight": ("0.parametrizations.weight.original", turn), "layer/bias": ("0.bias", same)}
    compare(normalized, numbers(random, *shape), both, names, channels_first, train=train, theta=theta)


class Moved(torch.nn.Module):
    """An axis of samples in another place: channels last is what our Reshape flattens."""

    def __init__(self, start, end):
        super().__init__()
        self.axes = start, end

    def forward(self, x):
        return x.movedim(*self.axes)


def halved(name, inputs, outputs, slope=1.0):
    return Conv(name, Geometry((4, 4), (2, 2), (1, 1)), inputs, outputs, slope=slope)


def their_halved(inputs, outputs):
    return torch.nn.Conv2d(inputs, outputs, 4, 2, 1)


def last():
    """Return channels last, flattened."""
    return Moved(1, -1), torch.nn.Flatten()


LEAKY = torch.nn.LeakyReLU(0.2)
# Our chain, the shape of x, their modules, and the places in these of the modules that stand for our layers
# a, b, ...
CRITICS = {
    "leaky convolutions": (
        [halved("a", 3, 16, 0.2), halved("b", 16, 32, 0.2), Reshape((512,)), Dense("c", 512, 4)],
        (6, 16, 16, 3),
        lambda: [their_halved(3, 16), LEAKY, their_halved(16, 32), LEAKY, *last(), torch.nn.Linear(512, 4)],
        {"a": 0, "b": 2, "c": 6},
    ),
    "Winograd's": (
        [halved("a", 3, 64, 0.2), halved("b", 64, 64, 0.2), Reshape((1024,)), Dense("c", 1024, 4)],
        (6, 16, 16, 3),
        lambda: [their_halved(3, 64), LEAKY, their_halved(64, 64), LEAKY, *last(), torch.nn.Linear(1024, 4)],
        {"a": 0, "b": 2, "c": 6},
    ),
    "dense, tanh": (
        [Dense("a", 20, 40), Tanh(), Dense("b", 40, 30), Tanh(), Dense("c", 30, 4)],
        (16, 20),
        lambda: [
            torch.nn.Linear(20, 40),
            torch.nn.Tanh(),
            torch.nn.Linear(40, 30),
            torch.nn.Tanh(),
            torch.nn.Linear(30, 4),
        ],
        {"a": 0, "b": 2, "c": 4},
    ),
    "layer norms": (
        [
            *(Dense("a", 20, 40), LayerNorm("b", (40,)), LeakyReLU()),
            *(Dense("c", 40, 30), LayerNorm("d", (30,)), ELU(), Dense("e", 30, 4)),
        ],
        (16, 20),
        lambda: [
            *(torch.nn.Linear(20, 40), torch.nn.LayerNorm(40), LEAKY),
            *(torch.nn.Linear(40, 30), torch.nn.LayerNorm(30), torch.nn.ELU(), torch.nn.Linear(30, 4)),
        ],
        {"a": 0, "b": 1, "c": 3, "d": 4, "e": 6},
    ),
    "layer norm of pictures": (
        [
            *(halved("a", 3, 16), LayerNorm("b", (8, 8, 16)), Softplus(), halved("c", 16, 16), Sigmoid()),
            *(Upsample((2, 2)), Reshape((1024,)), Dense("d", 1024, 4)),
        ],
        (6, 16, 16, 3),
        lambda: [
            *(
                their_halved(3, 16),
                Moved(1, -1),
                torch.nn.LayerNorm((8, 8, 16)),
                Moved(-1, 1),
                torch.nn.Softplus(),
            ),
            *(
                their_halved(16, 16),
                torch.nn.Sigmoid(),
                torch.nn.Upsample(scale_factor=2),
                *last(),
                torch.nn.Linear(1024, 4),
            ),
        ],
        {"a": 0, "b": 2, "c": 5, "d": 10},
    ),
    "transposed": (
        [
            ConvTranspose("a", Geometry((4,), (2,), (1,)), 6, 8, (0,), slope=0.2),
            Tanh(),
            Reshape((80,)),
            Dense("b", 80, 4),
        ],
        (6, 5, 6),
        lambda: [
            torch.nn.ConvTranspose1d(6, 8, 4, 2, 1),
            LEAKY,
            torch.nn.Tanh(),
            *last(),
            torch.nn.Linear(80, 4),
        ],
        {"a": 0, "b": 5},
    ),
    "spectral norm": (
        [
            *(SpectralNorm(halved("a", 3, 16, 0.2)), SpectralNorm(halved("b", 16, 32)), Tanh()),
            *(Reshape((512,)), SpectralNorm(Dense("c", 512, 4))),
        ],
        (6, 16, 16, 3),
        lambda: [
            *(normed(their_halved(3, 16)), LEAKY, normed(their_halved(16, 32)), torch.nn.Tanh()),
            *(*last(), normed(torch.nn.Linear(512, 4))),
        ],
        {"a": 0, "b": 2, "c": 6},
    ),
}


def pairs(modules, places):
    """Yield the name of each of our parameters, theirs, and how ours is turned into theirs."""
    turns = {torch.nn.Linear: transposed, torch.nn.LayerNorm: same}
    for name, i in places.items():
        kind = torch.nn.utils.parametrize.type_before_parametrizations(modules[i])
        norm = kind is torch.nn.LayerNorm
        for part, parameter in modules[i].named_parameters():
            if part == "bias":
                yield f"{name}/{'beta' if norm else 'bias'}", parameter, same
            else:
                yield f"{name}/{'gamma' if norm else 'weight'}", parameter, turns.get(kind, kernel_last)


@pytest.mark.parametrize("layers, shape, theirs, places", CRITICS.values(), ids=CRITICS)
@pytest.mark.parametrize("conditional", [False, True])
def test_gradient_penalty(random, filled, layers, shape, theirs, places, conditional):
    """Theirs differentiates its own derivative."""
    chain, modules = Chain(layers), torch.nn.Sequential(*theirs())
    theta, x = filled(chain, random, np.float32), numbers(random, *shape)
    theta.data[...] *= 0.3
    for name, parameter, turn in pairs(modules, places):
        parameter.data = torch.tensor(turn(theta[name]).copy())
    for name in chain.buffers():
        owner = name.removesuffix("/weight_u")
        give_vectors(modules[places[owner]], theta, owner, 0, TRAIN)
    dy = (
        np.eye(4, dtype=np.float32)[random.integers(0, 4, len(x))]
        if conditional
        else np.ones((len(x), 4), np.float32)
    )

    their_x = torch.tensor(channels_first(x).copy(), requires_grad=True)
    (g,) = torch.autograd.grad((modules(their_x) * torch.tensor(dy)).sum(), their_x, create_graph=True)
    norms = g.flatten(1).norm(dim=1)
    penalty = 10 * ((norms - 1) ** 2).sum()
    penalty.backward()

    grad = Vector(theta.layout)
    ours, slopes = gradient_penalty(chain, theta, x, dy, 10.0, TRAIN, grad)
    assert (ours, slopes) == pytest.approx((penalty.item(), norms.sum().item()), rel=1e-5)
    for name, parameter, turn in pairs(modules, places):
        expected = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        agree(turn(grad[name]), expected, name)
