"""Layers that treat each place by itself, layers of whole samples, and the way between them."""

import numpy as np
import pytest

from hpcgen.nn.convolution.geometry import Geometry
from hpcgen.nn.divided import Divided, Leaves
from hpcgen.nn.layers.activations import ELU, Identity, LeakyReLU, Sigmoid, Softplus, Tanh
from hpcgen.nn.layers.convolution import Conv
from hpcgen.nn.layers.dense import Dense
from hpcgen.nn.layers.shaping import Reshape, Upsample
from hpcgen.nn.layers.spectral import SpectralNorm
from hpcgen.nn.vector import Layout, Vector
from hpcgen.parallel.operators.gather import Gather
from hpcgen.parallel.placement.layer import Cellwise, Gathering, Replicated, Scattering
from hpcgen.parallel.placement.network import place

GRIDS = pytest.mark.parametrize("grid", [(3,), (2, 2)])
SHAPE = (5, 4, 2)
GEOMETRY = Geometry((3, 3), (1, 1), (1, 1))


def between_places(layers, *shapes):
    """Return the layers of a chain, and its shapes, after a layer of windows that leaves all as it is."""
    return [Upsample((1,) * (len(shapes[0]) - 1)), *layers], shapes[0], *shapes


@pytest.mark.parametrize(
    "layer", [ELU(), LeakyReLU(), LeakyReLU(0), Identity(), Sigmoid(), Softplus(), Tanh()]
)
def test_activations(comm, teams, check, passes, chain, random, layer):
    for team in teams.each((2, 2), random):
        network = chain(*between_places([layer], SHAPE, SHAPE))
        assert [type(each) for each in place(network, team, True, True).layers][1] is Cellwise
        for dtype, tolerance in ((np.float32, 1e-6), (np.float64, 1e-14)):
            check(passes(network, 2, random, dtype), team, tolerance)


@GRIDS
@pytest.mark.parametrize("shape", [(5, 4, 2, 1), (5, 4, 1, 2), (5, 4, 2)])
def test_a_reshape_that_keeps_the_places(comm, teams, check, passes, chain, random, grid, shape):
    for team in teams.each(grid, random):
        network = chain(*between_places([Reshape(shape)], SHAPE, shape))
        assert [type(each) for each in place(network, team, True, True).layers][1] is Cellwise
        check(passes(network, 2, random), team, 0)


@GRIDS
@pytest.mark.parametrize("shape", [(4, 5, 2), (20, 2), (5, 8), (40,)])
@pytest.mark.parametrize("makes", [False, True])
def test_any_other_reshape(comm, teams, check, passes, chain, random, grid, shape, makes):
    """Where the places of y are others, samples are gathered before it, and cut anew after it."""
    makes &= len(shape) >= len(grid) and all(map(int.__le__, grid, shape))
    for team in teams.each(grid, random):
        network = chain(*between_places([Reshape(shape)], SHAPE, shape))
        kinds = [type(each) for each in place(network, team, True, makes).layers][1:]
        assert kinds == [Gathering, Replicated, Scattering][: 2 + makes]
        check(passes(network, 2, random, makes=makes), team, 0)


@GRIDS
@pytest.mark.parametrize("takes", [False, True])
@pytest.mark.parametrize("makes", [False, True])
def test_chains_take_and_make_what_they_are_asked_for(
    comm, teams, check, passes, chain, random, grid, takes, makes
):
    for team in teams.each(grid, random):
        layers = [SpectralNorm(Conv("layer", GEOMETRY, 2, 3, slope=0.2)), Tanh()]
        network = chain(layers, SHAPE, (5, 4, 3), (5, 4, 3))
        kinds = [type(each) for each in place(network, team, takes, makes).layers]
        assert kinds == [Scattering] * (not takes) + [SpectralNorm, Cellwise] + [Gathering] * (not makes)
        check(passes(network, 2, random, takes=takes, makes=makes), team, 1e-10)


@GRIDS
@pytest.mark.parametrize("wrap", [lambda layer: layer, SpectralNorm], ids=["dense", "spectral"])
def test_what_is_computed_alike_counts_once(comm, teams, cut, check, passes, chain, random, grid, wrap):
    """On the rank of the first cell: elsewhere the derivatives of a dense layer are zero."""
    for team in teams.each(grid, random):
        layers = [Upsample((1, 1)), Reshape((40,)), wrap(Dense("dense", 40, 3, slope=0.2)), Tanh()]
        network = chain(layers, SHAPE, SHAPE, (40,), (3,), (3,))
        numbers = passes(network, 2, random, makes=False)
        check(numbers, team, 1e-10)
        grad = Leaves([Vector(numbers.theta.layout, dtype=np.float64) for _ in team.mine], team.first)
        placed = place(network, team, True, False)
        _, backward = placed.forward(numbers.theta, cut(team, numbers.x))
        backward(numbers.dy.copy(), grad)
        assert [leaf.data.any() for leaf in grad.leaves] == [cell == 0 for cell in team.mine]


@GRIDS
def test_gathering_and_scattering_are_each_others_adjoint(comm, teams, random, grid):
    whole = random.standard_normal((2, *SHAPE))
    for team in teams.each(grid, random):
        gather = Gather(team, SHAPE[: len(grid)])
        x, backward = Scattering(gather).forward({}, whole)
        assert isinstance(x, Divided) and np.array_equal(backward(x), whole)
        y, backward = Gathering(gather).forward({}, x)
        assert np.array_equal(y, whole)
        assert all(map(np.array_equal, backward(whole).cells, x.cells))
        assert backward(whole, need_dx=False) is None
        for layer, given, other in ((Scattering(gather), whole, x), (Gathering(gather), x, whole)):
            assert not (layer.parameters() or layer.buffers() or layer.draws or layer.without_tangent)
            y, ty, backward = layer.tangent({}, given, given * 2)
            assert type(y) is type(ty) is type(other)
            dx, dt = backward(None, ty)
            assert dx is None and type(dt) is type(given)
            assert backward(y, ty, need_dx=False) == (None, None)


def test_a_placed_layer_has_the_parameters_of_its_layer(comm, teams, chain, random):
    layers = [
        Upsample((1, 1)),
        SpectralNorm(Conv("conv", GEOMETRY, 2, 3)),
        Tanh(),
        Reshape((60,)),
        Dense("dense", 60, 2),
    ]
    network = chain(layers, SHAPE, SHAPE, (5, 4, 3), (5, 4, 3), (60,), (2,))
    for team in teams.each((2, 2), random):
        placed = place(network, team, True, False)
        assert placed.parameters() == network.parameters() and list(placed.buffers()) == list(
            network.buffers()
        )
        assert placed.draws == network.draws and placed.without_tangent == network.without_tangent
        layout = Layout(network.parameters(), network.buffers())
        theta, other = Vector(layout), Vector(layout)
        network.initialize(theta, np.random.default_rng(3))
        placed.initialize(other, np.random.default_rng(3))
        assert theta.data.tobytes() == other.data.tobytes()
        grad = placed.gradient(layout, np.float64)
        assert [leaf.data.dtype for leaf in grad.leaves] == [np.float64] * len(team.mine)
        assert (grad.whole is not None) == team.first and not any(leaf.data.any() for leaf in grad.leaves)
