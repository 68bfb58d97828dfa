"""What every layer is: maths on arrays, and a closure that carries derivatives back."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Train:
    """What a forward pass in training knows beside its input.

    `parts`: the batch consists of so many equal batches, one after the other, which normalise apart, as so
    many passes would. `random`: the `numpy.random.Generator` that dropout draws from; None where nothing
    draws.
    """

    parts: int = 1
    random: np.random.Generator | None = None


TRAIN = Train()


class Layer:
    """A differentiable function of x (n, ...) and of its own parts of the flat vector theta.

    `forward(theta, x, train)` returns y and the closure `backward`. `train` is a `Train`, or None: then
    running statistics are used and nothing is dropped. x is only read, and stays as it is until `backward`
    has run.

    `backward(dy, grad=None, need_dx=True)` returns dx. It writes the derivatives in the layer's parameters to
    `grad`, a `Vector`, and in training its batch's statistics, the mean over the parts times the samples of
    one part; None skips them. dy may be overwritten. It may be called once.

    `tangent(theta, x, t, train)` sends a tangent t along with x: it returns y, ty = (dy/dx) t and a closure.
    That is Pearlmutter's R-operator (1994), in t instead of theta; the closure's second derivatives are exact
    (`hpcgen.nn.penalty`). Not every layer has it: see `without_tangent`. t is only read, like x.

    Its `backward(dy, dty, grad=None, need_dx=True)`, the adjoint of (x, t, theta) -> (y, ty), returns (dx,
    dt). dy and dx may be None, which stands for zero: so they stay where all layers are linear in pieces. To
    `grad` it writes the derivatives in the parameters only. Else it is like the other.
    """

    # Whether training draws random numbers from `train.random`.
    draws = False

    def parameters(self):
        """Return {name: shape} of what an optimizer moves."""
        return {}

    def buffers(self):
        """Return {name: shape} of the running statistics."""
        return {}

    def initialize(self, theta, random):
        """Fill the parameters and buffers in `theta` with their starting values."""

    def forward(self, theta, x, train=TRAIN):
        raise AssertionError(f"{type(self).__name__} has no forward")

    def tangent(self, theta, x, t, train=TRAIN):
        raise AssertionError(f"{type(self).__name__} has no tangent")

    @property
    def without_tangent(self):
        """The names of the classes, of this layer or of those in it, that have no `tangent`."""
        return [type(self).__name__] if type(self).tangent is Layer.tangent else []
