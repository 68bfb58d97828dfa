"""Networks as lists of layers: what a run file may say of each, and the chain that a list stands for."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from hpcgen.errors import InputError
from hpcgen.nn.chain import Chain
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
from hpcgen.nn.layers.affine import Affine
from hpcgen.nn.layers.spectral import SpectralNorm
from hpcgen.settings import setting

MOST = 1_000_000


class Spec:
    """A layer to be: `build(name, shape, slope)` returns the layer for samples of `shape`, and the shape that
    it makes of them.

    Where `absorbs` is true the layer also applies y where y > 0, else slope y, of the activation that follows
    it. Raises ValueError if the shape does not suit.
    """

    absorbs = False
    # Whether numbers stay in the interval in which they lie.
    keeps_range = False
    # Of a rectifier: what multiplies y where y <= 0.
    slope: float


@dataclass(frozen=True)
class Dense(Spec):
    """Fully connected; the weights start uniform in +-1/sqrt(inputs), or normal with `deviation` if that is
    not 0."""

    outputs: int = setting(ge=1, le=MOST)
    bias: bool = True
    deviation: float = setting(0.0, ge=0)
    absorbs = True

    def build(self, name, shape, slope):
        if len(shape) != 1:
            raise ValueError("needs one axis; put a flatten before it")
        return dense.Dense(name, shape[0], self.outputs, self.bias, slope, self.deviation or None), (
            self.outputs,
        )


@dataclass(frozen=True)
class Conv(Spec):
    """Convolution over all axes but the last; each of `kernel`, `stride`, `padding` is one number, or one an
    axis."""

    channels: int = setting(ge=1, le=MOST)
    kernel: int | list[int] = setting(4, ge=1)
    stride: int | list[int] = setting(2, ge=1)
    padding: int | list[int] = setting(1, ge=0)
    bias: bool = True
    deviation: float = setting(0.0, ge=0)
    absorbs = True

    def geometry(self, sizes):
        return Geometry(*(_each(value, len(sizes)) for value in (self.kernel, self.stride, self.padding)))

    def build(self, name, shape, slope):
        *sizes, inputs = _places(shape)
        geometry = self.geometry(sizes)
        layer = convolution.Conv(
            name, geometry, inputs, self.channels, self.bias, slope, self.deviation or None
        )
        return layer, (*geometry.positions(sizes), self.channels)


@dataclass(frozen=True)
class ConvTranspose(Conv):
    """Transposed convolution; `output_padding` as in PyTorch."""

    output_padding: int | list[int] = setting(0, ge=0)

    def build(self, name, shape, slope):
        *sizes, inputs = _places(shape)
        geometry, extra = self.geometry(sizes), _each(self.output_padding, len(sizes))
        made = geometry.sizes(sizes, extra)
        layer = convolution.ConvTranspose(
            name, geometry, inputs, self.channels, extra, self.bias, slope, self.deviation or None
        )
        return layer, (*made, self.channels)


@dataclass(frozen=True)
class BatchNorm(Spec):
    """Batch normalisation of each channel (the last axis)."""

    absorbs = True

    def build(self, name, shape, slope):
        return normalization.BatchNorm(name, shape[-1], slope), shape


@dataclass(frozen=True)
class LayerNorm(Spec):
    """Layer normalisation over the last `axes` axes."""

    axes: int = setting(1, ge=1)

    def build(self, name, shape, slope):
        if self.axes > len(shape):
            raise ValueError(f"axes = {self.axes} are more than there are")
        return normalization.LayerNorm(name, shape[-self.axes :]), shape


@dataclass(frozen=True)
class Rectifier(Spec):
    """An activation that the layer before can apply itself."""

    def build(self, name, shape, slope):
        return activations.LeakyReLU(self.slope), shape


@dataclass(frozen=True)
class ReLU(Rectifier):
    """max(x, 0)."""

    slope = 0.0


@dataclass(frozen=True)
class LeakyReLU(Rectifier):
    """x where x > 0, else slope x."""

    slope: float = setting(0.2, ge=0, le=1)


class Elementwise(Spec):
    """An activation without settings."""

    layer: ClassVar[type[Layer]]

    def build(self, name, shape, slope):
        return self.layer(), shape


@dataclass(frozen=True)
class Tanh(Elementwise):
    layer = activations.Tanh


@dataclass(frozen=True)
class Sigmoid(Elementwise):
    layer = activations.Sigmoid


@dataclass(frozen=True)
class ELU(Elementwise):
    layer = activations.ELU


@dataclass(frozen=True)
class Softplus(Elementwise):
    layer = activations.Softplus


@dataclass(frozen=True)
class Linear(Elementwise):
    keeps_range = True
    layer = activations.Linear


@dataclass(frozen=True)
class Reshape(Spec):
    """Each sample in another shape."""

    keeps_range = True

    shape: list[int] = setting(ge=1)

    def build(self, name, shape, slope):
        if not self.shape or prod(shape) != prod(self.shape):
            raise ValueError(f"cannot make {_shown(self.shape) or 'samples without an axis'} of it")
        return shaping.Reshape(self.shape), tuple(self.shape)


@dataclass(frozen=True)
class Flatten(Spec):
    """Each sample on one axis."""

    keeps_range = True

    def build(self, name, shape, slope):
        return shaping.Reshape((prod(shape),)), (prod(shape),)


@dataclass(frozen=True)
class Upsample(Spec):
    """Nearest neighbour, by `factor` on each axis."""

    keeps_range = True

    factor: int | list[int] = setting(2, ge=1)

    def build(self, name, shape, slope):
        *sizes, channels = _places(shape)
        factor = _each(self.factor, len(sizes))
        return shaping.Upsample(factor), (
            *(size * f for size, f in zip(sizes, factor, strict=True)),
            channels,
        )


@dataclass(frozen=True)
class Dropout(Spec):
    """Zero with probability `rate`, in training."""

    rate: float = setting(0.5, ge=0, lt=1)

    def build(self, name, shape, slope):
        return dropout.Dropout(self.rate), shape


@dataclass(frozen=True)
class GRU(Spec):
    """Gated recurrent unit over (time, features)."""

    hidden: int = setting(ge=1, le=MOST)
    layer: ClassVar[type[recurrent.Recurrent]] = recurrent.GRU

    def build(self, name, shape, slope):
        if len(shape) != 2:
            raise ValueError("needs two axes, time and features")
        return self.layer(name, shape[1], self.hidden), (shape[0], self.hidden)


@dataclass(frozen=True)
class LSTM(GRU):
    """Long short-term memory over (time, features)."""

    layer = recurrent.LSTM


LAYERS = {
    "dense": Dense,
    "conv": Conv,
    "conv-transpose": ConvTranspose,
    "batch-norm": BatchNorm,
    "layer-norm": LayerNorm,
    "relu": ReLU,
    "leaky-relu": LeakyReLU,
    "tanh": Tanh,
    "sigmoid": Sigmoid,
    "elu": ELU,
    "softplus": Softplus,
    "linear": Linear,
    "reshape": Reshape,
    "flatten": Flatten,
    "upsample": Upsample,
    "dropout": Dropout,
    "gru": GRU,
    "lstm": LSTM,
}
KINDS = {spec: kind for kind, spec in LAYERS.items()}
ACTIVATIONS = ("relu", "leaky-relu", "tanh", "sigmoid", "elu", "softplus", "linear")


def build(specs, start, end, where, prefix="", spectral=False):
    """Return the `Chain` of `specs` that leads from samples of shape `start` to samples of shape `end`.

    A layer's parameters are named `prefix`, its kind, and its number among its kind, from 1. With `spectral`
    dense and convolutional layers have their weights normalised. Raises InputError, which names the layer
    under the key `where`, if shapes do not fit.
    """
    layers: list[Layer] = []
    counts: dict[str, int] = {}
    shape, specs = tuple(start), list(specs)
    for i, spec in enumerate(specs):
        if i and isinstance(spec, Rectifier) and specs[i - 1].absorbs:
            continue
        kind = KINDS[type(spec)]
        counts[kind] = counts.get(kind, 0) + 1
        follower = specs[i + 1] if i + 1 < len(specs) else None
        slope = follower.slope if spec.absorbs and isinstance(follower, Rectifier) else 1.0
        try:
            layer, made = spec.build(f"{prefix}{kind.replace('-', '_')}{counts[kind]}", shape, slope)
        except ValueError as error:
            raise InputError(f"{where}[{i}] ({kind}) gets samples of {_shown(shape)}: {error}") from None
        if spectral and isinstance(layer, recurrent.Recurrent):
            raise InputError(
                f"{where}[{i}] ({kind}): model.spectral_norm is of dense and convolutional layers; leave "
                "it out"
            )
        layers.append(SpectralNorm(layer) if spectral and isinstance(layer, Affine) else layer)
        shape = made
    if shape != tuple(end):
        raise InputError(f"{where}: lead to samples of {_shown(shape)}, but must lead to {_shown(end)}")
    return Chain(layers)


def _places(shape):
    if not 2 <= len(shape) <= 4:
        raise ValueError("needs one to three axes of places and one of channels")
    return shape


def _each(value, axes):
    """Return one number for each axis, from one for all or from as many."""
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,) * axes
    if len(values) != axes:
        raise ValueError(f"{list(values)} must be one number, or {axes}")
    return values


def _shown(shape):
    return " x ".join(map(str, shape))
