"""Place a network on divided samples: choose what each layer works on, and insert operators."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from hpcgen.arrays import Shape
from hpcgen.errors import InputError
from hpcgen.nn.chain import Chain
from hpcgen.nn.divided import Leaves
from hpcgen.nn.layer import Layer
from hpcgen.nn.layers.activations import Elementwise
from hpcgen.nn.layers.convolution import Conv, ConvTranspose
from hpcgen.nn.layers.dropout import Dropout
from hpcgen.nn.layers.normalization import BatchNorm, LayerNorm
from hpcgen.nn.layers.shaping import Reshape, Upsample
from hpcgen.nn.layers.spectral import SpectralNorm
from hpcgen.nn.vector import Layout, Vector
from hpcgen.parallel.cells import Grid
from hpcgen.parallel.operators.gather import Gather, GatherChannels
from hpcgen.parallel.placement.channels import SharedBatchNorm, SharedConvolution
from hpcgen.parallel.placement.convolution import PlacedConvolution
from hpcgen.parallel.placement.layer import Cellwise, Gathering, Replicated, Scattering
from hpcgen.parallel.placement.normalization import PlacedBatchNorm, PlacedLayerNorm
from hpcgen.parallel.placement.shaping import PlacedDropout, PlacedUpsample
from hpcgen.parallel.team import Team

# The smallest mean number of places per cell. With fewer places, a layer has more weights than activations.
# Then the cells divide its channels instead of its places.
FEWEST_PLACES = 64
CONVOLUTIONS = (Conv, ConvTranspose)
# Layers with windows. The last axis of x and y holds the channels. All other axes are spatial.
WINDOWS = (Conv, ConvTranspose, Upsample)
# Layers whose y has the shape and the places of x.
KEEPING = (Elementwise, BatchNorm, LayerNorm, Dropout)


class PlacedChain(Chain):
    """The layers of a chain, each on cells or on whole samples, with Gather and its adjoint between them.

    Collective over the team: forward, backward and tangent.
    """

    def __init__(self, chain: Chain, layers: Sequence[Layer], team: Team) -> None:
        super().__init__(layers, chain.shapes)
        self._team = team

    def gradient(self, layout: Layout, dtype: np.typing.DTypeLike) -> Leaves:
        return Leaves([Vector(layout, dtype=dtype) for _ in self._team.mine], self._team.first)


def place(chain: Chain, team: Team, takes: bool, makes: bool) -> PlacedChain:
    """Return the chain for the cells of a team.

    `takes` says whether its input is divided into cells, `makes` whether its output is. A layer works on
    cells of places if its x and its y have enough places in each cell, and if `PLACEMENTS` has its kind. The
    cells divide the channels of other convolutions, and those of batch norm and activations that follow such
    a convolution. All other layers work on whole samples. This does not depend on the number of ranks.
    """
    axes, shapes = axes_of_places(chain), chain.shapes
    divided = [
        count >= len(team.grid.shape) and pays(team.grid, shape[:count])
        for count, shape in zip(axes, shapes, strict=True)
    ]

    def places(i: int) -> Gather:
        return Gather(team, shapes[i][: len(team.grid.shape)])

    layers: list[Layer] = []
    # The operator that gathers the samples at this layer, or None if they are whole.
    here: Gather | GatherChannels | None = places(0) if takes else None
    for i, layer in enumerate(chain.layers):
        placed = None
        if divided[i] and divided[i + 1]:
            placed = _placed(layer, team, shapes[i], shapes[i + 1], axes[i])
        if placed is not None:
            layers += [*_crossing(here, places(i)), placed]
            here = places(i + 1)
        elif isinstance(_inner(layer), CONVOLUTIONS):
            layers.append(_shared(layer, team, here))
            here = GatherChannels(team, shapes[i + 1][-1])
        elif isinstance(here, GatherChannels) and isinstance(layer, (BatchNorm, Elementwise)):
            layers.append(_shared(layer, team, here))
        else:
            layers += [*_crossing(here, None), Replicated(layer)]
            here = None
    return PlacedChain(chain, [*layers, *_crossing(here, places(-1) if makes else None)], team)


def pays(grid: Grid, sizes: Shape) -> bool:
    """Return whether to divide places of these sizes.

    Each cell must have at least one place on each axis, and FEWEST_PLACES on average.
    """
    return grid.divides(sizes) and prod(sizes) >= FEWEST_PLACES * len(grid)


def _crossing(here: Gather | GatherChannels | None, there: Gather | None) -> list[Layer]:
    """Return the layers that change how samples are divided.

    `here` gathers the samples as they are, `there` as they will be. None stands for whole samples.
    """
    if isinstance(here, Gather) and there is not None:
        return []
    gathering: list[Layer] = [] if here is None else [Gathering(here)]
    return gathering if there is None else [*gathering, Scattering(there)]


def axes_of_places(chain: Chain) -> list[int]:
    """Return the number of spatial axes of the chain's input and of each layer's output, 0 if unknown.

    Layers with windows determine it. Layers that keep the places pass it on, in both directions.
    """
    shapes, layers = chain.shapes, chain.layers
    axes = [0] * len(shapes)
    for i, layer in enumerate(layers):
        if isinstance(_inner(layer), WINDOWS):
            axes[i], axes[i + 1] = len(shapes[i]) - 1, len(shapes[i + 1]) - 1
    forth = range(len(layers))
    for i in (*forth, *reversed(forth)):
        known = axes[i] or axes[i + 1]
        if known and _keeps(layers[i], shapes[i], shapes[i + 1], known):
            axes[i] = axes[i + 1] = known
    return axes


def _keeps(layer: Layer, before: Shape, after: Shape, axes: int) -> bool:
    """Return whether y has the places of x on the first `axes` axes."""
    if isinstance(layer, KEEPING):
        return True
    return (
        isinstance(layer, Reshape)
        and before[:axes] == after[:axes]
        and prod(before[axes:]) == prod(after[axes:])
    )


def _inner(layer: Layer) -> Layer:
    return layer.layer if isinstance(layer, SpectralNorm) else layer


def _placed(layer: Layer, team: Team, before: Shape, after: Shape, axes: int) -> Layer | None:
    """Return the layer on cells, or None if it cannot work on cells."""
    for kind, make in PLACEMENTS.items():
        if isinstance(layer, kind):
            return make(layer, team, before, after, axes)
    return None


def _shared(layer: Any, team: Team, here: Gather | GatherChannels | None) -> Layer:
    """Return the layer with its channels divided among the cells. `here` gathers its input, None: whole."""
    if isinstance(layer, SpectralNorm):
        inner: Any = _shared(layer.layer, team, here)
        return SpectralNorm(inner)
    if isinstance(layer, BatchNorm):
        return SharedBatchNorm(layer, team)
    if isinstance(layer, Elementwise):
        return Cellwise(layer, [layer] * len(team.mine))
    return SharedConvolution(layer, team, here)


def _spectral(layer: Any, team: Team, before: Shape, after: Shape, axes: int) -> Layer | None:
    inner: Any = _placed(layer.layer, team, before, after, axes)
    return None if inner is None else SpectralNorm(inner)


def _layer_norm(layer: Any, team: Team, before: Shape, after: Shape, axes: int) -> Layer | None:
    first = len(before) - len(layer.shape)
    if first >= len(team.grid.shape):
        return Cellwise(layer, [layer] * len(team.mine))
    return PlacedLayerNorm(layer, team) if first == 0 else None


def _reshape(layer: Any, team: Team, before: Shape, after: Shape, axes: int) -> Layer | None:
    if not _keeps(layer, before, after, axes):
        return None
    sizes = [team.grid.sizes(cell, before[:axes]) for cell in team.mine]
    return Cellwise(layer, [Reshape((*size, *after[axes:])) for size in sizes])


Placement = Callable[[Any, Team, Shape, Shape, int], Layer | None]
PLACEMENTS: dict[Any, Placement] = {
    SpectralNorm: _spectral,
    CONVOLUTIONS: lambda layer, team, before, after, axes: PlacedConvolution(
        layer, team, before[:-1], after[:-1]
    ),
    BatchNorm: lambda layer, team, before, after, axes: PlacedBatchNorm(layer, team, before[:-1]),
    LayerNorm: _layer_norm,
    Dropout: lambda layer, team, before, after, axes: PlacedDropout(layer, team, before),
    Upsample: lambda layer, team, before, after, axes: PlacedUpsample(layer, team, before[:-1], after[:-1]),
    Reshape: _reshape,
    Elementwise: lambda layer, team, before, after, axes: Cellwise(layer, [layer] * len(team.mine)),
}


def divide(model: Any, team: Team) -> None:
    """Replace a model's networks by networks on the cells of a team.

    `model.networks` holds the networks by name, and `model.divide` replaces them. Raises InputError if no
    network has as many spatial axes as the grid of cells.
    """
    axes = []
    for name, (takes, makes) in model.at_samples.items():
        known = axes_of_places(model.networks[name])
        axes += [known[0]] * takes + [known[-1]] * makes
    wanted = len(team.grid.shape)
    if not max(axes, default=0):
        raise InputError(
            "train.cells: the model has no layers with spatial axes, such as conv; leave train.cells out"
        )
    if max(axes) < wanted:
        raise InputError(
            f"train.cells has {wanted} numbers, but the number of spatial axes is {max(axes)}; "
            f"give at most {max(axes)}"
        )
    model.divide(team, lambda network, takes, makes: place(network, team, takes, makes))
