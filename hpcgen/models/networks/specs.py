"""Specifications of layers: what a run file says about each kind of layer."""

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

# The specification of each kind of layer. Each class enters itself under its `kind`.
LAYERS: dict[str, type["Spec"]] = {}


class Spec:
    """Specification of a layer.

    `build(name, shape, slope)` returns the layer for samples of `shape`, and the shape of its outputs. A
    layer that `absorbs` an activation applies the rectifier after it too: y where y > 0, else slope y.
    """

    kind: ClassVar[str] = ""
    absorbs: ClassVar[bool] = False
    is_activation: ClassVar[bool] = False
    # Whether a network may end in samples with the activation.
    ends_samples: ClassVar[bool] = False
    # Whether outputs stay in the interval in which the inputs lie.
    keeps_range: ClassVar[bool] = False
    # What a rectifier multiplies y with where y <= 0.
    slope: float

    def __init_subclass__(cls) -> None:
        if "kind" in vars(cls):
            LAYERS[cls.kind] = cls

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        """Return the layer and the shape of its outputs. Raises ValueError if `shape` does not suit."""
        raise AssertionError(f"{type(self).__name__} has no build")


def _deviation() -> Any:
    return setting(
        0.0,
        ge=0,
        help="standard deviation of the starting weights; 0: uniform in +-1/sqrt(inputs), as in PyTorch",
    )


@dataclass(frozen=True)
class Dense(Spec):
    """Fully connected: y = x W + b. Takes samples of one axis."""

    kind = "dense"
    absorbs = True
    outputs: int = setting(ge=1, le=LARGEST_WIDTH, help="numbers of an output")
    bias: bool = setting(True, help="add a constant to each output")
    deviation: float = _deviation()

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        if len(shape) != 1:
            raise ValueError("needs one axis; put a flatten before it")
        layer = dense.Dense(name, shape[0], self.outputs, self.bias, slope, _given(self.deviation))
        return layer, (self.outputs,)


@dataclass(frozen=True)
class Conv(Spec):
    """Convolution over all axes but the last, which holds the channels.

    Kernel, stride and padding are one number, or one for each axis.
    """

    kind = "conv"
    absorbs = True
    channels: int = setting(ge=1, le=LARGEST_WIDTH, help="channels of an output")
    kernel: int | list[int] = setting(4, ge=1, help="places that a window covers")
    stride: int | list[int] = setting(2, ge=1, help="places from one window to the next")
    padding: int | list[int] = setting(1, ge=0, help="zeros that are added at either end")
    bias: bool = setting(True, help="add a constant to each channel")
    deviation: float = _deviation()

    def geometry(self, sizes: Shape) -> Geometry:
        """Return where the windows lie over places of these sizes."""
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
    output_padding: int | list[int] = setting(0, ge=0, help="as in PyTorch")

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
    """Batch normalisation of each channel, the last axis."""

    kind = "batch-norm"
    absorbs = True

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        return normalization.BatchNorm(name, shape[-1], slope), shape


@dataclass(frozen=True)
class LayerNorm(Spec):
    """Layer normalisation of each sample."""

    kind = "layer-norm"
    axes: int = setting(1, ge=1, help="how many of the last axes are normalised together")

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        if self.axes > len(shape):
            raise ValueError(f"axes = {self.axes} is more than the samples have")
        return normalization.LayerNorm(name, shape[-self.axes :]), shape


@dataclass(frozen=True)
class Rectifier(Spec):
    """An activation that the layer before it can apply."""

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
    slope: float = setting(0.2, ge=0, le=1, help="what multiplies numbers below 0")


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
    """x itself: no activation."""

    kind = "linear"
    layer = activations.Identity
    ends_samples = True
    keeps_range = True


@dataclass(frozen=True)
class Reshape(Spec):
    """Each sample in another shape."""

    kind = "reshape"
    keeps_range = True
    shape: list[int] = setting(ge=1, help="the shape of an output")

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        if not self.shape or prod(shape) != prod(self.shape):
            raise ValueError(f"cannot make {shown(self.shape) or 'samples without an axis'} of it")
        return shaping.Reshape(self.shape), tuple(self.shape)


@dataclass(frozen=True)
class Flatten(Spec):
    """Each sample on one axis."""

    kind = "flatten"
    keeps_range = True

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        return shaping.Reshape((prod(shape),)), (prod(shape),)


@dataclass(frozen=True)
class Upsample(Spec):
    """Nearest neighbour: each place is repeated."""

    kind = "upsample"
    keeps_range = True
    factor: int | list[int] = setting(2, ge=1, help="how often; one number, or one for each axis")

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        *sizes, channels = _places(shape)
        factor = _each(self.factor, len(sizes))
        made = (size * f for size, f in zip(sizes, factor, strict=True))
        return shaping.Upsample(factor), (*made, channels)


@dataclass(frozen=True)
class Dropout(Spec):
    """In training, zero numbers at random and scale up the others."""

    kind = "dropout"
    rate: float = setting(0.5, ge=0, lt=1, help="the probability that a number is zeroed")

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        return dropout.Dropout(self.rate), shape


@dataclass(frozen=True)
class GRU(Spec):
    """Gated recurrent unit over (time, features)."""

    kind = "gru"
    hidden: int = setting(ge=1, le=LARGEST_WIDTH, help="numbers of the hidden state")
    layer: ClassVar[type[recurrent.Recurrent]] = recurrent.GRU

    def build(self, name: str, shape: Shape, slope: float) -> tuple[Layer, Shape]:
        if len(shape) != 2:
            raise ValueError("needs two axes, time and features")
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
    """Return the standard deviation of starting weights, or None where they are uniform."""
    return deviation if deviation > 0 else None


def _places(shape: Shape) -> Shape:
    if not 2 <= len(shape) <= 4:
        raise ValueError("needs one to three axes of places and one of channels")
    return shape


def _each(value: Any, axes: int) -> tuple[int, ...]:
    """Return one number for each axis, from one for all or from as many."""
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,) * axes
    if len(values) != axes:
        raise ValueError(f"{list(values)} must be one number, or {axes}")
    return values
