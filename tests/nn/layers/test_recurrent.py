"""Compare GRU and LSTM with their equations, one number at a time."""

from math import exp, tanh

import numpy as np
import pytest

from hpcgen.nn.check import check_layer
from hpcgen.nn.layers.recurrent import GRU, LSTM

LAYERS = pytest.mark.parametrize("kind", [GRU, LSTM])
SHAPES = pytest.mark.parametrize(
    "n, time, features, hidden", [(1, 1, 1, 1), (2, 1, 3, 2), (3, 4, 2, 3), (1, 7, 2, 1)]
)


def sigmoid(x):
    return 1 / (1 + exp(-x))


def shares(theta, x, h, gate, j):
    """Return what the input and what the state give to unit j of a gate."""
    column = gate * len(h) + j
    a = theta["rnn/input_bias"][column] + sum(x[i] * theta["rnn/input"][i, column] for i in range(len(x)))
    u = theta["rnn/recurrent_bias"][column] + sum(
        h[i] * theta["rnn/recurrent"][i, column] for i in range(len(h))
    )
    return a, u


def gru(theta, x, hidden):
    h = [0.0] * hidden
    for now in x:
        after = []
        for j in range(hidden):
            (ar, ur), (az, uz), (an, un) = (shares(theta, now, h, gate, j) for gate in range(3))
            z = sigmoid(az + uz)
            after.append((1 - z) * tanh(an + sigmoid(ar + ur) * un) + z * h[j])
        h = after
        yield h


def lstm(theta, x, hidden):
    h, c = [0.0] * hidden, [0.0] * hidden
    for now in x:
        after = []
        for j in range(hidden):
            i, f, g, o = (sum(shares(theta, now, h, gate, j)) for gate in range(4))
            c[j] = sigmoid(f) * c[j] + sigmoid(i) * tanh(g)
            after.append(sigmoid(o) * tanh(c[j]))
        h = after
        yield h


EQUATIONS = {GRU: gru, LSTM: lstm}


@LAYERS
@SHAPES
def test_derivatives(random, filled, kind, n, time, features, hidden):
    layer = kind("rnn", features, hidden)
    errors = check_layer(layer, filled(layer, random), random.standard_normal((n, time, features)), random)
    assert set(errors) == {"x", "rnn/input", "rnn/recurrent", "rnn/input_bias", "rnn/recurrent_bias"}
    assert max(errors.values()) < 1e-8


@LAYERS
@SHAPES
def test_definitions(random, filled, kind, n, time, features, hidden):
    layer = kind("rnn", features, hidden)
    theta, x = filled(layer, random), random.standard_normal((n, time, features))
    y, _ = layer.forward(theta, x)
    assert y.shape == (n, time, hidden)
    for sample, expected in zip(y, x):
        assert sample == pytest.approx(np.array(list(EQUATIONS[kind](theta, expected, hidden))), rel=1e-12)


@LAYERS
def test_what_comes_later_changes_nothing_before(random, filled, kind):
    layer = kind("rnn", 3, 4)
    theta, x = filled(layer, random), random.standard_normal((2, 6, 3))
    y, backward = layer.forward(theta, x)
    changed = x.copy()
    changed[:, 4:] += 1
    z, _ = layer.forward(theta, changed)
    assert np.array_equal(y[:, :4], z[:, :4]) and not np.isclose(y[:, 4:], z[:, 4:]).any()
    dy = random.standard_normal(y.shape)
    dy[:, 3:] = 0
    assert not backward(dy)[:, 3:].any()


@LAYERS
def test_samples_do_not_mix(random, filled, kind):
    layer = kind("rnn", 3, 4)
    theta, x = filled(layer, random), random.standard_normal((3, 5, 3))
    y, _ = layer.forward(theta, x)
    for i in range(3):
        assert layer.forward(theta, x[i : i + 1])[0][0] == pytest.approx(y[i], rel=1e-12)


@LAYERS
def test_large_inputs_saturate(filled, random, kind):
    layer = kind("rnn", 2, 3)
    theta = filled(layer, random, np.float32)
    y, backward = layer.forward(theta, np.full((1, 3, 2), 1e4, np.float32))
    assert np.isfinite(y).all() and np.isfinite(backward(np.ones_like(y))).all()


@LAYERS
def test_the_unrolled_gradient_against_a_loop_over_steps(random, filled, kind):
    """One time step after the other, forwards and backwards, with a product a step."""
    n, time, features, hidden = 3, 6, 4, 5
    layer = kind("rnn", features, hidden)
    theta, x, start = (
        filled(layer, random),
        random.standard_normal((n, time, features)),
        random.standard_normal((n, hidden)),
    )
    y, backward = layer.run(theta, x, start)
    dy = random.standard_normal(y.shape)
    grad = type(theta)(theta.layout, dtype=np.float64)
    dx, dstart = backward(dy.copy(), grad)

    weight, recurrent, bias, recurrent_bias = (theta[name] for name in layer.names)
    state, states, backs = layer.start(start), [], []
    for t in range(time):
        states.append(state)
        state, back = layer.step(x[:, t] @ weight + bias, state[0] @ recurrent + recurrent_bias, state)
        backs.append(back)
        assert y[:, t] == pytest.approx(state[0], abs=1e-14)
        assert np.array_equal(layer.advance(theta, x[:, t], states[-1])[0], state[0])
    expected = {name: np.zeros_like(theta[name]) for name in layer.names}
    dstate = tuple(np.zeros_like(part) for part in state)
    for t in reversed(range(time)):
        da, du, before = backs[t]((dstate[0] + dy[:, t], *dstate[1:]))
        for name, derivative in zip(layer.names, (x[:, t].T @ da, states[t][0].T @ du, da.sum(0), du.sum(0))):
            expected[name] += derivative
        assert dx[:, t] == pytest.approx(da @ weight.T, abs=1e-12)
        dstate = (before[0] + du @ recurrent.T, *before[1:])
    assert dstart == pytest.approx(dstate[0], abs=1e-12)
    for name in layer.names:
        assert grad[name] == pytest.approx(expected[name], abs=1e-11)
