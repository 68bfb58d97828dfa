"""Optimizers: one step on a flat vector.

`slots` are the names of the state vectors, which have the shape of theta. `step(theta, grad, state, t, rate,
scale, parts)` updates theta and the state in place, in one pass. `scale` grad is the mean gradient, t counts
updates from 1, `rate` is the learning rate, and `parts` are the vector's `Tensors`. grad may be
overwritten. All operations are elementwise, except the norms that `parts` computes. A step on slices of the
vector therefore gives the same bits as a step on the whole vector.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hpcgen.arrays import Array
from hpcgen.nn.kernels import kernels
from hpcgen.nn.schedules import SCHEDULES
from hpcgen.nn.vector import Tensors
from hpcgen.settings import setting


def _learning_rate(default: float) -> Any:
    return setting(default, gt=0, help="size of a step")


def _beta1(default: float) -> Any:
    return setting(default, ge=0, lt=1, help="decay of the first moment")


def _momentum(default: float) -> Any:
    return setting(default, ge=0, lt=1, help="share of the previous velocity that is kept")


def _epsilon(default: float) -> Any:
    return setting(default, gt=0, help="added to the denominator")


def _weight_decay(default: float) -> Any:
    return setting(default, ge=0, help="decay of the weights")


@dataclass(frozen=True)
class Optimizer:
    """The keys and functions of all optimizers.

    The learning rate rises linearly over the first `warmup` steps. Then it follows the `schedule`, which
    reaches `floor` times the learning rate at step `decay_steps` (0: the last step of the run). If the norm
    of the mean gradient exceeds `clip_norm`, the gradient is scaled down to that norm (Pascanu et al. 2013,
    arXiv:1211.5063, algorithm 1; 0: never). With `average` = a > 0, samples are drawn with the mean of past
    parameters: mean <- a mean + (1 - a) theta after each step (Polyak & Juditsky 1992; Yazici et al. 2018,
    arXiv:1806.04498).
    """

    learning_rate: float = _learning_rate(0.01)
    schedule: str = setting("constant", choices=SCHEDULES, help="how the learning rate decreases")
    warmup: int = setting(0, ge=0, help="steps over which the learning rate rises from 0")
    decay_steps: int = setting(
        0, ge=0, help="the step at which the schedule ends; 0: the last step of the run"
    )
    floor: float = setting(
        0.0, ge=0, le=1, help="learning rate at the end of the schedule, relative to learning_rate"
    )
    clip_norm: float = setting(
        0.0, ge=0, help="largest norm of a gradient; a larger gradient is scaled down; 0: no bound"
    )
    average: float = setting(
        0.0,
        ge=0,
        lt=1,
        help="a: draw samples with the mean of past parameters, mean = a mean + (1 - a) theta; "
        "0: with the current parameters",
    )

    slots: ClassVar[tuple[str, ...]] = ()

    def step(
        self,
        theta: Array,
        grad: Array,
        state: dict[str, Array],
        t: int,
        rate: float,
        scale: float,
        parts: Tensors,
    ) -> None:
        """Update theta and the state vectors in place."""
        raise AssertionError(f"{type(self).__name__} has no step")

    def rate(self, t: int) -> float:
        """Return the learning rate of step t of the run, counted from 1."""
        if t <= self.warmup:
            return self.learning_rate * t / self.warmup
        share = min(1.0, (t - self.warmup) / max(1, self.decay_steps - self.warmup))
        return self.learning_rate * (self.floor + (1 - self.floor) * SCHEDULES[self.schedule](share))

    def clipped(self, scale: float, grad: Array, parts: Tensors) -> float:
        """Return `scale`, reduced if needed so that the norm of scale x grad is at most clip_norm.

        Collective if `parts` is.
        """
        if not self.clip_norm:
            return scale
        norm = scale * np.sqrt(np.square(parts.norms(grad)).sum())
        return scale * min(1.0, self.clip_norm / max(norm, 1e-30))


@dataclass(frozen=True)
class SGD(Optimizer):
    """theta - eta g."""

    def step(
        self,
        theta: Array,
        grad: Array,
        state: dict[str, Array],
        t: int,
        rate: float,
        scale: float,
        parts: Tensors,
    ) -> None:
        kernels(theta).descend(theta, grad, rate * scale)


@dataclass(frozen=True)
class Momentum(Optimizer):
    """Heavy ball (Polyak 1964): v <- mu v + g; theta - eta v."""

    momentum: float = _momentum(0.9)
    slots: ClassVar[tuple[str, ...]] = ("velocity",)

    def step(
        self,
        theta: Array,
        grad: Array,
        state: dict[str, Array],
        t: int,
        rate: float,
        scale: float,
        parts: Tensors,
    ) -> None:
        kernels(theta).momentum(theta, grad, state["velocity"], scale, 0.0, self.momentum, 1.0, rate)


@dataclass(frozen=True)
class Adam(Optimizer):
    """Kingma & Ba 2014 (arXiv:1412.6980), algorithm 1. The defaults are those of DCGAN. The paper has beta1 =
    0.9 and eta = 0.001."""

    learning_rate: float = _learning_rate(0.0002)
    beta1: float = _beta1(0.5)
    beta2: float = setting(0.999, ge=0, lt=1, help="decay of the second moment")
    epsilon: float = _epsilon(1e-8)
    slots: ClassVar[tuple[str, ...]] = ("first_moment", "second_moment")
    weight_decay = 0.0

    def step(
        self,
        theta: Array,
        grad: Array,
        state: dict[str, Array],
        t: int,
        rate: float,
        scale: float,
        parts: Tensors,
    ) -> None:
        eta, keep = rate / (1 - self.beta1**t), 1 - rate * self.weight_decay
        kernels(theta).adam(theta, grad, *self._moments(state), scale, *self._betas(t), eta, keep)

    @staticmethod
    def _moments(state: dict[str, Array]) -> tuple[Array, Array]:
        return state["first_moment"], state["second_moment"]

    def _betas(self, t: int) -> tuple[float, float, float, float]:
        return self.beta1, self.beta2, (1 - self.beta2**t) ** -0.5, self.epsilon


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2017, arXiv:1711.05101, algorithm 2). The
    defaults are those of PyTorch."""

    learning_rate: float = _learning_rate(0.001)
    beta1: float = _beta1(0.9)
    weight_decay: float = _weight_decay(0.01)


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """Tieleman & Hinton 2012 (lecture 6.5): v <- rho v + (1 - rho) g^2; theta - eta g / (sqrt(v) +
    epsilon)."""

    learning_rate: float = _learning_rate(0.001)
    rho: float = setting(0.9, ge=0, lt=1, help="decay of the mean square")
    epsilon: float = _epsilon(1e-8)
    slots: ClassVar[tuple[str, ...]] = ("square",)

    def step(
        self,
        theta: Array,
        grad: Array,
        state: dict[str, Array],
        t: int,
        rate: float,
        scale: float,
        parts: Tensors,
    ) -> None:
        kernels(theta).rmsprop(theta, grad, state["square"], scale, self.rho, rate, self.epsilon)


@dataclass(frozen=True)
class LARS(Optimizer):
    """You et al. 2017 (arXiv:1708.03888), algorithm 1. The rate of each tensor is eta trust |w| / (|g| + beta
    |w|).

    As usual, tensors with one axis (biases, scales of normalisation) have the rate eta and no weight decay.
    """

    learning_rate: float = _learning_rate(1.0)
    momentum: float = _momentum(0.9)
    weight_decay: float = _weight_decay(1e-4)
    trust: float = setting(0.001, gt=0, help="size of a tensor's step relative to its norm")
    slots: ClassVar[tuple[str, ...]] = ("velocity",)

    def step(
        self,
        theta: Array,
        grad: Array,
        state: dict[str, Array],
        t: int,
        rate: float,
        scale: float,
        parts: Tensors,
    ) -> None:
        weights, grads = parts.norms(theta), scale * parts.norms(grad)
        velocity = state["velocity"]
        for part, where, adapts in parts:
            trust = (
                _ratio(self.trust * weights[part], grads[part] + self.weight_decay * weights[part])
                if adapts
                else 1.0
            )
            decay = self.weight_decay if adapts else 0.0
            kernels(theta).momentum(
                theta[where], grad[where], velocity[where], scale, decay, self.momentum, rate * trust, 1.0
            )


@dataclass(frozen=True)
class LAMB(Adam):
    """You et al. 2019 (arXiv:1904.00962), algorithm 2. It uses the direction of Adam. The rate of each tensor
    is eta |w| / |direction|.

    Tensors with one axis are treated as in `LARS`.
    """

    learning_rate: float = _learning_rate(0.001)
    beta1: float = _beta1(0.9)
    epsilon: float = _epsilon(1e-6)
    weight_decay: float = _weight_decay(0.01)

    def step(
        self,
        theta: Array,
        grad: Array,
        state: dict[str, Array],
        t: int,
        rate: float,
        scale: float,
        parts: Tensors,
    ) -> None:
        m, v = self._moments(state)
        for _, where, adapts in parts:
            decay = self.weight_decay if adapts else 0.0
            betas = (*self._betas(t), 1 / (1 - self.beta1**t), decay)
            kernels(theta).adam_direction(theta[where], grad[where], m[where], v[where], scale, *betas)
        weights, directions = parts.norms(theta), parts.norms(grad)
        for part, where, adapts in parts:
            trust = _ratio(weights[part], directions[part]) if adapts else 1.0
            kernels(theta).descend(theta[where], grad[where], rate * trust)


def _ratio(a: float, b: float) -> float:
    """Return a / b, or 1 if a or b is 0."""
    return a / b if a > 0 and b > 0 else 1.0


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSprop,
    "lars": LARS,
    "lamb": LAMB,
}
