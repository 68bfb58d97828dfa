"""Fully connected layer."""

import numpy as np

from hpcgen.arrays import Array, Shape
from hpcgen.nn.initial import fill
from hpcgen.nn.kernels import contiguous, kernels
from hpcgen.nn.layer import TRAIN, Backward, Parameters, Train
from hpcgen.nn.layers.affine import Affine
from hpcgen.nn.vector import Vector


class Dense(Affine):
    """y = x W + b, with x (n, inputs), W (inputs, outputs) and b (outputs,).

    W is the transpose of PyTorch's `Linear.weight`, and B of ONNX's Gemm with transB = 0. `slope` has the
    same meaning as in `Conv`.
    """

    def __init__(
        self,
        name: str,
        inputs: int,
        outputs: int,
        bias: bool = True,
        slope: float = 1.0,
        deviation: float | None = None,
    ) -> None:
        self.weight, self.bias = f"{name}/weight", f"{name}/bias" if bias else None
        self.inputs, self.outputs, self.slope, self.deviation = inputs, outputs, slope, deviation

    def parameters(self) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {self.weight: (self.inputs, self.outputs)}
        return {**shapes, self.bias: (self.outputs,)} if self.bias else shapes

    def initialize(self, theta: Vector, random: np.random.Generator) -> None:
        fill(theta[self.weight], random, self.inputs, self.deviation)
        if self.bias:
            fill(theta[self.bias], random, self.inputs, 0.0 if self.deviation else None)

    def forward(self, theta: Parameters, x: Array, train: Train | None = TRAIN) -> tuple[Array, Backward]:
        weight = theta[self.weight]
        y = x @ weight
        if self.bias or self.slope != 1:
            kernels(y).rectify(y, theta[self.bias] if self.bias else None, self.slope)

        def backward(dy: Array, grad: Vector | None = None, need_dx: bool = True) -> Array | None:
            dy = contiguous(dy)
            self.rectify_gradient(dy, y)
            if grad is not None:
                np.matmul(x.T, dy, out=grad[self.weight])
                if self.bias:
                    grad[self.bias][...] = kernels(dy).column_sums(dy)
            if not need_dx:
                return None
            if self.outputs > 1:
                return dy @ weight.T
            # This is an outer product, for which BLAS is slow.
            dx = np.empty_like(x, order="C")
            kernels(dy).outer(dy, weight, dx)
            return dx

        return y, backward
