import numpy as np
import pytest

from hpcgen.nn.check import check_layer
from hpcgen.nn.layers.dense import Dense


@pytest.mark.parametrize("slope", [1.0, 0.0, 0.2])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("n, inputs, outputs", [(1, 1, 1), (5, 3, 4), (2, 7, 1)])
def test_derivatives(random, filled, n, inputs, outputs, bias, slope):
    layer = Dense("dense", inputs, outputs, bias, slope)
    errors = check_layer(layer, filled(layer, random), random.standard_normal((n, inputs)), random)
    assert set(errors) == {"x", "dense/weight"} | ({"dense/bias"} if bias else set())
    assert max(errors.values()) < 1e-8


@pytest.mark.parametrize("slope", [1.0, 0.0, 0.2])
@pytest.mark.parametrize("bias", [True, False])
def test_definition(random, filled, bias, slope):
    layer = Dense("dense", 3, 2, bias, slope)
    theta, x = filled(layer, random), random.standard_normal((4, 3))
    y, _ = layer.forward(theta, x)
    for i, j in np.ndindex(4, 2):
        expected = sum(x[i, k] * theta["dense/weight"][k, j] for k in range(3)) + (
            theta["dense/bias"][j] if bias else 0
        )
        assert y[i, j] == pytest.approx(expected if expected > 0 else slope * expected)
