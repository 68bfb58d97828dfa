"""Adversarial losses on logits: sums over samples, and their derivatives.

Each function takes the discriminator's logits (n, 1), before any sigmoid, and returns the loss summed over the samples and
its derivative in the logits. With D = sigmoid(logit), log D = -softplus(-logit) and log(1 - D) = -softplus(logit), which
neither overflow nor lose the small values.
"""

import numpy as np

from hpcgen.nn.functions import sigmoid


class Minimax:
    """The two-player game of Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1: D maximises, G minimises V(D, G)."""

    @staticmethod
    def real(logits):
        """-log D(x)."""
        return np.logaddexp(0, -logits).sum(), -sigmoid(-logits)

    @staticmethod
    def fake(logits):
        """-log(1 - D(G(z)))."""
        return np.logaddexp(0, logits).sum(), sigmoid(logits)

    @staticmethod
    def generator(logits):
        """log(1 - D(G(z)))."""
        return -np.logaddexp(0, logits).sum(), -sigmoid(logits)


class NonSaturating(Minimax):
    """The same discriminator; the generator maximises log D(G(z)) (Goodfellow et al. 2014, section 3)."""

    generator = staticmethod(Minimax.real)


class LeastSquares:
    """Mao et al. 2017 (arXiv:1611.04076), eq. 9: targets 1 for real, 0 for generated, 1 for the generator."""

    @staticmethod
    def real(logits):
        """(D(x) - 1)^2 / 2."""
        error = logits - 1
        return 0.5 * (error * error).sum(), error

    @staticmethod
    def fake(logits):
        """D(G(z))^2 / 2."""
        return 0.5 * (logits * logits).sum(), logits.copy()

    generator = real


LOSSES = {"minimax": Minimax, "non-saturating": NonSaturating, "least-squares": LeastSquares}
