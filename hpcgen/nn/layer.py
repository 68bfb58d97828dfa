"""What every layer is: maths on arrays, and a closure that carries derivatives back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from hpcgen.arrays import Array, Shape
from hpcgen.nn.buffers import Buffer
from hpcgen.nn.vector import Layout, Vector

# A layer reads its parameters by name: from a Vector, or from any mapping of names to arrays.
Parameters = Vector | Mapping[str, Array]


class Backward(Protocol):
    """The closure of a forward pass. See `Layer`."""

    def __call__(self, dy: Array, grad: Any = None, need_dx: bool = True) -> Any:
        """Return dx, or None unless `need_dx`."""


class TangentBackward(Protocol):
    """The closure of a tangent. See `Layer`."""

    def __call__(
        self, dy: Array | None, dty: Array, grad: Any = None, need_dx: bool = True
    ) -> tuple[Any, Any]:
        """Return (dx, dt), or (None, None) unless `need_dx`."""


@dataclass(frozen=True)
class Train:
    """What a forward pass in training knows beside its input.

    `parts`: the batch consists of this many equal batches, one after the other. They normalise apart, as this
    many passes would. `random`: the `numpy.random.Generator` that dropout draws from; None if nothing draws.
    """

    parts: int = 1
    random: np.random.Generator | None = None


TRAIN = Train()


class Layer:
    """A differentiable function of x (n, ...) and of its own parts of the flat vector theta.

    `forward(theta, x, train)` returns y and the closure `backward`. `train` is a `Train`, or None: then
    running statistics are used and nothing is dropped. x is only read, and must stay as it is until
    `backward` has run.

    `backward(dy, grad=None, need_dx=True)` returns dx. It writes the derivatives in the layer's parameters to
    `grad`, a Vector. In training it also writes the batch's statistics there: the mean over the parts times
    the samples of one part. Without `grad` it skips both. dy may be overwritten. It may be called once.

    `tangent(theta, x, t, train)` sends a tangent t along with x. It returns y, ty = (dy/dx) t and a closure.
    This is Pearlmutter's R-operator (1994), in t instead of theta; the closure's second derivatives are exact
    (`hpcgen.nn.penalty`). Not every layer has it: see `without_tangent`. t is only read, like x.

    Its `backward(dy, dty, grad=None, need_dx=True)`, the adjoint of (x, t, theta) -> (y, ty), returns (dx,
    dt). dy and dx may be None, which stands for zero: they stay None where all layers are linear in pieces.
    It writes only the derivatives in the parameters to `grad`. Otherwise it is like the other.
    """

    # Whether training draws random numbers from `train.random`.
    draws = False

    def parameters(self) -> dict[str, Shape]:
        """Return {name: shape} of what an optimizer moves."""
        return {}

    def buffers(self) -> dict[str, Buffer]:
        """Return {name: Buffer} of the numbers that follow the batches."""
        return {}

    def initialize(self, theta: Vector, random: np.random.Generator) -> None:
        """Fill the parameters and buffers in `theta` with their starting values."""

    def gradient(self, layout: Layout, dtype: np.typing.DTypeLike) -> Any:
        """Return zeros that take the gradient of a lane: what `backward` writes to."""
        return Vector(layout, dtype=dtype)

    def forward(self, theta: Parameters, x: Array, train: Train | None = TRAIN) -> tuple[Array, Backward]:
        """Return y and the closure `backward`."""
        raise AssertionError(f"{type(self).__name__} has no forward")

    def tangent(
        self, theta: Parameters, x: Array, t: Array, train: Train | None = TRAIN
    ) -> tuple[Array, Array, TangentBackward]:
        """Return y, ty and the closure of the tangent."""
        raise AssertionError(f"{type(self).__name__} has no tangent")

    @property
    def without_tangent(self) -> list[str]:
        """The names of the classes, of this layer or of those in it, that have no `tangent`."""
        return [type(self).__name__] if type(self).tangent is Layer.tangent else []
