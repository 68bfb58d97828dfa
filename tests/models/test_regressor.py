"""The regressor's loss is what it leaves of the variance; its predictions are in the data's units."""

import numpy as np
import pytest
from gradients import initialized

from hpcgen.data.schema import Columns, Schema
from hpcgen.models.networks.architectures import Perceptron
from hpcgen.models.regressor import Regressor, RegressorOptions

N = 40


def columns(rows):
    return Columns(tuple(rows.mean(0).tolist()), tuple(rows.std(0).tolist()))


@pytest.fixture
def made(random):
    """A regressor without hidden layers, its theta, and the rows that its Schema describes."""
    x, y = random.standard_normal((N, 3)) * 7 + 2, random.standard_normal((N, 2)) * [10, 0.1] - 5
    schema = Schema((2,), "float32", "array", -1.0, 1.0, inputs=columns(x), outputs=columns(y))
    model = Regressor(RegressorOptions(regressor=Perceptron()), schema)
    return model, initialized(model, random), x, y


def test_the_mean_leaves_all_of_the_variance(made):
    model, theta, x, y = made
    theta["regressor"].data[...] = 0
    statistics, _ = model.objective("regressor", theta, model.batch(N, y, x))
    assert statistics["squared_error"] == pytest.approx(N, rel=1e-5) and statistics["count"] == N
    assert statistics["loss"] == pytest.approx(statistics["squared_error"], rel=1e-12)  # of two columns
    predicted = model.generate(theta, model.batch(N, inputs=x))
    assert predicted == pytest.approx(np.tile(y.mean(0), (N, 1)), rel=1e-5)


def test_least_squares_leave_their_residual(made):
    """A network without hidden layers is a line: its loss and its predictions are those of least squares."""
    model, theta, x, y = made
    given = np.hstack([x, np.ones((N, 1))])
    predicted = given @ np.linalg.lstsq(given, y, rcond=None)[0]
    own, units, batch = theta["regressor"], model.units, model.batch(N, y, x)
    found = np.linalg.lstsq(np.hstack([batch.inputs, np.ones((N, 1))]), batch.samples, rcond=None)[0]
    own["dense1/weight"][...], own["dense1/bias"][...] = found[:3], found[3]
    statistics, _ = model.objective("regressor", theta, batch)
    assert statistics["loss"] == pytest.approx(0.5 * np.square((y - predicted) / units.scale).sum(), rel=1e-5)
    assert model.generate(theta, model.batch(N, inputs=x)) == pytest.approx(predicted, abs=1e-4)
