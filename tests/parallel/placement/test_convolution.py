"""Convolutions of any geometry on cells against the layer on whole samples."""

from unittest.mock import patch

import numpy as np
import pytest
from drawing import examples
from hypothesis import given
from hypothesis import strategies as st

from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.convolution.winograd import Winograd
from hpcgen.nn.layers import convolution
from hpcgen.nn.layers.convolution import Conv, ConvTranspose
from hpcgen.nn.layers.spectral import SpectralNorm
from hpcgen.parallel.placement import network as placement
from hpcgen.parallel.placement.convolution import PlacedConvolution
from hpcgen.parallel.placement.network import place

KINDS = pytest.mark.parametrize("kind", [Conv, ConvTranspose])
MANY = examples(40)
FEW = st.integers(1, 3)
# With three axes sizes and kernels are smaller.
LARGEST = {1: (7, 24), 2: (7, 9), 3: (4, 6)}


@st.composite
def geometries(draw, kind):
    """A geometry with kernels up to 7 and strides up to 4, the sizes of x and y, and output padding."""
    axes = []
    spatial = draw(st.integers(1, 3))
    for _ in range(spatial):
        kernel, size = (draw(st.integers(1, largest)) for largest in LARGEST[spatial])
        stride, extra = draw(st.integers(1, 4)), 0
        if kind is Conv:
            least = max(0, -((size - kernel) // 2))
            padding = draw(st.integers(least, max(least, 3)))
            made = (size + 2 * padding - kernel) // stride + 1
        else:
            size = min(size, 9)
            extra = draw(st.integers(0, stride - 1))
            full = (size - 1) * stride + kernel + extra
            padding = draw(st.integers(0, min(3, (full - 1) // 2)))
            made = full - 2 * padding
        axes.append((kernel, stride, padding, size, made, extra))
    kernel, stride, padding, sizes, made, extra = map(tuple, zip(*axes))
    return Geometry(kernel, stride, padding), sizes, made, extra


@st.composite
def grids(draw, sizes, made, cells=8):
    """Cells of which each has a place of x and of y, on some of the axes."""
    grid = []
    for most in [*map(min, sizes, made)][: draw(st.integers(1, len(sizes)))]:
        grid.append(draw(st.integers(1, min(most, 5, cells // int(np.prod(grid))))))
    return tuple(grid)


def layer_of(kind, geometry, extra, channels, outputs, **options):
    """Return a layer from `channels` to `outputs`."""
    if kind is Conv:
        return Conv("layer", geometry, channels, outputs, **options)
    return ConvTranspose("layer", geometry, channels, outputs, extra, **options)


@KINDS
@MANY
@given(data=st.data(), random=..., n=FEW, channels=FEW, outputs=FEW)
def test_any_geometry(
    comm, teams, check, passes, chain, kind, data, random: np.random.Generator, n, channels, outputs
):
    geometry, sizes, made, extra = data.draw(geometries(kind))
    grid = data.draw(grids(sizes, made))
    options = {"bias": data.draw(st.booleans()), "slope": data.draw(st.sampled_from([1.0, 0.0, 0.2]))}
    layer = layer_of(kind, geometry, extra, channels, outputs, **options)
    team = teams.of(grid, data.draw(st.integers(1, teams.most(grid))), random)
    network = chain(
        [SpectralNorm(layer) if data.draw(st.booleans()) else layer], (*sizes, channels), (*made, outputs)
    )
    # Samples in chunks of one, or all at once; cells that share the places, or the channels.
    with (
        patch.object(convolution, "CHUNK_BYTES", data.draw(st.sampled_from([1, 2 << 20]))),
        patch.object(placement, "FEWEST_PLACES", data.draw(st.sampled_from([1, 1, 1 << 30]))),
    ):
        check(passes(network, n, random), team, 1e-10)


@KINDS
@examples(15)
@given(data=st.data(), random=..., n=FEW, spatial=st.integers(2, 3), padding=st.integers(0, 1))
def test_winograd(
    comm, teams, check, passes, chain, kind, data, random: np.random.Generator, n, spatial, padding
):
    """Kernel 4, stride 2 and many channels: products of fewer multiplications, in float32."""
    geometry = Geometry((4,) * spatial, (2,) * spatial, (padding,) * spatial)
    most = {2: 20, 3: 9}[spatial]
    places = [data.draw(st.integers(4, most)) for _ in range(spatial)]
    positions, channels, outputs = geometry.positions(places), {2: 16, 3: 8}[spatial], 32
    sizes, made, extra = places, positions, None
    if kind is ConvTranspose:
        extra = [(size + 2 * padding) % 2 for size in places]
        sizes, made, channels, outputs = positions, places, outputs, channels
    layer = layer_of(kind, geometry, extra, channels, outputs, slope=0.2)
    grid = data.draw(grids(sizes, made, 4))
    team = teams.of(grid, data.draw(st.integers(1, teams.most(grid))), random)
    dtype, tolerance = data.draw(st.sampled_from([(np.float32, 3e-5), (np.float64, 1e-10)]))
    network = chain([layer], (*sizes, channels), (*made, outputs))
    (placed,) = place(network, team, True, True).layers
    assert any(isinstance(form, Winograd) for form in placed.cores[0].forms)
    check(passes(network, n, random, dtype), team, tolerance)


@KINDS
@pytest.mark.parametrize("grid", [(2,), (4,), (2, 2), (3, 4), (1, 2)])
def test_the_geometry_of_dcgan(comm, teams, check, passes, chain, random, kind, grid):
    """Kernel 4, stride 2, padding 1, which no one neighbour serves, for every deal."""
    small, large = (4, 5), (8, 10)
    sizes, made = (large, small) if kind is Conv else (small, large)
    layer = layer_of(kind, Geometry((4, 4), (2, 2), (1, 1)), (0, 0), 3, 2)
    for team in teams.each(grid, random):
        check(passes(chain([layer], (*sizes, 3), (*made, 2)), 2, random), team, 1e-10)


@pytest.mark.parametrize(
    "kernel, stride, padding, size, cells",
    [
        (7, 1, 3, 5, 5),  # a region covers all cells
        (7, 1, 0, 9, 3),
        (1, 4, 0, 16, 4),  # places that no window takes
        (1, 1, 3, 4, 4),  # cells of which some have windows on nothing but padding
        (2, 4, 3, 9, 3),
        (25, 4, 11, 32, 8),  # WaveGAN's
    ],
)
@pytest.mark.parametrize("transposed", [False, True])
def test_cells_smaller_than_a_halo(
    comm, teams, check, passes, chain, random, kernel, stride, padding, size, cells, transposed
):
    geometry = Geometry((kernel,), (stride,), (padding,))
    (made,) = geometry.positions((size,))
    layer, before, after = Conv("layer", geometry, 2, 3), (size, 2), (made, 3)
    if transposed:
        extra = (size + 2 * padding - kernel) % stride
        layer, before, after = ConvTranspose("layer", geometry, 3, 2, (extra,)), after, before
    for team in teams.each((min(cells, made),), random):
        check(passes(chain([layer], before, after), 2, random), team, 1e-10)


@KINDS
def test_products_are_those_of_a_cell(comm, teams, chain, random, kind):
    """Whoever has the neighbours, a cell multiplies its own windows, and none of them twice."""
    layer = layer_of(kind, Geometry((4,), (2,), (1,)), (0,), 2, 3)
    before, after = ((16, 2), (8, 3)) if kind is Conv else ((8, 2), (16, 3))
    for team in teams.each((4,), random):
        (placed,) = place(chain([layer], before, after), team, True, True).layers
        assert isinstance(placed, PlacedConvolution)
        # Of each cell: 2 windows of Conv need 6 places; 2 places of ConvTranspose make 6.
        assert placed._sizes == [((6,) if kind is Conv else (2,))] * len(team.mine)


@KINDS
def test_axes_that_are_not_divided_keep_their_padding(teams, chain, kind):
    """No zeros are copied there."""
    layer = layer_of(kind, Geometry((3, 3, 3), (1, 1, 1), (1, 1, 1)), (0, 0, 0), 2, 3)
    network = chain([layer], (4, 4, 4, 2), (4, 4, 4, 3))
    for grid, padding in (((1, 2), (1, 0, 1)), ((2,), (0, 1, 1)), ((1,), (1, 1, 1))):
        (placed,) = place(network, teams.alone(grid), True, True).layers
        assert placed.cores[0].geometry.padding == padding
        assert layer.geometry.padding == (1, 1, 1)
