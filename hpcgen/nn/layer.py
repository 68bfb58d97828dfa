"""The base class of layers: mathematics on arrays, and a closure that returns derivatives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from hpcgen.arrays import Array, Shape
from hpcgen.nn.buffers import Buffer
from hpcgen.nn.vector import Layout, Vector

# A layer reads its parameters by name, from a Vector or from any mapping of names to arrays.
Parameters = Vector | Mapping[str, Array]


class Backward(Protocol):
    """The closure of a forward pass. See `Layer`."""

    def __call__(self, dy: Array, grad: Any = None, need_dx: bool = True) -> Any:
        """Return dx if `need_dx`, else None."""


class TangentBackward(Protocol):
    """The closure of a tangent. See `Layer`."""

    def __call__(
        self, dy: Array | None, dty: Array, grad: Any = None, need_dx: bool = True
    ) -> tuple[Any, Any]:
        """Return (dx, dt) if `need_dx`, else (None, None)."""


@dataclass(frozen=True)
class Train:
    """The arguments of a forward pass in training.

    `parts`: the batch consists of this many equal batches, one after the other. Each is normalised
    separately, as in a pass of its own. `random`: the `numpy.random.Generator` for dropout, or None if no
    layer draws.
    """

    parts: int = 1
    random: np.random.Generator | None = None


TRAIN = Train()


class Layer:
    """A differentiable function of x (n, ...) and of the layer's parameters in the flat vector theta.

    `forward(theta, x, train)` returns y and the closure `backward`. `train` is a `Train` in training. In
    inference it is None: running statistics are used, and dropout does nothing. x is only read, and must not
    change before `backward` has run.

    `backward(dy, grad=None, need_dx=True)` returns dx. It writes the derivatives with respect to the layer's
    parameters to `grad`, a Vector. In training it also writes the batch's statistics to `grad`: the mean over
    the parts times the number of samples in a part. Without `grad` it skips both. dy may be overwritten.
    `backward` may be called only once.

    `tangent(theta, x, t, train)` maps x together with a tangent t. It returns y, ty = (dy/dx) t and a
    closure. This is Pearlmutter's R-operator (1994), applied to x instead of theta. The closure's second
    derivatives are exact (`hpcgen.nn.penalty`). Some layers have no tangent: see `without_tangent`. t is only
    read, like x.

    The closure of a tangent, `backward(dy, dty, grad=None, need_dx=True)`, is the adjoint of (x, t, theta) ->
    (y, ty) and returns (dx, dt). dy and dx may be None, which means zero: they stay None if all layers are
    piecewise linear. To `grad` it writes only the derivatives with respect to the parameters. Otherwise it is
    like the closure of `forward`.
    """

    # Whether the layer draws random numbers from `train.random` in training.
    draws = False

    def parameters(self) -> dict[str, Shape]:
        """Return {name: shape} of the parameters, which an optimizer updates."""
        return {}

    def buffers(self) -> dict[str, Buffer]:
        """Return {name: Buffer} of the running statistics of the batches."""
        return {}

    def initialize(self, theta: Vector, random: np.random.Generator) -> None:
        """Fill the parameters and buffers in `theta` with their initial values."""

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
        """The names of the classes without a `tangent`: of this layer, or of the layers in it."""
        return [type(self).__name__] if type(self).tangent is Layer.tangent else []
