"""Scalar functions against their definitions, in Python's numbers and far out."""

from math import exp, log1p

import numpy as np
import pytest

from hpcgen.nn.functions import sigmoid, softplus

DEFINITIONS = {sigmoid: lambda x: 1 / (1 + exp(-x)), softplus: lambda x: max(x, 0) + log1p(exp(-abs(x)))}
EACH = pytest.mark.parametrize("function", DEFINITIONS, ids=lambda function: function.__name__)


@EACH
def test_definitions(function):
    x = np.linspace(-30, 30, 243).reshape(3, -1)
    expected = [DEFINITIONS[function](value) for value in x.reshape(-1).tolist()]
    assert function(x).reshape(-1).tolist() == pytest.approx(expected, rel=1e-14)


@EACH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_argument_stays_as_it_is_and_gives_its_type(function, dtype):
    x = np.array([-3, 0, 2], dtype)
    x.flags.writeable = False
    assert function(x).dtype == dtype


def test_numbers_far_out_have_their_limits():
    """Warnings are errors: nothing overflows."""
    x = np.array([-1e4, -200, 200, 1e4], np.float32)
    assert sigmoid(x).tolist() == [0, 0, 1, 1]
    assert softplus(x).tolist() == [0, 0, 200, 1e4]


def test_what_they_have_in_common(random):
    """sigmoid(x) + sigmoid(-x) = 1, softplus(x) - softplus(-x) = x, and log sigmoid(x) = -softplus(-x)."""
    x = random.standard_normal(100) * 5
    assert sigmoid(x) + sigmoid(-x) == pytest.approx(1, rel=1e-15)
    assert softplus(x) - softplus(-x) == pytest.approx(x, rel=1e-12)
    assert np.log(sigmoid(x)) == pytest.approx(-softplus(-x), rel=1e-12)
