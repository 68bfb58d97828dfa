"""Convolution and transposed convolution on 1, 2 and 3 axes.

x is (n, *sizes, channels). The weights of both layers are (*kernel, c, o). The convolution maps c channels to
o channels. The transposed convolution, its adjoint, maps o channels to c channels. To convert weights:

    Conv weight          = PyTorch's Conv{1,2,3}d weight (o, c, *kernel), or ONNX Conv's W, with axes
                           (*kernel, c, o)
    ConvTranspose weight = PyTorch's ConvTranspose{1,2,3}d weight (in, out, *kernel), or ONNX
                           ConvTranspose's W, with axes
                           (*kernel, out, in)

Both are .transpose(2, ..., 1, 0). Tensors are (n, *sizes, channels) here, and (n, channels, *sizes) in
PyTorch and ONNX. `padding` and `output_padding` have the same meaning as in PyTorch. ONNX has pads =
(*padding, *padding).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hpcgen.arrays import Array, Shape
from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.convolution.windows import Windows
from hpcgen.nn.convolution.winograd import Winograd
from hpcgen.nn.initial import fill
from hpcgen.nn.kernels import contiguous, kernels
from hpcgen.nn.layer import TRAIN, Backward, Parameters, Train
from hpcgen.nn.layers.affine import Affine
from hpcgen.nn.vector import Vector

# Memory of a chunk of samples while it is multiplied: a part of the last-level cache.
CHUNK_BYTES = 2 << 20

# The forms in which a convolution is computed.
Form = Windows | Winograd


class _Convolution(Affine):
    """Base class of Conv and ConvTranspose. Samples are computed in chunks that stay in the cache.

    A subclass defines `leads_to`, the number of channels of y; `_extents(sizes of x)`, the positions of the
    windows and the sizes of y; and `_sides(data, output)`, which returns its arguments with the one that
    belongs to x first (see `hpcgen.nn.convolution.windows`).
    """

    @property
    def leads_to(self) -> int:
        """The number of channels of y."""
        raise AssertionError("a subclass defines it")

    def _extents(self, sizes: Shape) -> tuple[Shape, Shape]:
        """Return the positions of the windows, and the sizes of y, for x of these sizes."""
        raise AssertionError("a subclass defines it")

    @staticmethod
    def _sides(data: Any, output: Any) -> tuple[Any, Any]:
        """Return the argument that belongs to x, then the argument that belongs to y."""
        raise AssertionError("a subclass defines it")

    def __init__(
        self,
        name: str,
        geometry: Geometry,
        channels: int,
        outputs: int,
        bias: bool = True,
        slope: float = 1.0,
        deviation: float | None = None,
    ) -> None:
        self.weight, self.bias = f"{name}/weight", f"{name}/bias" if bias else None
        self.geometry, self.slope, self.deviation = geometry, slope, deviation
        self.channels, self.outputs = channels, outputs
        self.forms: list[Form] = [
            Windows(geometry, channels, outputs),
            *Winograd.forms(geometry, channels, outputs),
        ]

    def parameters(self) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {self.weight: (*self.geometry.kernel, self.channels, self.outputs)}
        return {**shapes, self.bias: (self.leads_to,)} if self.bias else shapes

    def initialize(self, theta: Vector, random: np.random.Generator) -> None:
        weight = theta[self.weight]
        fill(weight, random, weight[..., 0].size, self.deviation)
        if self.bias:
            fill(theta[self.bias], random, weight[..., 0].size, 0.0 if self.deviation else None)

    def form(self, positions: Sequence[int]) -> Form:
        """Return the form with the fewest multiplications. The choice depends only on the shapes, because the
        bits depend on the form."""
        return min(self.forms, key=lambda form: form.products * form.rows(positions) * form.inner)

    @staticmethod
    def _chunks(form: Form, n: int, positions: Sequence[int]) -> list[slice]:
        """Return the slices of n samples that are multiplied together. They depend only on shapes."""
        size = form.products * form.rows(positions) * (form.inner + form.outputs) * 4
        # Each chunk loads the weights into the cache once. Therefore it should have more data than weights.
        weights = form.products * form.inner * form.outputs * 4
        many = max(1, max(CHUNK_BYTES, 2 * weights) // size)
        count = -(-n // many)
        return [slice(n * i // count, n * (i + 1) // count) for i in range(count)]

    def _finish(self, y: Array, theta: Parameters) -> None:
        if self.bias or self.slope != 1:
            bias = theta[self.bias] if self.bias else None
            kernels(y).rectify(y.reshape(-1, y.shape[-1]), bias, self.slope)

    def _begin(self, dy: Array, y: Array, grad: Vector | None) -> None:
        """Multiply dy by the derivative of the activation, and write the derivative of the bias."""
        self._rectify_gradient(dy, y)
        if self.bias and grad is not None:
            grad[self.bias][...] = kernels(dy).column_sums(dy.reshape(-1, dy.shape[-1]))

    def forward(self, theta: Parameters, x: Array, train: Train | None = TRAIN) -> tuple[Array, Backward]:
        x = contiguous(x)
        positions, sizes = self._extents(x.shape[1:-1])
        form, y = self.form(positions), np.empty_like(x, shape=(len(x), *sizes, self.leads_to))
        chunks = self._chunks(form, len(x), positions)
        maps = (form.data, form.data_adjoint), (form.output, form.output_adjoint)
        (here, here_adjoint), (there, there_adjoint) = self._sides(*maps)
        weight, _ = self._sides(*self._weights(form, theta[self.weight]))
        for chunk in chunks:
            there_adjoint(here(x[chunk]) @ weight, y[chunk])
            self._finish(y[chunk], theta)

        def backward(dy: Array, grad: Vector | None = None, need_dx: bool = True) -> Array | None:
            dy = contiguous(dy)
            # The weights are transformed again: keeping them would cost much memory and save little time.
            _, weight = self._sides(*self._weights(form, theta[self.weight])) if need_dx else (None, None)
            self._begin(dy, y, grad)
            dx: Any = np.empty_like(x) if need_dx else None
            total: Any = None
            for chunk in chunks:
                d = there(dy[chunk])
                if need_dx:
                    here_adjoint(d @ weight, dx[chunk])
                if grad is not None:
                    data, output = self._sides(here(x[chunk]), d)
                    total = _add(total, data.swapaxes(1, 2) @ output)
            if grad is not None:
                form.weight_adjoint(total, grad[self.weight])
            return dx

        return y, backward

    @staticmethod
    def _weights(form: Form, theta_weight: Array) -> tuple[Array, Array]:
        """Return the weights as a map from data to output, and as a map from output to data."""
        weight = form.weight(theta_weight)
        return weight, weight.swapaxes(1, 2)


class Conv(_Convolution):
    """y[n, i] = b + sum over k, c of x[n, i s + k - p, c] w[k, c]: PyTorch's Conv{1,2,3}d.

    `slope` is an activation in the same pass: y where y > 0, else slope y (1: none, 0: ReLU, 0.2: LeakyReLU).
    """

    @property
    def leads_to(self) -> int:
        return self.outputs

    def _extents(self, sizes: Shape) -> tuple[Shape, Shape]:
        positions = self.geometry.positions(sizes)
        return positions, positions

    @staticmethod
    def _sides(data: Any, output: Any) -> tuple[Any, Any]:
        return data, output


class ConvTranspose(_Convolution):
    """The adjoint of `Conv` with respect to x, with a bias: PyTorch's ConvTranspose{1,2,3}d.

    The attributes have the names of the adjoint Conv: `channels` are the output channels of this layer, and
    `outputs` its input channels.
    """

    axis = -2

    def __init__(
        self,
        name: str,
        geometry: Geometry,
        inputs: int,
        outputs: int,
        output_padding: Sequence[int],
        bias: bool = True,
        slope: float = 1.0,
        deviation: float | None = None,
    ) -> None:
        super().__init__(name, geometry, outputs, inputs, bias, slope, deviation)
        self.output_padding = output_padding

    @property
    def leads_to(self) -> int:
        return self.channels

    def _extents(self, positions: Shape) -> tuple[Shape, Shape]:
        return positions, self.geometry.sizes(positions, self.output_padding)

    @staticmethod
    def _sides(data: Any, output: Any) -> tuple[Any, Any]:
        return output, data


def _add(total: Array | None, array: Array) -> Array:
    if total is None:
        return array
    total += array
    return total
