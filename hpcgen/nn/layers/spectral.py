"""Spectral normalisation of weights."""

from collections.abc import Callable

import numpy as np

from hpcgen.arrays import Array, Shape, standard_normal
from hpcgen.nn.buffers import REPLACE, Buffer
from hpcgen.nn.divided import Gradient
from hpcgen.nn.layer import TRAIN, Backward, Layer, Parameters, TangentBackward, Train
from hpcgen.nn.layers.affine import Affine
from hpcgen.nn.vector import Vector

# Number of power iterations before the first step, as in PyTorch.
POWER_ITERATIONS = 15


class SpectralNorm(Layer):
    """`layer`, an `Affine`, with W replaced by W / sigma (Miyato et al. 2018, arXiv:1802.05957).

    sigma is the largest singular value of W as a matrix (outputs, rest), as in PyTorch's
    parametrizations.spectral_norm. In training, each pass makes one power iteration from the running u
    (algorithm 1). In inference it makes only the first half of the iteration:

        v = W^T u / |W^T u|,    u = W v / |W v|,    sigma = u^T W v

    The derivative treats u and v as constants (eq. 12). With V = W / sigma, dL/dW = (dL/dV - <dL/dV, V> u
    v^T) / sigma.
    """

    def __init__(self, layer: Affine) -> None:
        self.layer, self.vector, self.draws = layer, f"{layer.weight}_u", layer.draws

    def parameters(self) -> dict[str, Shape]:
        return self.layer.parameters()

    def buffers(self) -> dict[str, Buffer]:
        outputs = self.parameters()[self.layer.weight][self.layer.axis]
        return {self.vector: Buffer((outputs,), REPLACE)}

    def initialize(self, theta: Vector, random: np.random.Generator) -> None:
        self.layer.initialize(theta, random)
        u, transposed = theta[self.vector], self._transposed(theta)
        u[...] = standard_normal(random, u.shape, u.dtype)
        for _ in range(POWER_ITERATIONS):
            u[...] = _unit(_unit(transposed @ u) @ transposed)

    def forward(self, theta: Parameters, x: Array, train: Train | None = TRAIN) -> tuple[Array, Backward]:
        weights, u, through_sigma = self._normalize(theta, train)
        y, layer_backward = self.layer.forward(weights, x, train)

        def backward(dy: Array, grad: Vector | None = None, need_dx: bool = True) -> Array | None:
            dx = layer_backward(dy, grad, need_dx)
            through_sigma(grad)
            if grad is not None and grad.whole is not None and train is not None:
                # All lanes have the same u. The mean over samples, which replaces the buffer, is therefore u.
                np.multiply(u, len(x) / train.parts, out=grad.whole[self.vector])
            return dx

        return y, backward

    def tangent(
        self, theta: Parameters, x: Array, t: Array, train: Train | None = TRAIN
    ) -> tuple[Array, Array, TangentBackward]:
        weights, _, through_sigma = self._normalize(theta, train)
        y, ty, layer_backward = self.layer.tangent(weights, x, t, train)

        def backward(
            dy: Array | None, dty: Array, grad: Vector | None = None, need_dx: bool = True
        ) -> tuple[Array | None, Array | None]:
            derivatives = layer_backward(dy, dty, grad, need_dx)
            through_sigma(grad)
            return derivatives

        return y, ty, backward

    def _normalize(
        self, theta: Parameters, train: Train | None
    ) -> tuple[dict[str, Array], Array, Callable[[Vector | None], None]]:
        """Return the layer's parameters with V instead of W, u, and a function that overwrites dL/dV in a
        Vector `grad` with dL/dW."""
        weight, transposed = theta[self.layer.weight], self._transposed(theta)
        u = _unit(theta[self.vector])
        v = _unit(transposed @ u)
        image = v @ transposed
        if train is not None:
            u = _unit(image)
        sigma = u @ image
        normalized = weight / sigma

        def through_sigma(grad: Gradient | None) -> None:
            for leaf in grad.leaves if grad is not None else ():
                derivative = leaf[self.layer.weight]
                inner = np.vdot(derivative, normalized)
                derivative = np.moveaxis(derivative, self.layer.axis, -1)
                derivative -= np.outer(inner * v, u).reshape(derivative.shape)
                derivative /= sigma

        return (
            {name: theta[name] for name in self.parameters()} | {self.layer.weight: normalized},
            u,
            through_sigma,
        )

    def _transposed(self, theta: Parameters) -> Array:
        """Return W^T (rest, outputs). For most layers this is a view of the weight."""
        moved = np.moveaxis(theta[self.layer.weight], self.layer.axis, -1)
        return moved.reshape(-1, moved.shape[-1])


def _unit(a: Array) -> Array:
    return a / np.linalg.norm(a)
