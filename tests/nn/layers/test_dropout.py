import numpy as np
import pytest

from hpcgen.nn.check import check_tangent
from hpcgen.nn.layer import TRAIN, Train
from hpcgen.nn.layers.dropout import Dropout
from hpcgen.nn.vector import Layout, Vector

RATES = pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])


def train(seed=0):
    return Train(random=np.random.default_rng(seed))


@pytest.mark.parametrize(
    "layer, train", [(Dropout(0.0), TRAIN), (Dropout(0.5), None)], ids=["rate 0", "inference"]
)
def test_nothing_is_dropped(random, layer, train):
    x, dy = random.standard_normal((2, 3, 4))
    y, backward = layer.forward(None, x, train)
    assert np.array_equal(y, x)
    assert backward(dy.copy(), need_dx=False) is None and np.array_equal(backward(dy.copy()), dy)


@RATES
def test_numbers_are_dropped_or_scaled(random, rate):
    x = random.standard_normal((40, 50)) + 10
    y, _ = Dropout(rate).forward(None, x, train())
    kept = y != 0
    assert y[kept] == pytest.approx(x[kept] / (1 - rate))
    assert (~kept).mean() == pytest.approx(rate, abs=5 * (rate * (1 - rate) / x.size) ** 0.5)


@RATES
def test_the_mean_is_kept(rate):
    x = np.ones(100_000, np.float32)
    y, _ = Dropout(rate).forward(None, x, train())
    assert y.mean(dtype=np.float64) == pytest.approx(1, abs=5 * (rate / (1 - rate) / x.size) ** 0.5)


def test_the_derivative_drops_the_same(random):
    x, dy = random.standard_normal((2, 30, 20)) + 10
    y, backward = Dropout(0.4).forward(None, x, train())
    assert backward(dy.copy()) == pytest.approx(dy * y / x, rel=1e-12)


def test_the_stream_decides(random):
    x = random.standard_normal((30, 20)) + 10
    (a, _), (b, _), (c, _) = (Dropout(0.5).forward(None, x, train(seed)) for seed in (1, 1, 2))
    assert np.array_equal(a, b) and not np.array_equal(a, c)


def test_float32_and_float64_drop_the_same(random):
    x = random.standard_normal((30, 20)) + 10
    (a, _), (b, _) = (
        Dropout(0.3).forward(None, x.astype(dtype), train()) for dtype in (np.float32, np.float64)
    )
    assert np.array_equal(a == 0, b == 0)


def test_each_pass_draws_anew(random):
    x, one = random.standard_normal((30, 20)) + 10, train()
    (a, _), (b, _) = (Dropout(0.5).forward(None, x, one) for _ in range(2))
    assert Dropout.draws and not np.array_equal(a, b)


@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize("passed", [train(3), None], ids=["training", "inference"])
def test_tangents(random, rate, passed):
    nothing = Vector(Layout(), dtype=np.float64)
    errors = check_tangent(Dropout(rate), nothing, random.standard_normal((6, 5)), random, passed)
    assert max(errors.values()) < 1e-8


def test_the_tangent_is_dropped_where_x_is(random):
    x, t = random.standard_normal((2, 30, 20)) + 10
    y, ty, _ = Dropout(0.4).tangent(None, x, t, Train(random=random))
    assert ty == pytest.approx(t * y / x, rel=1e-12) and 0.3 < (ty == 0).mean() < 0.5
