"""Specifications of layers: the keys that each kind of layer has in a run file."""

from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

from hpcgen.arrays import shown
from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.layer import Layer
from hpcgen.nn.layers import (
    activations,
    convolution,
    dense,
    dropout,
    normalization,
    recurrent,
    shaping,
)
from hpcgen.settings import setting

# The most outputs, channels or hidden numbers of a layer.
LARGEST_WIDTH = 1_000_000

Shape = tuple[int, ...]

# The specification of each kind of layer. Each subclass of Spec registers itself under its `kind`.
LAYERS: dict[str, type["Spec"]] = {}


class Spec:
    """Specification of a layer.

    `build(name, shape, slope)` returns the layer for samples of `shape`, and the shape of its outputs. If
    `absorbs` is true, the layer also applies a rectifier that follows it: y where y > 0, else slope y.
    """

    kind: ClassVar[str] = ""
    absorbs: ClassVar[bool] = False
    is_activation: ClassVar[bool] = False
    # Whether a network may end in samples with the activation.
    ends_samples: ClassVar[bool] = False
    # Whether the outputs have the same interval as the inputs.
    keeps_range: ClassVar[bool] = False
    # The factor of a rectifier for y <= 0.
    slope: float

    def __init_subclass__(cls) -> None:
        if "kind" in vars(cls):
            LAYERS[cls.kind] = cls

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        """Return the layer and the shape of its outputs. Raises ValueError if `shape` does not suit it."""
        raise AssertionError(f"{type(self).__name__} has no build")


def _deviation() -> Any:
    return setting(
        0.0,
        ge=0,
        help="standard deviation of the initial weights; 0: uniform in +-1/sqrt(inputs), as in PyTorch",
    )


@dataclass(frozen=True)
class Dense(Spec):
    """Fully connected: y = x W + b. Samples have one axis."""

    kind = "dense"
    absorbs = True
    outputs: int = setting(ge=1, le=LARGEST_WIDTH, help="number of outputs")
    bias: bool = setting(True, help="add a constant to each output")
    deviation: float = _deviation()

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        if len(shape) != 1:
            raise ValueError("needs samples with one axis; put a flatten before it")
        layer = dense.Dense(name, shape[0], self.outputs, self.bias, slope, _given(self.deviation))
        return layer, (self.outputs,)


@dataclass(frozen=True)
class Conv(Spec):
    """Convolution over all axes except the last, which holds the channels.

    Kernel, stride and padding are one number, or one number for each axis.
    """

    kind = "conv"
    absorbs = True
    channels: int = setting(ge=1, le=LARGEST_WIDTH, help="number of output channels")
    kernel: int | list[int] = setting(4, ge=1, help="size of the kernel; one number, or one for each axis")
    stride: int | list[int] = setting(2, ge=1, help="distance from one window to the next")
    padding: int | list[int] = setting(1, ge=0, help="number of zeros added at each end of an axis")
    bias: bool = setting(True, help="add a constant to each channel")
    deviation: float = _deviation()

    def geometry(self, sizes: Shape) -> Geometry:
        """Return the Geometry of the windows for spatial axes of these sizes."""
        kernel, stride, padding = (
            _each(value, len(sizes)) for value in (self.kernel, self.stride, self.padding)
        )
        return Geometry(kernel, stride, padding)

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        *sizes, inputs = _places(shape)
        geometry = self.geometry(tuple(sizes))
        layer = convolution.Conv(
            name, geometry, inputs, self.channels, self.bias, slope, _given(self.deviation)
        )
        return layer, (*geometry.positions(sizes), self.channels)


@dataclass(frozen=True)
class ConvTranspose(Conv):
    """Transposed convolution, the adjoint of `conv`."""

    kind = "conv-transpose"
    output_padding: int | list[int] = setting(
        0, ge=0, help="extra size at the end of each axis, as in PyTorch"
    )

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        *sizes, inputs = _places(shape)
        geometry, extra = self.geometry(tuple(sizes)), _each(self.output_padding, len(sizes))
        made = geometry.sizes(sizes, extra)
        layer = convolution.ConvTranspose(
            name, geometry, inputs, self.channels, extra, self.bias, slope, _given(self.deviation)
        )
        return layer, (*made, self.channels)


@dataclass(frozen=True)
class BatchNorm(Spec):
    """Batch normalisation of each channel (the last axis)."""

    kind = "batch-norm"
    absorbs = True

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        return normalization.BatchNorm(name, shape[-1], slope), shape


@dataclass(frozen=True)
class LayerNorm(Spec):
    """Layer normalisation of each sample."""

    kind = "layer-norm"
    axes: int = setting(1, ge=1, help="number of last axes that are normalised together")

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        if self.axes > len(shape):
            raise ValueError(f"axes = {self.axes}, but the samples have fewer axes")
        return normalization.LayerNorm(name, shape[-self.axes :]), shape


@dataclass(frozen=True)
class Rectifier(Spec):
    """An activation that the previous layer can apply."""

    is_activation = True

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        return activations.LeakyReLU(self.slope), shape


@dataclass(frozen=True)
class ReLU(Rectifier):
    """max(x, 0)."""

    kind = "relu"
    slope = 0.0


@dataclass(frozen=True)
class LeakyReLU(Rectifier):
    """x where x > 0, else slope x."""

    kind = "leaky-relu"
    slope: float = setting(0.2, ge=0, le=1, help="factor of numbers below 0")


class Elementwise(Spec):
    """An activation without settings."""

    is_activation = True
    layer: ClassVar[type[Layer]]

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        return self.layer(), shape


@dataclass(frozen=True)
class Tanh(Elementwise):
    """tanh(x)."""

    kind = "tanh"
    layer = activations.Tanh
    ends_samples = True


@dataclass(frozen=True)
class Sigmoid(Elementwise):
    """1 / (1 + exp(-x))."""

    kind = "sigmoid"
    layer = activations.Sigmoid
    ends_samples = True


@dataclass(frozen=True)
class ELU(Elementwise):
    """x where x > 0, else exp(x) - 1."""

    kind = "elu"
    layer = activations.ELU


@dataclass(frozen=True)
class Softplus(Elementwise):
    """log(1 + exp(x))."""

    kind = "softplus"
    layer = activations.Softplus


@dataclass(frozen=True)
class Identity(Elementwise):
    """x: no activation."""

    kind = "linear"
    layer = activations.Identity
    ends_samples = True
    keeps_range = True


@dataclass(frozen=True)
class Reshape(Spec):
    """Change the shape of each sample."""

    kind = "reshape"
    keeps_range = True
    shape: list[int] = setting(ge=1, help="the shape of an output")

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        if not self.shape or prod(shape) != prod(self.shape):
            raise ValueError(f"cannot be reshaped to {shown(self.shape) or 'samples without an axis'}")
        return shaping.Reshape(self.shape), tuple(self.shape)


@dataclass(frozen=True)
class Flatten(Spec):
    """Flatten each sample to one axis."""

    kind = "flatten"
    keeps_range = True

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        return shaping.Reshape((prod(shape),)), (prod(shape),)


@dataclass(frozen=True)
class Upsample(Spec):
    """Nearest-neighbour upsampling: repeat each point."""

    kind = "upsample"
    keeps_range = True
    factor: int | list[int] = setting(2, ge=1, help="number of repeats; one number, or one for each axis")

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        *sizes, channels = _places(shape)
        factor = _each(self.factor, len(sizes))
        made = (size * f for size, f in zip(sizes, factor, strict=True))
        return shaping.Upsample(factor), (*made, channels)


@dataclass(frozen=True)
class Dropout(Spec):
    """In training, set random numbers to zero and scale up the others."""

    kind = "dropout"
    rate: float = setting(0.5, ge=0, lt=1, help="probability that a number is set to zero")

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        return dropout.Dropout(self.rate), shape


@dataclass(frozen=True)
class GRU(Spec):
    """Gated recurrent unit over (time, features)."""

    kind = "gru"
    hidden: int = setting(ge=1, le=LARGEST_WIDTH, help="size of the hidden state")
    layer: ClassVar[type[recurrent.Recurrent]] = recurrent.GRU

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        if len(shape) != 2:
            raise ValueError("needs samples with two axes, time and features")
        return self.layer(name, shape[1], self.hidden), (shape[0], self.hidden)


@dataclass(frozen=True)
class LSTM(GRU):
    """Long short-term memory over (time, features)."""

    kind = "lstm"
    layer = recurrent.LSTM


ACTIVATIONS = tuple(kind for kind, spec in LAYERS.items() if spec.is_activation)
# Last activations of a network that ends in samples.
OUTPUTS = tuple(kind for kind, spec in LAYERS.items() if spec.ends_samples)


def _given(deviation: float) -> float | None:
    """Return the standard deviation of the initial weights, or None if they are uniform."""
    return deviation if deviation > 0 else None


def _places(shape: Shape) -> Shape:
    if not 2 <= len(shape) <= 4:
        raise ValueError("needs samples with one to three spatial axes and an axis of channels")
    return shape


def _each(value: Any, axes: int) -> tuple[int, ...]:
    """Return one number for each axis. `value` is one number for all axes, or a list of numbers."""
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,) * axes
    if len(values) != axes:
        raise ValueError(f"{list(values)} must be one number, or {axes} numbers")
    return values
