"""Likelihoods of samples under a decoder with outputs a: negative logarithms and their derivatives.

Each likelihood has `terms(a, x)`, -log p(x | a) for each number of x, and `loss(a, x)`, the sum of the terms
and its derivative with respect to a. Likelihoods of numbers have `mean(a)`. Likelihoods of sequences have
`draw(a, random)`, which draws x from p(x | a), or returns the most likely x if random is None.
"""

from typing import Protocol

import numpy as np

from hpcgen.arrays import Array, standard_normal, uniform
from hpcgen.nn.functions import sigmoid, softplus


class Likelihood(Protocol):
    """p(x | a), where a are the outputs of a decoder."""

    def terms(self, a: Array, x: Array) -> Array:
        """Return -log p(x | a) for each number of x."""

    def loss(self, a: Array, x: Array) -> tuple[np.floating, Array]:
        """Return the sum of the terms, and its derivative with respect to a."""


class LikelihoodOfNumbers(Likelihood, Protocol):
    """The likelihood of numbers in an interval."""

    range: tuple[float, float]

    def mean(self, a: Array) -> Array:
        """Return the mean of x."""


class LikelihoodOfElements(Likelihood, Protocol):
    """The likelihood of the elements of a sequence, which are drawn one after the other."""

    def draw(self, a: Array, random: np.random.Generator | None) -> Array:
        """Return x drawn from p(x | a), or the most likely x if `random` is None."""


class Bernoulli(LikelihoodOfNumbers):
    """x in 0 to 1, where 1 has the probability sigmoid(a) (Kingma & Welling 2013, arXiv:1312.6114, appendix
    C.1)."""

    range = (0.0, 1.0)

    @staticmethod
    def terms(a: Array, x: Array) -> Array:
        """-x log sigmoid(a) - (1 - x) log(1 - sigmoid(a)) = softplus(a) - x a."""
        terms = softplus(a)
        terms -= x * a
        return terms

    def loss(self, a: Array, x: Array) -> tuple[np.floating, Array]:
        slope = sigmoid(a)
        slope -= x
        return self.terms(a, x).sum(), slope

    @staticmethod
    def mean(a: Array) -> Array:
        return sigmoid(a)


class Gaussian(LikelihoodOfNumbers, LikelihoodOfElements):
    """x is normal with mean a and standard deviation `sigma`. Samples are in -1 to 1 (same paper, C.2)."""

    range = (-1.0, 1.0)

    def __init__(self, sigma: float = 1.0) -> None:
        self._sigma, self._inverse = sigma, sigma**-2

    def terms(self, a: Array, x: Array) -> Array:
        """((x - a) / sigma)^2 / 2 + log sigma + log(2 pi) / 2."""
        error = a - x
        return 0.5 * self._inverse * error * error + (np.log(self._sigma) + 0.5 * np.log(2 * np.pi))

    def loss(self, a: Array, x: Array) -> tuple[np.floating, Array]:
        return self.terms(a, x).sum(), (a - x) * self._inverse

    @staticmethod
    def mean(a: Array) -> Array:
        return a

    def draw(self, a: Array, random: np.random.Generator | None) -> Array:
        return a if random is None else a + self._sigma * standard_normal(random, a.shape)


class Categorical(LikelihoodOfElements):
    """Tokens x (...) with the probabilities softmax(a), a (..., tokens): cross entropy."""

    @staticmethod
    def terms(a: Array, x: Array) -> Array:
        """log sum exp a - a[x]."""
        chosen = np.take_along_axis(a, x[..., None], -1)[..., 0]
        top = a.max(-1, keepdims=True)
        return np.log(np.exp(a - top).sum(-1)) + top[..., 0] - chosen

    @staticmethod
    def loss(a: Array, x: Array) -> tuple[np.floating, Array]:
        rows, tokens = a.reshape(-1, a.shape[-1]), x.reshape(-1)
        slope = rows - rows.max(-1, keepdims=True)
        own = np.arange(len(tokens), like=tokens), tokens
        chosen = slope[own]
        np.exp(slope, out=slope)
        total = slope.sum(-1, keepdims=True)
        slope /= total
        slope[own] -= 1
        return (np.log(total[:, 0]) - chosen).sum(), slope.reshape(a.shape)

    @staticmethod
    def draw(a: Array, random: np.random.Generator | None) -> Array:
        """Draw tokens (n,) for a (n, tokens): the first token whose cumulative probability exceeds a uniform
        random number."""
        if random is None:
            return a.argmax(-1)
        total = np.cumsum(np.exp(a - a.max(-1, keepdims=True)), axis=-1)
        threshold = uniform(random, (len(a), 1)) * total[:, -1:]
        return (total <= threshold).sum(-1).clip(max=a.shape[-1] - 1)
