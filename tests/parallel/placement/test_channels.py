"""Layers whose channels the cells divide against the layers on whole samples."""

import numpy as np
import pytest
from drawing import filled

from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.layers import convolution
from hpcgen.nn.layers.activations import ELU
from hpcgen.nn.layers.convolution import Conv, ConvTranspose
from hpcgen.nn.layers.normalization import BatchNorm
from hpcgen.nn.layers.spectral import SpectralNorm
from hpcgen.parallel.operators.gather import GatherChannels
from hpcgen.parallel.placement import network as placement
from hpcgen.parallel.placement.channels import SharedBatchNorm, SharedConvolution
from hpcgen.parallel.placement.layer import Cellwise, Gathering, Scattering
from hpcgen.parallel.placement.network import place

KINDS = pytest.mark.parametrize("kind", [Conv, ConvTranspose])


@pytest.fixture(autouse=True)
def few_places(monkeypatch):
    monkeypatch.setattr(placement, "FEWEST_PLACES", 1 << 30)


def layer_of(kind, name, channels, outputs, **options):
    """Return a layer with kernel 4, stride 2 and padding 1 from `channels` to `outputs`."""
    geometry = Geometry((4, 4), (2, 2), (1, 1))
    if kind is Conv:
        return Conv(name, geometry, channels, outputs, **options)
    return ConvTranspose(name, geometry, channels, outputs, (0, 0), **options)


@KINDS
@pytest.mark.parametrize("grid", [(2,), (3,), (2, 2), (2, 4)])
@pytest.mark.parametrize(
    "channels, outputs, spectral",
    [(3, 5, False), (3, 5, True), (2, 1, False), (2, 1, True), (32, 40, False)],
)
def test_cells_share_the_channels_where_places_are_few(
    comm, teams, check, passes, chain, random, kind, grid, channels, outputs, spectral
):
    """More cells than channels too, and shapes that Winograd's products serve."""
    small, large = (4, 5), (8, 10)
    sizes, made = (large, small) if kind is Conv else (small, large)
    layer = layer_of(kind, "layer", channels, outputs, slope=0.2)
    layers = chain([SpectralNorm(layer) if spectral else layer], (*sizes, channels), (*made, outputs))
    for team in teams.each(grid, random):
        placed = place(layers, team, True, True).layers[0]
        assert isinstance(placed.layer if spectral else placed, SharedConvolution)
        check(passes(layers, 2, random), team, 1e-10)


@KINDS
@pytest.mark.parametrize("grid", [(3,), (2, 4)])
@pytest.mark.parametrize("divided", [False, True])
def test_they_stay_divided_from_layer_to_layer(
    comm, teams, check, passes, chain, random, kind, grid, divided
):
    """Batch norm and activations too; with fewer channels than cells some have none."""
    shapes = [(8, 10, 3), (4, 5, 6), (4, 5, 6), (4, 5, 6), (2, 2, 4)]
    if kind is ConvTranspose:
        shapes = [(2, 3, 4), (4, 6, 6), (4, 6, 6), (4, 6, 6), (8, 12, 3)]
    layers = [
        layer_of(kind, "first", shapes[0][-1], shapes[1][-1], bias=False),
        BatchNorm("norm", 6, slope=0.2),
        ELU(),
        layer_of(kind, "second", 6, shapes[-1][-1], slope=0.2),
    ]
    for team in teams.each(grid, random):
        for parts in (1, 2):
            given = passes(chain(layers, *shapes), 3, random, parts=parts, takes=divided, makes=divided)
            check(given, team, 1e-10)
        placed = place(given.chain, team, divided, divided).layers
        kinds = [type(layer) for layer in placed]
        assert kinds[:4] == [SharedConvolution, SharedBatchNorm, Cellwise, SharedConvolution]
        assert kinds[4:] == [Gathering, Scattering][: 1 + divided]


def test_a_cell_keeps_its_channels_only(comm, teams, cut, chain, random):
    """What a convolution gathers it gathers again for the derivative."""
    layer = layer_of(Conv, "layer", 8, 16)
    for team in teams.each((4,), random):
        shared = SharedConvolution(layer, team, GatherChannels(team, 8))
        x = GatherChannels(team, 8).parts(random.standard_normal((2, 8, 8, 8)))
        theta = filled(layer, random, np.float64)
        y, backward = shared.forward(theta, x)
        assert [cell.shape for cell in y.cells] == [(2, 4, 4, 4)] * len(team.mine)
        kept = [cell.cell_contents for cell in backward.__closure__]
        assert not any(isinstance(each, np.ndarray) for each in kept)


@pytest.mark.parametrize(
    "kind, channels, outputs, memory", [(Conv, 4, 40, 14848), (ConvTranspose, 8, 10, 8192)]
)
def test_cells_may_cut_other_chunks(
    comm, teams, check, passes, chain, random, monkeypatch, kind, channels, outputs, memory
):
    """The cells do not have equally many channels, so that some of them cut smaller chunks."""
    monkeypatch.setattr(convolution, "CHUNK_BYTES", memory)
    shapes = [(8, 8, channels), (4, 4, outputs)] if kind is Conv else [(4, 4, channels), (8, 8, outputs)]
    layers = chain([layer_of(kind, "layer", channels, outputs)], *shapes)
    for team in teams.each((3,), random):
        (shared, *_) = place(layers, teams.alone((3,)), True, False).layers
        chunks = [core._chunks(core.form((4, 4)), 8, (4, 4)) for core in shared.cores]
        assert len(set(map(len, chunks))) > 1
        check(passes(layers, 8, random, makes=False), team, 1e-10)
