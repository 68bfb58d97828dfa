"""Optimizers: one step on a flat vector.

`slots` names the state vectors, each of theta's shape; `step(theta, grad, state, t)` updates theta and the state in place.
grad is the mean gradient, t counts steps from 1. Every operation is elementwise, so a step on a slice of the vector gives
the bits of a step on the whole.
"""

from dataclasses import dataclass

import numpy as np

from hpcgen.settings import setting


@dataclass(frozen=True)
class SGD:
    """theta - eta g."""

    learning_rate: float = setting(0.01, gt=0)
    slots = ()

    def step(self, theta, grad, state, t):
        theta -= self.learning_rate * grad


@dataclass(frozen=True)
class Momentum:
    """Heavy ball (Polyak 1964): v <- mu v + g; theta - eta v."""

    learning_rate: float = setting(0.01, gt=0)
    momentum: float = setting(0.9, ge=0, lt=1)
    slots = ("velocity",)

    def step(self, theta, grad, state, t):
        velocity = state["velocity"]
        velocity *= self.momentum
        velocity += grad
        theta -= self.learning_rate * velocity


@dataclass(frozen=True)
class Adam:
    """Kingma & Ba 2014 (arXiv:1412.6980), algorithm 1. The defaults are DCGAN's, not the paper's beta1 = 0.9, eta = 0.001."""

    learning_rate: float = setting(0.0002, gt=0)
    beta1: float = setting(0.5, ge=0, lt=1)
    beta2: float = setting(0.999, ge=0, lt=1)
    epsilon: float = setting(1e-8, gt=0)
    slots = ("first_moment", "second_moment")

    def step(self, theta, grad, state, t):
        m, v = state["first_moment"], state["second_moment"]
        m *= self.beta1
        m += (1 - self.beta1) * grad
        v *= self.beta2
        v += (1 - self.beta2) * (grad * grad)
        denominator = np.sqrt(v)
        denominator *= (1 - self.beta2**t) ** -0.5
        denominator += self.epsilon
        theta -= (self.learning_rate / (1 - self.beta1**t)) * m / denominator


@dataclass(frozen=True)
class RMSprop:
    """Tieleman & Hinton 2012 (lecture 6.5): v <- rho v + (1 - rho) g^2; theta - eta g / (sqrt(v) + epsilon)."""

    learning_rate: float = setting(0.001, gt=0)
    rho: float = setting(0.9, ge=0, lt=1)
    epsilon: float = setting(1e-8, gt=0)
    slots = ("square",)

    def step(self, theta, grad, state, t):
        square = state["square"]
        square *= self.rho
        square += (1 - self.rho) * (grad * grad)
        theta -= self.learning_rate * grad / (np.sqrt(square) + self.epsilon)


OPTIMIZERS = {"sgd": SGD, "momentum": Momentum, "adam": Adam, "rmsprop": RMSprop}
