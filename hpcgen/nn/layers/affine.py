"""What layers of weights and a bias share: their tangent."""

from copy import copy

from hpcgen.arrays import Array
from hpcgen.nn.kernels import contiguous, kernels
from hpcgen.nn.layer import TRAIN, Layer, Parameters, TangentBackward, Train
from hpcgen.nn.vector import Vector


class Affine(Layer):
    """y = f(W x + b), where f leaves numbers above 0 as they are and multiplies others by `slope`.

    A subclass sets `slope` and the names `weight` and `bias` (None without), and gives `forward`.
    """

    slope: float
    weight: str
    bias: str | None
    # W's axis of y's channels.
    axis = -1

    def rectify_gradient(self, d: Array, y: Array) -> None:
        """Overwrite d with f' d: f' follows from y's sign, and f'' is 0 almost everywhere."""
        if self.slope != 1:
            kernels(d).rectify_gradient(d, y, self.slope)

    def tangent(
        self, theta: Parameters, x: Array, t: Array, train: Train | None = TRAIN
    ) -> tuple[Array, Array, TangentBackward]:
        """ty = f' W t: the layer without bias and slope, and then the slope that y took."""
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
            # Both backwards write W's derivative: the sum is due.
            of_t = grad[self.weight].copy() if grad is not None else None
            dx = y_backward(dy, grad, need_dx)
            if grad is not None:
                grad[self.weight][...] += of_t
            return dx, dt

        return y, ty, backward
