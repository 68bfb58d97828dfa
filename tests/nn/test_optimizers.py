import numpy as np
import pytest

from hpcgen.nn.optimizers import OPTIMIZERS


def state(optimizer, n, dtype):
    return {slot: np.zeros(n, dtype) for slot in optimizer.slots}


# The papers' formulas, one number at a time.
def sgd(o, theta, g, s, t):
    return theta - o.learning_rate * g


def momentum(o, theta, g, s, t):
    s["v"] = o.momentum * s.get("v", 0) + g
    return theta - o.learning_rate * s["v"]


def adam(o, theta, g, s, t):
    s["m"] = o.beta1 * s.get("m", 0) + (1 - o.beta1) * g
    s["v"] = o.beta2 * s.get("v", 0) + (1 - o.beta2) * g**2
    m, v = s["m"] / (1 - o.beta1**t), s["v"] / (1 - o.beta2**t)
    return theta - o.learning_rate * m / (v**0.5 + o.epsilon)


def rmsprop(o, theta, g, s, t):
    s["v"] = o.rho * s.get("v", 0) + (1 - o.rho) * g**2
    return theta - o.learning_rate * g / (s["v"] ** 0.5 + o.epsilon)


FORMULAS = {"sgd": sgd, "momentum": momentum, "adam": adam, "rmsprop": rmsprop}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_follow_the_formula(name, random):
    optimizer, n = OPTIMIZERS[name](), 5
    theta = random.standard_normal(n)
    expected, slots, scalar_slots = list(theta), state(optimizer, n, np.float64), [{} for _ in range(n)]
    for t in range(1, 6):
        grad = random.standard_normal(n)
        optimizer.step(theta, grad, slots, t)
        expected = [FORMULAS[name](optimizer, x, g, s, t) for x, g, s in zip(expected, grad, scalar_slots)]
    assert theta == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_slice_steps_like_the_whole(name, random):
    optimizer, n = OPTIMIZERS[name](), 1003
    whole = random.standard_normal(n).astype(np.float32)
    parts, slots = whole.copy(), state(optimizer, n, np.float32)
    pieces = [slice(0, 17), slice(17, 500), slice(500, 500), slice(500, n)]
    piece_slots = [state(optimizer, p.stop - p.start, np.float32) for p in pieces]
    for t in range(1, 4):
        grad = random.standard_normal(n).astype(np.float32)
        optimizer.step(whole, grad, slots, t)
        for piece, piece_state in zip(pieces, piece_slots):
            optimizer.step(parts[piece], grad[piece], piece_state, t)
    assert whole.dtype == np.float32 and whole.tobytes() == parts.tobytes()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_parabola_is_descended(name):
    optimizer = OPTIMIZERS[name](learning_rate=0.01)
    theta = np.array([1.0, -2.0])
    slots = state(optimizer, 2, np.float64)
    for t in range(1, 1001):
        optimizer.step(theta, theta.copy(), slots, t)
    assert np.abs(theta).max() < 0.02
