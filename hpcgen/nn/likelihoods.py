"""Likelihoods of samples under a decoder: negative logarithms, summed, and their derivatives in the decoder's numbers.

Each function takes a and x of one shape and returns -log p(x | a) summed over all of it, and its derivative in a.
"""

import numpy as np

from hpcgen.nn.functions import sigmoid, softplus


class Bernoulli:
    """x in 0 to 1 with the probability sigmoid(a) of 1 (Kingma & Welling 2013, arXiv:1312.6114, appendix C.1)."""

    range = (0.0, 1.0)

    @staticmethod
    def loss(a, x):
        """-x log sigmoid(a) - (1 - x) log(1 - sigmoid(a)) = softplus(a) - x a."""
        terms = softplus(a)
        terms -= x * a
        slope = sigmoid(a)
        slope -= x
        return terms.sum(), slope

    @staticmethod
    def mean(a):
        """Return the mean of x."""
        return sigmoid(a)


class Gaussian:
    """x normal around a with variance 1, in units where samples lie in -1 to 1 (the same paper, appendix C.2)."""

    range = (-1.0, 1.0)

    @staticmethod
    def loss(a, x):
        """((x - a)^2 + log 2 pi) / 2."""
        slope = a - x
        return 0.5 * ((slope * slope).sum() + x.size * np.log(2 * np.pi)), slope

    @staticmethod
    def mean(a):
        """Return the mean of x."""
        return a


LIKELIHOODS = {"bernoulli": Bernoulli, "gaussian": Gaussian}
