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

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import numpy as np

from hpcgen.arrays import Array, Shape
from hpcgen.nn.convolution.form import Form
from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.convolution.samples import Samples, Whole
from hpcgen.nn.convolution.windows import Windows
from hpcgen.nn.convolution.winograd import Winograd
from hpcgen.nn.initial import fill
from hpcgen.nn.kernels import contiguous, kernels
from hpcgen.nn.layer import TRAIN, Backward, Parameters, Train
from hpcgen.nn.layers.affine import Affine
from hpcgen.nn.vector import Vector

# Memory of a chunk of samples while it is multiplied: a part of the last-level cache.
CHUNK_BYTES = 2 << 20

# The weights of a form, as they lead from data to output, and back.
Weights = Callable[[Form], tuple[Array, Array]]


class Convolution(Affine):
    """Base class of Conv and ConvTranspose. Samples are computed in chunks that stay in the cache.

    A subclass gives `leads_to` and `comes_from`, the channels of y and x; `_extents(sizes of x)`, the
    positions of windows and the sizes of y; and `_sides(data, output)`, which puts the side of x first (see
    `hpcgen.nn.convolution.form`).
    """

    # The part of the weight that is multiplied, and the part of the bias that is added.
    part: tuple[Any, ...] = (...,)
    bias_part: slice = slice(None)

    @property
    def leads_to(self) -> int:
        """The number of channels of y."""
        raise AssertionError("a subclass has it")

    @property
    def comes_from(self) -> int:
        """The channels of x."""
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
        self.forms: list[Form] = _forms(geometry, channels, outputs)

    def without_padding(self, axes: Sequence[bool]) -> "Convolution":
        """Return the layer without padding along the axes that `axes` marks. The parameters are the same."""
        g, made = self.geometry, copy(self)
        padding = tuple(0 if marked else p for marked, p in zip(axes, g.padding, strict=True))
        made.geometry = Geometry(g.kernel, g.stride, padding)
        made.forms = _forms(made.geometry, self.channels, self.outputs)
        return made

    def with_channels(self, part: slice, of_y: bool) -> "Convolution":
        """Return the layer with a part of the channels of y, or of x. The parameters are the same."""
        made, last = copy(self), of_y == (self.axis == -1)
        if of_y:
            made.bias_part = part
        if last:
            made.outputs, made.part = part.stop - part.start, (..., part)
        else:
            made.channels, made.part = part.stop - part.start, (..., part, slice(None))
        made.forms = _forms(self.geometry, made.channels, made.outputs)
        return made

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

    def sizes(self, sizes: Shape) -> Shape:
        """Return the sizes of y for x of these sizes."""
        return self._extents(sizes)[1]

    def weights(self, theta: Parameters) -> Weights:
        """Return a function that gives the weights of a form as they lead from data to output, and back.

        They are made once, and kept as long as the function.
        """

        made: dict[int, Array] = {}

        def of(form: Form) -> tuple[Array, Array]:
            if form.kind not in made:
                made[form.kind] = form.weight(contiguous(theta[self.weight][self.part]))
            return made[form.kind], made[form.kind].swapaxes(1, 2)

        return of

    def multiply(self, weights: Weights, n: int, sizes: Shape, x: Samples, y: Samples) -> None:
        """Write W x to y, both `Samples`, n of them, where x has these sizes: no bias, no activation."""
        positions, _ = self._extents(sizes)
        form = self.form(positions)
        here, there_adjoint = (
            self._sides(form.data, form.output)[0],
            self._sides(form.data_adjoint, form.output_adjoint)[1],
        )
        weight, _ = self._sides(*weights(form))
        for chunk in self._chunks(form, n, positions):
            there_adjoint(x.factors(here, form.kind, chunk) @ weight, y.open(chunk))
            y.close(chunk)

    def multiply_adjoint(
        self,
        weights: Weights,
        n: int,
        sizes: Shape,
        x: Samples | None,
        dy: Samples,
        dx: Samples | None = None,
        dw: Array | None = None,
    ) -> None:
        """Write W^T dy to dx, and the derivative in W of <dy, W x> to the array dw, unless they are None.

        x, dy and dx are `Samples`.
        """
        positions, _ = self._extents(sizes)
        form = self.form(positions)
        here, there = self._sides(form.data, form.output)
        here_adjoint, _ = self._sides(form.data_adjoint, form.output_adjoint)
        weight = self._sides(*weights(form))[1] if dx is not None else None
        total: Any = None
        for chunk in self._chunks(form, n, positions):
            d = dy.factors(there, form.kind, chunk)
            if dx is not None:
                here_adjoint(d @ weight, dx.open(chunk))
                dx.close(chunk)
            if dw is not None and x is not None:
                data, output = self._sides(x.factors(here, form.kind, chunk), d)
                total = _add(total, data.swapaxes(1, 2) @ output)
        if dw is not None:
            form.weight_adjoint(total, dw)

    def finish(self, y: Array, theta: Parameters) -> None:
        """Add the bias to W x, and apply the activation."""
        if self.bias or self.slope != 1:
            bias = theta[self.bias][self.bias_part] if self.bias else None
            kernels(y).rectify(y.reshape(-1, y.shape[-1]), bias, self.slope)

    def begin(self, dy: Array, y: Array, grad: Vector | None) -> None:
        """Multiply dy by the derivative of the activation, and write the derivative of the bias."""
        self.rectify_gradient(dy, y)
        if self.bias and grad is not None:
            grad[self.bias][self.bias_part] = kernels(dy).column_sums(dy.reshape(-1, dy.shape[-1]))

    def forward(self, theta: Parameters, x: Array, train: Train | None = TRAIN) -> tuple[Array, Backward]:
        x = contiguous(x)
        n, sizes = len(x), x.shape[1:-1]
        y = np.empty_like(x, shape=(n, *self.sizes(sizes), self.leads_to))
        self.multiply(
            self.weights(theta), n, sizes, Whole(x), Whole(y, lambda chunk: self.finish(y[chunk], theta))
        )

        def backward(dy: Array, grad: Vector | None = None, need_dx: bool = True) -> Array | None:
            dy = contiguous(dy)
            self.begin(dy, y, grad)
            dx: Any = np.empty_like(x) if need_dx else None
            # The weights are made again: to keep them would cost more memory than time.
            self.multiply_adjoint(
                self.weights(theta),
                n,
                sizes,
                Whole(x),
                Whole(dy),
                Whole(dx) if need_dx else None,
                grad[self.weight] if grad is not None else None,
            )
            return dx

        return y, backward


class Conv(Convolution):
    """y[n, i] = b + sum over k, c of x[n, i s + k - p, c] w[k, c]: PyTorch's Conv{1,2,3}d.

    `slope` is an activation in the same pass: y where y > 0, else slope y (1: none, 0: ReLU, 0.2: LeakyReLU).
    """

    @property
    def leads_to(self) -> int:
        return self.outputs

    @property
    def comes_from(self) -> int:
        return self.channels

    def _extents(self, sizes: Shape) -> tuple[Shape, Shape]:
        positions = self.geometry.positions(sizes)
        return positions, positions

    @staticmethod
    def _sides(data: Any, output: Any) -> tuple[Any, Any]:
        return data, output


class ConvTranspose(Convolution):
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

    def without_padding(self, axes: Sequence[bool]) -> "ConvTranspose":
        made: Any = super().without_padding(axes)
        made.output_padding = tuple(
            0 if marked else e for marked, e in zip(axes, self.output_padding, strict=True)
        )
        return made

    @property
    def leads_to(self) -> int:
        return self.channels

    @property
    def comes_from(self) -> int:
        return self.outputs

    def _extents(self, positions: Shape) -> tuple[Shape, Shape]:
        return positions, self.geometry.sizes(positions, self.output_padding)

    @staticmethod
    def _sides(data: Any, output: Any) -> tuple[Any, Any]:
        return output, data


def _forms(geometry: Geometry, channels: int, outputs: int) -> list[Form]:
    return [Windows(geometry, channels, outputs), *Winograd.forms(geometry, channels, outputs)]


def _add(total: Any, array: Array) -> Array:
    if total is None:
        return array
    total += array
    return total
