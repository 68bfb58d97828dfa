"""Compare optimizers with the papers' formulas, one number at a time, and steps on slices with steps on the
whole vector. Test the schedules."""

import itertools
import math

import numpy as np
import pytest

from hpcgen.nn.optimizers import OPTIMIZERS, SGD, Adam
from hpcgen.nn.vector import Layout
from hpcgen.parallel.ownership import Ownership
from hpcgen.parallel.parts import Parts

BLOCK = 16
# Sizes that begin and end within blocks, and a tensor of one axis.
LAYOUT = Layout({"a": (5, 7), "bias": (9,), "b": (3, 20), "c": (2, 2)})
N = LAYOUT.size


def state(optimizer, n, dtype):
    return {slot: np.zeros(n, dtype) for slot in optimizer.slots}


def parts(cuts=(0, N), rank=0, collect=lambda values: values):
    ranges = [[slice(start, stop)] for start, stop in itertools.pairwise(cuts)]
    return Parts(LAYOUT, Ownership(ranges, rank), collect, BLOCK)


# The papers' formulas for one tensor, as lists of numbers; g is the mean gradient.
def sgd(o, w, g, s, t):
    return [x - o.rate(t) * d for x, d in zip(w, g)]


def momentum(o, w, g, s, t):
    s["v"] = [o.momentum * v + d for v, d in zip(s.get("v", [0] * len(w)), g)]
    return [x - o.rate(t) * v for x, v in zip(w, s["v"])]


def moments(o, g, s, t):
    zeros = [0] * len(g)
    s["m"] = [o.beta1 * m + (1 - o.beta1) * d for m, d in zip(s.get("m", zeros), g)]
    s["v"] = [o.beta2 * v + (1 - o.beta2) * d * d for v, d in zip(s.get("v", zeros), g)]
    return [
        m / (1 - o.beta1**t) / (math.sqrt(v / (1 - o.beta2**t)) + o.epsilon) for m, v in zip(s["m"], s["v"])
    ]


def adam(o, w, g, s, t):
    return [x - o.rate(t) * (r + o.weight_decay * x) for x, r in zip(w, moments(o, g, s, t))]


def rmsprop(o, w, g, s, t):
    s["v"] = [o.rho * v + (1 - o.rho) * d * d for v, d in zip(s.get("v", [0] * len(w)), g)]
    return [x - o.rate(t) * d / (math.sqrt(v) + o.epsilon) for x, d, v in zip(w, g, s["v"])]


def norm(values):
    return math.sqrt(sum(x * x for x in values))


def lars(o, w, g, s, t, adapts):
    decay = o.weight_decay if adapts else 0
    trust = o.trust * norm(w) / (norm(g) + decay * norm(w)) if adapts else 1
    s["v"] = [
        o.momentum * v + o.rate(t) * trust * (d + decay * x)
        for v, d, x in zip(s.get("v", [0] * len(w)), g, w)
    ]
    return [x - v for x, v in zip(w, s["v"])]


def lamb(o, w, g, s, t, adapts):
    decay = o.weight_decay if adapts else 0
    direction = [r + decay * x for r, x in zip(moments(o, g, s, t), w)]
    trust = norm(w) / norm(direction) if adapts else 1
    return [x - o.rate(t) * trust * d for x, d in zip(w, direction)]


FORMULAS = {
    "sgd": sgd,
    "momentum": momentum,
    "adam": adam,
    "adamw": adam,
    "rmsprop": rmsprop,
    "lars": lars,
    "lamb": lamb,
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_follow_the_formula(name, random):
    optimizer, scale = OPTIMIZERS[name](), 1 / 12
    theta, slots = random.standard_normal(N), state(optimizer, N, np.float64)
    expected, memories = list(theta), [{} for _ in LAYOUT.shapes]
    for t in range(1, 6):
        grad = random.standard_normal(N)
        mean = list(grad * scale)
        for (part, where, adapts), memory in zip(parts(), memories):
            adaptive = {"adapts": adapts} if name in ("lars", "lamb") else {}
            expected[where] = FORMULAS[name](optimizer, expected[where], mean[where], memory, t, **adaptive)
        optimizer.step(theta, grad, slots, t, optimizer.rate(t), scale, parts())
    assert theta == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("cuts", [(0, 16, N), (0, 32, 32, 64, N), (0, N, N)])
def test_steps_on_slices_are_the_bits_of_a_step_on_the_whole(comm, name, cuts, random):
    """The slices exchange their sums of squares as ranks do: all give theirs before one of them goes on."""
    optimizer = OPTIMIZERS[name](clip_norm=0.1)
    whole = random.standard_normal(N).astype(np.float32)
    divided, slots = whole.copy(), state(optimizer, N, np.float32)
    pieces = [slice(a, b) for a, b in zip(cuts, cuts[1:])]
    piece_slots = [state(optimizer, p.stop - p.start, np.float32) for p in pieces]
    for t in range(1, 4):
        grad = random.standard_normal(N).astype(np.float32)
        whole_grad, asked = grad.copy(), []

        def note(values):
            asked.append(values)
            return values

        noting = parts(collect=note)
        optimizer.step(
            whole, whole_grad, slots, t, optimizer.rate(t), optimizer.clipped(0.5, whole_grad, noting), noting
        )
        for rank, (piece, piece_state) in enumerate(zip(pieces, piece_slots, strict=True)):
            answers, mine = iter(asked), []

            def answer(values):
                mine.append(values)
                return next(answers)

            own, piece_grad = parts(cuts, rank, answer), grad[piece].copy()
            optimizer.step(
                divided[piece],
                piece_grad,
                piece_state,
                t,
                optimizer.rate(t),
                optimizer.clipped(0.5, piece_grad, own),
                own,
            )
            for values, total in zip(mine, asked):
                assert set(values) <= set(total)
        assert whole.tobytes() == divided.tobytes()


@pytest.mark.parametrize("name", sorted(OPTIMIZERS.keys() - {"lars"}))
def test_a_parabola_is_descended(name):
    optimizer = OPTIMIZERS[name](learning_rate=0.01)
    theta, layout = np.array([[1.0, -2.0]]).reshape(-1), Layout({"w": (1, 2)})
    slots = state(optimizer, 2, np.float64)
    for t in range(1, 1001):
        optimizer.step(
            theta,
            theta.copy(),
            slots,
            t,
            optimizer.rate(t),
            1.0,
            Parts(layout, Ownership.even(2, 1, 0), block=BLOCK),
        )
    assert np.abs(theta).max() < 0.05


def test_the_gradient_is_clipped_to_its_norm(random):
    grad = random.standard_normal(N)
    norm = np.linalg.norm(grad)
    assert SGD(clip_norm=0.5).clipped(1.0, grad, parts()) * norm == pytest.approx(0.5)
    assert SGD(clip_norm=2 * norm).clipped(1.0, grad, parts()) == 1.0
    assert SGD(clip_norm=norm).clipped(0.5, grad, parts()) == 0.5
    assert SGD().clipped(0.25, grad, parts()) == 0.25


def test_schedules():
    assert [SGD(learning_rate=2.0).rate(t) for t in (1, 100)] == [2.0, 2.0]
    linear = SGD(learning_rate=1.0, schedule="linear", warmup=4, decay_steps=14, floor=0.1)
    assert [linear.rate(t) for t in (1, 2, 4, 9, 14, 100)] == pytest.approx([0.25, 0.5, 1.0, 0.55, 0.1, 0.1])
    cosine = SGD(learning_rate=1.0, schedule="cosine", decay_steps=8)
    assert [cosine.rate(t) for t in (2, 4, 8)] == pytest.approx([(1 + math.sqrt(0.5)) / 2, 0.5, 0], abs=1e-15)


def test_a_schedule_moves_the_steps(random):
    grad = random.standard_normal(N)
    for t in (1, 5):
        optimizer, theta = (
            Adam(learning_rate=1.0, schedule="linear", decay_steps=10, beta1=0.0, beta2=0.0),
            np.zeros(N),
        )
        slots, rate = state(optimizer, N, np.float64), optimizer.rate(t)
        optimizer.step(theta, grad.copy(), slots, t, rate, 1.0, parts())
        assert np.abs(theta) == pytest.approx(np.full(N, 1 - t / 10), rel=1e-6)
