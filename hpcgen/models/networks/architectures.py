"""Architectures: the layers of a network for samples of a given shape."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from hpcgen.arrays import shown
from hpcgen.errors import InputError
from hpcgen.models.networks import specs as layers
from hpcgen.models.networks.specs import ACTIVATIONS, LAYERS, OUTPUTS, Shape, Spec
from hpcgen.settings import setting


@dataclass(frozen=True)
class Perceptron:
    """Fully connected layers."""

    hidden: list[int] = setting(list, ge=1, le=layers.LARGEST_WIDTH, help="sizes of the hidden layers")
    activation: str = setting("relu", choices=ACTIVATIONS, help="activation after each hidden layer")

    def _dense(self, outputs: int) -> Iterator[Spec]:
        for size in self.hidden:
            yield layers.Dense(size)
            yield LAYERS[self.activation]()
        yield layers.Dense(outputs)

    def specs(self, shape: Shape, outputs: int = 1) -> list[Spec]:
        """Return the layers from samples of `shape` to `outputs` numbers."""
        return [layers.Flatten(), *self._dense(outputs)]

    def back(self, shape: Shape) -> list[Spec]:
        """Return the layers from numbers to samples of `shape`."""
        return [*self._dense(prod(shape)), layers.Reshape(list(shape))]


@dataclass(frozen=True)
class PerceptronGenerator(Perceptron):
    """A perceptron that generates samples. Its last activation determines the interval of the samples."""

    output: str = setting("tanh", choices=OUTPUTS, help="the last activation")

    def back(self, shape: Shape) -> list[Spec]:
        """Return the layers from noise to samples of `shape`."""
        return [*self._dense(prod(shape)), LAYERS[self.output](), layers.Reshape(list(shape))]


@dataclass(frozen=True)
class Pyramid:
    """A stack of convolutions. Each divides the size of every spatial axis by `stride`.

    Samples have `axes` spatial axes (1 for waveforms, 2 for images, 3 for volumes), and an axis of channels
    if there are several channels. With `normalization`, batch norm follows every convolution except the one
    next to the samples, and no layer has a bias.
    """

    axes: int = setting(2, ge=1, le=3, help="number of spatial axes")
    width: int = setting(64, ge=1, le=4096, help="channels of the first stage; the next has twice as many")
    kernel: int = setting(4, ge=1, help="size of the kernel on each spatial axis")
    stride: int = setting(2, ge=2, help="each stage divides the size of each spatial axis by this number")
    smallest: int = setting(4, ge=1, help="smallest size of a spatial axis; no stage goes below it")
    activation: str = setting("leaky-relu", choices=ACTIVATIONS, help="activation after each convolution")
    normalization: bool = setting(True, help="use batch norm")
    deviation: float = setting(
        0.02, ge=0, help="standard deviation of the initial weights; 0: uniform, as in PyTorch"
    )

    def _stages(self, shape: Shape) -> list[tuple[Shape, int]]:
        """Return (sizes, channels) of the samples and of the outputs of each stage."""
        if len(shape) not in (self.axes, self.axes + 1):
            raise InputError(
                f"model.network: samples of {shown(shape)} do not have {self.axes} spatial axes and channels"
            )
        channels = shape[self.axes] if len(shape) > self.axes else 1
        stages = [(shape[: self.axes], channels)]
        while all(size % self.stride == 0 and size // self.stride >= self.smallest for size in stages[-1][0]):
            sizes = tuple(size // self.stride for size in stages[-1][0])
            stages.append((sizes, self.width << len(stages) - 1))
        if len(stages) == 1:
            raise InputError(
                f"model.network: samples of {shown(shape)} cannot be divided by {self.stride} on each axis "
                f"into {self.smallest} or more"
            )
        return stages

    def _geometry(self) -> tuple[dict[str, Any], int]:
        """Return the keys of a convolution that divides each size by the stride, and its output padding."""
        if self.kernel < self.stride:
            raise InputError(f"model: a kernel of {self.kernel} is smaller than the stride {self.stride}")
        extra = (self.kernel - self.stride) % 2
        padding = (self.kernel - self.stride + extra) // 2
        common = {"bias": not self.normalization, "deviation": self.deviation}
        return {"kernel": self.kernel, "stride": self.stride, "padding": padding, **common}, extra

    def _normalized(self) -> list[Spec]:
        activation = LAYERS[self.activation]()
        return [layers.BatchNorm(), activation] if self.normalization else [activation]

    def specs(self, shape: Shape, outputs: int = 1) -> list[Spec]:
        """Return the layers from samples of `shape` to `outputs` numbers."""
        ((sizes, channels), (_, width), *stages), (keys, _) = self._stages(shape), self._geometry()
        specs: list[Spec] = [
            layers.Reshape([*sizes, channels]),
            layers.Conv(width, **keys),
            LAYERS[self.activation](),
        ]
        for _, width in stages:
            specs += [layers.Conv(width, **keys), *self._normalized()]
        return [*specs, layers.Flatten(), layers.Dense(outputs, not self.normalization, self.deviation)]


@dataclass(frozen=True)
class PyramidGenerator(Pyramid):
    """The reverse of a pyramid: fully connected layers, then transposed convolutions up to a sample.

    The default of `hidden_activation` is not a ReLU. If all hidden numbers are positive, they move all
    samples together, and the generator soon makes only one sample.
    """

    activation: str = setting(
        "relu", choices=ACTIVATIONS, help="activation after each transposed convolution"
    )
    hidden: list[int] = setting(list, ge=1, le=layers.LARGEST_WIDTH, help="sizes of the hidden layers")
    hidden_activation: str = setting("elu", choices=ACTIVATIONS, help="activation after each hidden layer")
    output: str = setting("tanh", choices=OUTPUTS, help="the last activation")

    def back(self, shape: Shape) -> list[Spec]:
        """Return the layers from noise to samples of `shape`."""
        (*stages, (sizes, width)), (keys, extra) = self._stages(shape), self._geometry()
        start = {"bias": keys["bias"], "deviation": keys["deviation"]}
        specs: list[Spec] = []
        for size in self.hidden:
            specs += [layers.Dense(size, **start), LAYERS[self.hidden_activation]()]
        specs += [
            layers.Dense(prod(sizes) * width, **start),
            layers.Reshape([*sizes, width]),
            *self._normalized(),
        ]
        for _, channels in reversed(stages):
            specs += [layers.ConvTranspose(channels, **keys, output_padding=extra), *self._normalized()]
        # The last stage is the sample itself.
        specs = specs[: -len(self._normalized())]
        return [*specs, LAYERS[self.output](), layers.Reshape(list(shape))]


@dataclass(frozen=True)
class Layers:
    """A network that the run file lists layer by layer. Each table has a `kind` and the keys of that kind."""

    layers: list[Spec] = setting(kinds=LAYERS, help="the layers, one table each")

    def specs(self, shape: Shape, outputs: int = 1) -> list[Spec]:
        """Return the layers of the run file."""
        return self.layers

    def back(self, shape: Shape) -> list[Spec]:
        """Return the layers of the run file."""
        return self.layers
