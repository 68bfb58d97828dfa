from math import exp, log, tanh

import numpy as np
import pytest

from hpcgen.nn.check import check_layer, check_tangent
from hpcgen.nn.layers.activations import ELU, Identity, LeakyReLU, Sigmoid, Softplus, Tanh
from hpcgen.nn.vector import Layout, Vector

ACTIVATIONS = {
    "LeakyReLU": (LeakyReLU(), lambda x: x if x > 0 else 0.2 * x),
    "ReLU": (LeakyReLU(0.0), lambda x: max(x, 0)),
    "Tanh": (Tanh(), tanh),
    "Sigmoid": (Sigmoid(), lambda x: 1 / (1 + exp(-x))),
    "ELU": (ELU(), lambda x: x if x > 0 else exp(x) - 1),
    "Softplus": (Softplus(), lambda x: log(1 + exp(x))),
    "Identity": (Identity(), lambda x: x),
}
EACH = pytest.mark.parametrize("layer, formula", ACTIVATIONS.values(), ids=ACTIVATIONS)


@EACH
def test_derivatives(random, layer, formula):
    x = random.standard_normal((6, 5)) * 2
    x[np.abs(x) < 1e-3] = 0.5  # no kink within a difference's step
    assert check_layer(layer, Vector(Layout(), dtype=np.float64), x, random)["x"] < 1e-8


@EACH
def test_definitions(random, layer, formula):
    x = random.standard_normal((3, 4, 2)) * 3
    y, _ = layer.forward(None, x)
    assert y.reshape(-1).tolist() == pytest.approx(
        [formula(value) for value in x.reshape(-1).tolist()], rel=1e-12, abs=1e-15
    )


@EACH
def test_numbers_far_out_stay_finite(layer, formula):
    y, backward = layer.forward(None, np.array([-1e4, -80, 0, 80, 1e4], np.float32))
    assert np.isfinite(y).all() and np.isfinite(backward(np.ones(5, np.float32))).all()
    assert y.dtype == np.float32


@pytest.mark.parametrize("layer", [ELU(), Softplus()], ids=["ELU", "Softplus"])
def test_small_numbers_are_not_lost(layer):
    x = np.array([-1e-6 if isinstance(layer, ELU) else -20], np.float32)
    exact = np.expm1(np.float64(x)) if isinstance(layer, ELU) else np.log1p(np.exp(np.float64(x)))
    assert layer.forward(None, x)[0] == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("slope, expected", [(0.0, [0, 0, 1]), (0.2, [0.2, 0.2, 1])])
def test_the_kink_takes_the_lower_side(slope, expected):
    _, backward = LeakyReLU(slope).forward(None, np.array([-1.0, 0, 1]))
    assert backward(np.ones(3)).tolist() == expected


@EACH
def test_tangents(random, layer, formula):
    x = random.standard_normal((6, 5)) * 2
    x[np.abs(x) < 1e-3] = 0.5  # no kink within a difference's step
    errors = check_tangent(layer, Vector(Layout(), dtype=np.float64), x, random)
    assert set(errors) == {"ty", "x"} and max(errors.values()) < 1e-8
