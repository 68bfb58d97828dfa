"""Likelihoods are distributions, their derivatives are those of differences, and draws follow them."""

import numpy as np
import pytest

from hpcgen.nn.check import numerical_gradient, relative_error
from hpcgen.nn.likelihoods import Bernoulli, Categorical, Gaussian


@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian(), Gaussian(0.3)])
@pytest.mark.parametrize("a", [-2.0, 0.3, 4.0])
def test_likelihoods_add_up_to_one(likelihood, a):
    binary = isinstance(likelihood, Bernoulli)
    x = np.array([0.0, 1.0]) if binary else np.linspace(-20, 20, 40_001)
    weight = 1.0 if binary else x[1] - x[0]
    assert np.exp(-likelihood.terms(np.full_like(x, a), x)).sum() * weight == pytest.approx(1)


@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian(), Gaussian(0.3), Categorical()])
def test_derivatives(random, likelihood):
    a = random.standard_normal((2, 3, 4))
    x = random.integers(0, 4, (2, 3)) if isinstance(likelihood, Categorical) else random.random(a.shape)
    loss, slope = likelihood.loss(a, x)
    assert loss == pytest.approx(likelihood.terms(a, x).sum(), rel=1e-13) and slope.shape == a.shape
    assert relative_error(slope, numerical_gradient(lambda: likelihood.loss(a, x)[0], a)) < 1e-8


@pytest.mark.parametrize("likelihood", [Bernoulli(), Gaussian(0.3)])
def test_means(random, likelihood):
    """The mean of x minimises the expected loss: there the derivative in a is zero."""
    a = random.standard_normal((5, 2))
    assert likelihood.loss(a, likelihood.mean(a))[1] == pytest.approx(0, abs=1e-15)


def test_draws_of_a_normal_distribution_have_its_mean_and_deviation():
    a, likelihood = np.full(40_000, 2.0, np.float32), Gaussian(0.3)
    drawn = likelihood.draw(a, np.random.default_rng(0))
    assert drawn.dtype == np.float32 and likelihood.draw(a, None) is a
    assert (drawn.mean(), drawn.std()) == (pytest.approx(2, abs=0.01), pytest.approx(0.3, rel=0.02))


def test_draws_of_tokens_have_their_frequencies(random):
    a, likelihood = random.standard_normal((2, 3, 5)), Categorical()
    chances = np.exp([-likelihood.terms(a, np.full((2, 3), token)) for token in range(5)])
    assert chances.sum(0) == pytest.approx(1)
    drawn = likelihood.draw(np.broadcast_to(a[0, 0], (20_000, 5)), np.random.default_rng(0))
    assert np.bincount(drawn, minlength=5) / 20_000 == pytest.approx(chances[:, 0, 0], abs=0.01)
    assert np.array_equal(likelihood.draw(a[0], None), a[0].argmax(1))


class Extreme:
    """A generator of one number."""

    def __init__(self, number):
        self.number = number

    def random(self, shape, dtype):
        return np.full(shape, self.number, dtype)


@pytest.mark.parametrize("number, token", [(0.0, 1), (1.0, 3)])
def test_the_extremes_draw_a_token_that_can_come(number, token):
    """Neither one without probability, nor, if the product is rounded up to the total, one past the last."""
    a = np.array([[-400, 0, 0, 0]], np.float32)
    assert Categorical().draw(a, Extreme(number)).tolist() == [token]


def test_logits_far_out_stay_finite():
    a = np.array([[-1e4, 1e4, 0]], np.float32)
    for token, expected in ((0, 2e4), (1, 0)):
        loss, slope = Categorical().loss(a, np.array([token]))
        assert loss == expected and np.isfinite(slope).all()
