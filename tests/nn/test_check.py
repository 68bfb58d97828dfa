import numpy as np
import pytest

from hpcgen.nn.check import (
    check_layer,
    check_tangent,
    numerical_gradient,
    relative_error,
)
from hpcgen.nn.layers.dense import Dense


class Wrong(Dense):
    def forward(self, theta, x, train=None):
        y, backward = super().forward(theta, x)

        def doubled(dy, grad=None, need_dx=True):
            dx = backward(dy, grad)
            grad[self.weight][...] *= 2
            return dx

        return y, doubled


def test_a_wrong_derivative_is_found(random, filled):
    layer = Wrong("dense", 3, 2)
    errors = check_layer(layer, filled(layer, random), random.standard_normal((4, 3)), random)
    assert errors["dense/weight"] > 0.1 and max(errors["x"], errors["dense/bias"]) < 1e-8


def test_a_wrong_tangent_is_found(random, filled):
    class Slower(Dense):
        def tangent(self, theta, x, t, train=None):
            y, ty, backward = super().tangent(theta, x, t)
            return y, 0.5 * ty, backward

    layer = Slower("dense", 3, 2)
    errors = check_tangent(layer, filled(layer, random), random.standard_normal((4, 3)), random)
    assert min(errors["ty"], errors["x"], errors["dense/weight"]) > 0.1 and errors["dense/bias"] < 1e-8


def test_the_gradient_of_a_polynomial():
    x = np.array([[1.0, -2.0], [0.5, 3.0]])
    gradient = numerical_gradient(lambda: x[0, 0] ** 3 + 2 * x[0, 1] * x[1, 1], x)
    assert gradient == pytest.approx(np.array([[3, 6], [0, -4]]), abs=1e-8)
    assert x.tolist() == [[1, -2], [0.5, 3]]


def test_differences_need_float64():
    with pytest.raises(ValueError, match="float64"):
        numerical_gradient(lambda: 0, np.zeros(2, np.float32))


@pytest.mark.parametrize("actual, expected, error", [([1, 2], [1, 4], 0.5), ([0.1], [0.0], 0.1), ([], [], 0)])
def test_errors_are_relative_to_the_largest_number(actual, expected, error):
    assert relative_error(np.array(actual), np.array(expected)) == pytest.approx(error)
