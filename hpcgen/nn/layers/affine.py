"""Base class of layers with weights and a bias, and their tangent."""

from copy import copy

from hpcgen.arrays import Array
from hpcgen.nn.kernels import contiguous, kernels
from hpcgen.nn.layer import TRAIN, Layer, Parameters, TangentBackward, Train
from hpcgen.nn.vector import Vector


class Affine(Layer):
    """y = f(W x + b), where f(a) = a if a > 0, else `slope` a.

    A subclass defines `forward`, `slope`, and the names `weight` and `bias` (None without a bias).
    """

    slope: float
    weight: str
    bias: str | None
    # The axis of W that corresponds to the channels of y.
    axis = -1

    def rectify_gradient(self, d: Array, y: Array) -> None:
        """Overwrite d with f' d. The sign of y determines f', and f'' is 0 almost everywhere."""
        if self.slope != 1:
            kernels(d).rectify_gradient(d, y, self.slope)

    def tangent(
        self, theta: Parameters, x: Array, t: Array, train: Train | None = TRAIN
    ) -> tuple[Array, Array, TangentBackward]:
        """Return y and ty = f' W t: apply the layer to t without bias and slope, then multiply by f'."""
        linear = copy(self)
        linear.bias, linear.slope = None, 1.0
        y, y_backward = self.forward(theta, x, train)
        ty, ty_backward = linear.forward(theta, t, train)
        self.rectify_gradient(ty, y)

        def backward(
            dy: Array | None, dty: Array, grad: Vector | None = None, need_dx: bool = True
        ) -> tuple[Array | None, Array | None]:
            dty = contiguous(dty)
            self.rectify_gradient(dty, y)
            dt = ty_backward(dty, grad, need_dx)
            if dy is None:
                if grad is not None and self.bias:
                    grad[self.bias][...] = 0
                return None, dt
            # Both closures write the derivative of W. The result is their sum.
            of_t = grad[self.weight].copy() if grad is not None else None
            dx = y_backward(dy, grad, need_dx)
            if grad is not None:
                grad[self.weight][...] += of_t
            return dx, dt

        return y, ty, backward
