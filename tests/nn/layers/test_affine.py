"""What layers of weights share: their tangents, against central differences and each other."""

import numpy as np
import pytest

from hpcgen.nn.check import check_tangent
from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.layers.convolution import Conv, ConvTranspose
from hpcgen.nn.layers.dense import Dense

SLOPES = pytest.mark.parametrize("slope", [1.0, 0.0, 0.2])
BIASES = pytest.mark.parametrize("bias", [True, False])
HALVED = Geometry((4, 4), (2, 2), (1, 1))


def worst(layer, theta, x, random):
    errors = check_tangent(layer, theta, x, random)
    assert set(errors) == {"ty", "x", *layer.parameters()}
    return max(errors.values())


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


def test_the_tangent_is_linear_in_t_and_takes_no_bias(random, filled):
    layer = Dense("dense", 4, 3, slope=0.2)
    theta, (x, s, t) = filled(layer, random), random.standard_normal((3, 5, 4))
    tangents = [layer.tangent(theta, x, each)[1] for each in (s, t, 2 * s - 3 * t, 0 * t)]
    assert tangents[2] == pytest.approx(2 * tangents[0] - 3 * tangents[1], rel=1e-12)
    assert not tangents[3].any()
