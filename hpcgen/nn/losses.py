"""Adversarial losses on logits: sums over samples, and their derivatives.

Each function takes the discriminator's logits (n, 1), before any sigmoid. It returns the loss summed over the
samples, and its derivative with respect to the logits. With D = sigmoid(logit), log D = -softplus(-logit) and
log(1 - D) = -softplus(logit). These forms do not overflow and keep small values. If the discriminator has
targets, the target of real samples is 1 - `smoothing` instead of 1: one-sided label smoothing (Salimans et
al. 2016, arXiv:1606.03498, section 3.4).
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from hpcgen.arrays import Array
from hpcgen.nn.functions import sigmoid


class Loss(ABC):
    """An adversarial loss: each function returns the sum over samples, and its derivative in the logits.

    `smoothing` is that of the targets, of a loss that `smooths` them.
    """

    smooths: ClassVar[bool]

    def __init__(self, smoothing: float = 0.0) -> None:
        self._smoothing = smoothing

    @abstractmethod
    def real(self, logits: Array) -> tuple[np.floating, Array]:
        """Return the discriminator's loss on real samples."""

    @abstractmethod
    def fake(self, logits: Array) -> tuple[np.floating, Array]:
        """Return the discriminator's loss on generated samples."""

    @abstractmethod
    def generator(self, logits: Array) -> tuple[np.floating, Array]:
        """Return the generator's loss."""


class Minimax(Loss):
    """The two-player game of Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1: D maximises V(D, G), and G
    minimises it."""

    smooths = True

    def real(self, logits: Array) -> tuple[np.floating, Array]:
        """-(1 - s) log D(x) - s log(1 - D(x)), with s the smoothing."""
        return np.logaddexp(0, -logits).sum() + self._smoothing * logits.sum(), self._smoothing - sigmoid(
            -logits
        )

    @staticmethod
    def fake(logits: Array) -> tuple[np.floating, Array]:
        """-log(1 - D(G(z)))."""
        return np.logaddexp(0, logits).sum(), sigmoid(logits)

    @staticmethod
    def generator(logits: Array) -> tuple[np.floating, Array]:
        """log(1 - D(G(z)))."""
        return -np.logaddexp(0, logits).sum(), -sigmoid(logits)


class NonSaturating(Minimax):
    """As `Minimax`, but the generator maximises log D(G(z)) (Goodfellow et al. 2014, section 3)."""

    @staticmethod
    def generator(logits: Array) -> tuple[np.floating, Array]:
        """-log D(G(z))."""
        return np.logaddexp(0, -logits).sum(), -sigmoid(-logits)


class LeastSquares(Loss):
    """Mao et al. 2017 (arXiv:1611.04076), eq. 9. Targets: real 1, generated 0; for the generator 1."""

    smooths = True

    def real(self, logits: Array) -> tuple[np.floating, Array]:
        """(D(x) - 1 + s)^2 / 2, with s the smoothing."""
        return _half_square(logits - (1 - self._smoothing))

    @staticmethod
    def fake(logits: Array) -> tuple[np.floating, Array]:
        """D(G(z))^2 / 2."""
        return _half_square(logits.copy())

    @staticmethod
    def generator(logits: Array) -> tuple[np.floating, Array]:
        """(D(G(z)) - 1)^2 / 2."""
        return _half_square(logits - 1)


def _half_square(error: Array) -> tuple[np.floating, Array]:
    return 0.5 * (error * error).sum(), error


class Wasserstein(Loss):
    """Arjovsky et al. 2017 (arXiv:1701.07875), eq. 2: the critic's mean on real samples minus its mean on
    generated samples. The critic's slope must be bounded, by clipping its parameters or by a penalty."""

    smooths = False

    @staticmethod
    def real(logits: Array) -> tuple[np.floating, Array]:
        """-D(x)."""
        return -logits.sum(), np.full_like(logits, -1)

    @staticmethod
    def fake(logits: Array) -> tuple[np.floating, Array]:
        """D(G(z))."""
        return logits.sum(), np.ones_like(logits)

    @staticmethod
    def generator(logits: Array) -> tuple[np.floating, Array]:
        """-D(G(z))."""
        return -logits.sum(), np.full_like(logits, -1)


class Hinge(Wasserstein):
    """Lim & Ye 2017 (arXiv:1705.02894), eq. 13 and 14. As `Wasserstein`, but a real sample adds nothing if
    D(x) >= 1, and a generated sample adds nothing if D(G(z)) <= -1."""

    @staticmethod
    def real(logits: Array) -> tuple[np.floating, Array]:
        """max(0, 1 - D(x))."""
        return np.maximum(0, 1 - logits).sum(), -(logits < 1).astype(logits.dtype)

    @staticmethod
    def fake(logits: Array) -> tuple[np.floating, Array]:
        """max(0, 1 + D(G(z)))."""
        return np.maximum(0, 1 + logits).sum(), (logits > -1).astype(logits.dtype)


LOSSES: dict[str, type[Loss]] = {
    "minimax": Minimax,
    "non-saturating": NonSaturating,
    "least-squares": LeastSquares,
    "hinge": Hinge,
    "wasserstein": Wasserstein,
}
