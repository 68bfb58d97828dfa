"""Batch norm and layer norm on cells against the layers on whole samples."""

import numpy as np
import pytest
from drawing import examples
from hypothesis import given
from hypothesis import strategies as st

from hpcgen.nn.divided import Leaves
from hpcgen.nn.layer import Train
from hpcgen.nn.layers.normalization import BatchNorm, LayerNorm
from hpcgen.nn.layers.shaping import Upsample
from hpcgen.nn.vector import Vector
from hpcgen.parallel.placement.layer import Cellwise, Replicated
from hpcgen.parallel.placement.network import place
from hpcgen.parallel.placement.normalization import PlacedLayerNorm

MANY = examples(30)
FEW = st.integers(1, 3)


def network(chain, layer, shape):
    """Return a chain of a layer between places, which a layer of windows marks as places."""
    return chain([Upsample((1,) * (len(shape) - 1)), layer], shape, shape, shape)


@MANY
@given(data=st.data(), random=..., n=FEW, channels=FEW, parts=st.integers(1, 2))
def test_batch_norm(
    comm, teams, check, passes, chain, divided_places, data, random: np.random.Generator, n, channels, parts
):
    """Sums over all places of a lane, apart for real and generated samples; statistics count once."""
    sizes, grid = data.draw(divided_places())
    layer = BatchNorm("norm", channels, data.draw(st.sampled_from([1.0, 0.0, 0.2])))
    team = teams.of(grid, data.draw(st.integers(1, teams.most(grid))), random)
    check(passes(network(chain, layer, (*sizes, channels)), n + 1, random, parts=parts), team, 1e-9)


@MANY
@given(data=st.data(), random=..., n=FEW, channels=FEW)
def test_layer_norm(
    comm, teams, check, passes, chain, divided_places, data, random: np.random.Generator, n, channels
):
    """Over the channels alone, over all axes, and over some of the places; with the tangent."""
    sizes, grid = data.draw(divided_places())
    shape = (*sizes, channels + 1)
    layer = LayerNorm("norm", shape[-data.draw(st.integers(1, len(shape))) :])
    team = teams.of(grid, data.draw(st.integers(1, teams.most(grid))), random)
    whole = network(chain, layer, shape)
    kinds = [type(each) for each in place(whole, team, True, True).layers]
    first = len(shape) - len(layer.shape)
    expected = Cellwise if first >= len(grid) else PlacedLayerNorm if first == 0 else Replicated
    assert expected in kinds and len(kinds) == (4 if expected is Replicated else 2)
    check(passes(whole, n, random), team, 1e-9)


@pytest.mark.parametrize(
    "layer", [BatchNorm("norm", 3, 0.2), LayerNorm("norm", (3,)), LayerNorm("norm", (5, 4, 3))]
)
@pytest.mark.parametrize("grid", [(3,), (2, 2), (1, 4)])
def test_in_float32(comm, teams, check, passes, chain, random, layer, grid):
    for team in teams.each(grid, random):
        check(passes(network(chain, layer, (5, 4, 3)), 4, random, np.float32, parts=2), team, 1e-5)


def test_a_lane_of_one_number_a_channel(comm, teams, check, passes, chain, random):
    """Its variance is 0: y is beta, and the running variance takes in 0."""
    for team in teams.each((1,), random):
        check(passes(network(chain, BatchNorm("norm", 3), (1, 3)), 1, random), team, 1e-9)


def test_inference_takes_the_running_statistics(comm, teams, cut, passes, chain, random):
    """To the bit, as every place is treated by itself; and nothing is asked of the team."""
    for team in teams.each((2, 3), random):
        whole = network(chain, BatchNorm("norm", 3, 0.2), (5, 7, 3))
        numbers = passes(whole, 2, random, np.float32)
        expected, _ = whole.forward(numbers.theta, numbers.x, None)
        y, backward = place(whole, team, True, True).forward(numbers.theta, cut(team, numbers.x), None)
        assert all(map(np.array_equal, y.cells, cut(team, expected).cells))
        with pytest.raises(AssertionError, match="inference on cells has no derivative"):
            backward(cut(team, numbers.dy))


def test_statistics_of_a_batch_are_written_once(comm, teams, cut, passes, chain, random):
    """By the rank of the first cell, to its Vector."""
    for team in teams.each((4,), random):
        numbers = passes(network(chain, BatchNorm("norm", 2), (9, 2)), 3, random)
        placed = place(numbers.chain, team, True, True)
        grad = Leaves([Vector(numbers.theta.layout, dtype=np.float64) for _ in team.mine], team.first)
        placed.forward(numbers.theta, cut(team, numbers.x), Train())[1](cut(team, numbers.dy), grad)
        for cell, leaf in zip(team.mine, grad.leaves):
            assert leaf["norm/variance"].any() == leaf["norm/mean"].any() == (cell == 0)
            assert leaf["norm/gamma"].all() and leaf["norm/beta"].all()
