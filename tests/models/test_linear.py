"""The linear generator against least squares: its loss is least where theirs is, in the data's own units."""

import numpy as np
import pytest
from gradients import initialized, write_gradient

from hpcgen.data.schema import Columns, Schema
from hpcgen.models.batch import Batch
from hpcgen.models.linear import LinearGenerator, LinearOptions
from hpcgen.nn.vector import Vector

N = 60
INTERCEPT = pytest.mark.parametrize("intercept", [True, False])


def columns(rows):
    return Columns(tuple(rows.mean(0).tolist()), tuple(rows.std(0).tolist()))


@pytest.fixture
def data(random):
    """Inputs x (n, 3) and outputs y (n, 2) in units of their own, and their Schema."""
    x = random.standard_normal((N, 3)) * [1, 10, 0.1] + [0, 5, -2]
    y = x @ random.standard_normal((3, 2)) + [1, -4] + 0.3 * random.standard_normal((N, 2))
    return x, y, Schema((2,), "float32", "array", -1.0, 1.0, inputs=columns(x), outputs=columns(y))


def fitted(data, intercept, random):
    """Return a model whose theta is the maximum of the likelihood, by least squares in the model's units, and
    a batch of all rows."""
    x, y, schema = data
    model = LinearGenerator(LinearOptions(kind="linear", intercept=intercept), schema)
    theta = initialized(model, random)
    own, batch = theta["linear"], model.batch(N, y, x)
    assert not own.data.any()
    batch.samples, batch.inputs = batch.samples.astype(np.float64), batch.inputs.astype(np.float64)
    given = np.hstack([batch.inputs, np.ones((N, int(intercept)))])
    found = np.linalg.lstsq(given, batch.samples, rcond=None)[0]
    own["theta"][...] = found[:3]
    if intercept:
        own["intercept"][...] = found[3]
    residual = batch.samples - given @ found
    own["log_deviation"][...] = 0.5 * np.log(np.square(residual).mean(0))
    return model, theta, batch, residual


@INTERCEPT
def test_the_loss_is_least_where_likelihood_is_most(data, random, intercept):
    model, theta, batch, residual = fitted(data, intercept, random)
    grad = Vector(model.layouts["linear"], dtype=np.float64)
    write_gradient(model, "linear", theta, batch, grad)
    assert grad.data[grad.layout.parameters] == pytest.approx(0, abs=1e-9)
    deviation = np.exp(theta["linear"]["log_deviation"])
    density = np.exp(-0.5 * (residual / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi))
    assert grad["loss"] == pytest.approx(-np.log(density).sum(), rel=1e-12)
    assert grad["squared_error"] == pytest.approx(np.square(residual).mean(1).sum(), rel=1e-12)


@INTERCEPT
def test_coefficients_are_those_of_the_rows_in_the_file(data, random, intercept):
    x, y, _ = data
    model, theta, _, _ = fitted(data, intercept, random)
    given = np.hstack([x, np.ones((N, int(intercept)))])
    expected = np.linalg.lstsq(given, y, rcond=None)[0]
    slope, start, deviation = model.coefficients(theta)
    assert slope == pytest.approx(expected[:3], rel=1e-4)
    assert start == pytest.approx(expected[3] if intercept else np.zeros(2), rel=1e-3, abs=1e-12)
    assert deviation == pytest.approx(np.sqrt(np.square(y - given @ expected).mean(0)), rel=1e-4)


@INTERCEPT
def test_samples_are_the_line_and_noise(data, random, intercept):
    x, _, _ = data
    model, theta, _, _ = fitted(data, intercept, random)
    noise = model.noise(random, N)
    assert noise.shape == (N, 2) and noise.dtype == np.float32
    slope, start, deviation = model.coefficients(theta)
    made = model.generate(theta, model.batch(N, inputs=x, noise=noise))
    assert made == pytest.approx(x @ slope + start + deviation * noise, rel=1e-4, abs=1e-4)


def test_without_an_intercept_nothing_is_made_of_nothing(data, random):
    model, theta, _, _ = fitted(data, False, random)
    nothing = Batch(1, inputs=model.input_units.encode(np.zeros((1, 3))), noise=np.zeros((1, 2)))
    assert not model.generate(theta, nothing).any()
