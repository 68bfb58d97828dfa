import numpy as np
import pytest

from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.layers.convolution import Conv, ConvTranspose
from hpcgen.nn.layers.dense import Dense
from hpcgen.nn.layers.embedding import Embedding
from hpcgen.nn.layers.recurrent import GRU

SQUARE = Geometry((4, 4), (2, 2), (1, 1))
# With the numbers that make one output: PyTorch's fan_in (of a transposed convolution, the kernel times its
# outputs).
LAYERS = {
    "Dense": (lambda **options: Dense("layer", 50, 40, **options), 50),
    "Conv": (lambda **options: Conv("layer", SQUARE, 20, 10, **options), 320),
    "ConvTranspose": (lambda **options: ConvTranspose("layer", SQUARE, 20, 10, (0, 0), **options), 160),
}
EACH = pytest.mark.parametrize("make, fan_in", LAYERS.values(), ids=LAYERS)
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def uniform_within(values, bound):
    n = values.size
    assert np.abs(values).max() <= bound * (1 + 1e-6)
    assert abs(values.mean()) < 5 * bound / (3 * n) ** 0.5
    assert np.square(values).mean() == pytest.approx(bound**2 / 3, rel=5 / n**0.5)


@EACH
@DTYPES
def test_weights_and_biases_are_uniform(random, filled, make, fan_in, dtype):
    layer = make()
    theta = filled(layer, random, dtype)
    layer.initialize(theta, random)
    uniform_within(theta["layer/weight"], fan_in**-0.5)
    uniform_within(theta["layer/bias"], fan_in**-0.5)


@EACH
@DTYPES
def test_weights_are_normal_with_a_deviation(random, filled, make, fan_in, dtype):
    layer = make(deviation=0.02)
    theta = filled(layer, random, dtype)
    layer.initialize(theta, random)
    n = theta["layer/weight"].size
    assert theta["layer/weight"].std() == pytest.approx(0.02, rel=5 / n**0.5)
    assert abs(theta["layer/weight"].mean()) < 5 * 0.02 / n**0.5
    assert np.abs(theta["layer/weight"]).max() > 0.04
    assert not theta["layer/bias"].any()


def test_recurrent_weights_are_uniform_in_the_hidden_size(random, filled):
    layer = GRU("layer", 30, 16)
    theta = filled(layer, random)
    layer.initialize(theta, random)
    for name in layer.parameters():
        uniform_within(theta[name], 0.25)


def test_embeddings_are_standard_normal(random, filled):
    layer = Embedding("layer", 100, 20)
    theta = filled(layer, random, np.float32)
    layer.initialize(theta, random)
    assert (
        theta["layer/weight"].std() == pytest.approx(1, rel=0.1) and np.abs(theta["layer/weight"]).max() > 2
    )


@EACH
def test_the_same_stream_gives_the_same_numbers(filled, make, fan_in):
    layer = make()
    made = []
    for before in (1, 2):
        theta = filled(layer, np.random.default_rng(before), np.float32)
        layer.initialize(theta, np.random.default_rng(5))
        made.append(theta.data.tobytes())
    assert made[0] == made[1]
