"""Upsampling and dropout on cells against the layers on whole samples."""

import numpy as np
import pytest
from drawing import examples
from hypothesis import given
from hypothesis import strategies as st

from hpcgen.nn.layer import Train
from hpcgen.nn.layers.dropout import Dropout
from hpcgen.nn.layers.shaping import Upsample
from hpcgen.parallel.placement.network import place

MANY = examples(25)
FEW = st.integers(1, 3)


@MANY
@given(data=st.data(), random=..., n=FEW, channels=FEW)
def test_upsampling(
    comm, teams, check, passes, chain, divided_places, data, random: np.random.Generator, n, channels
):
    """Cells of x and of y are cut each by its own sizes: a place may be repeated into several cells."""
    sizes, grid = data.draw(divided_places(most=7))
    factor = tuple(data.draw(st.integers(1, 4)) for _ in sizes)
    made = tuple(size * f for size, f in zip(sizes, factor))
    team = teams.of(grid, data.draw(st.integers(1, teams.most(grid))), random)
    network = chain([Upsample(factor)], (*sizes, channels), (*made, channels))
    check(passes(network, n, random), team, 1e-14)


@MANY
@given(data=st.data(), random=..., n=FEW, rate=st.sampled_from([0.0, 0.2, 0.5, 0.9]))
def test_dropout(
    comm, teams, check, passes, chain, divided_places, data, random: np.random.Generator, n, rate
):
    """Drawn for the lane, cut for the cells: the bits are those of the layer on whole samples."""
    sizes, grid = data.draw(divided_places())
    shape = (*sizes, data.draw(FEW))
    team = teams.of(grid, data.draw(st.integers(1, teams.most(grid))), random)
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    network = chain([Upsample((1,) * len(sizes)), Dropout(rate)], shape, shape, shape)
    check(passes(network, n, random, dtype), team, 0)


def test_every_rank_draws_as_much_as_the_layer_on_whole_samples(comm, teams, cut, chain, random):
    """What is drawn next is therefore the same too, on each rank of a team."""
    shape = (5, 3, 3)
    whole = chain([Upsample((1, 1)), Dropout(0.5), Dropout(0.3)], *[shape] * 4)
    x = np.ones((3, *shape), np.float32)
    for team in teams.each((3, 2), random):
        drawn, expected = np.random.default_rng(7), np.random.default_rng(7)
        y, _ = place(whole, team, True, True).forward({}, cut(team, x), Train(random=drawn))
        made, _ = whole.forward({}, x, Train(random=expected))
        assert all(map(np.array_equal, y.cells, cut(team, made).cells))
        assert drawn.random() == expected.random()


@pytest.mark.parametrize("layers", [[Dropout(0.5)], [Upsample((1, 2))]])
def test_inference_drops_nothing(comm, teams, cut, chain, random, layers):
    shape, made = (4, 5, 2), (4, 10, 2) if isinstance(layers[0], Upsample) else (4, 5, 2)
    whole = chain([Upsample((1, 1)), *layers], shape, shape, made)
    x = random.standard_normal((2, *shape))
    for team in teams.each((2, 2), random):
        y, _ = place(whole, team, True, True).forward({}, cut(team, x), None)
        expected, _ = whole.forward({}, x, None)
        assert all(map(np.array_equal, y.cells, cut(team, expected).cells))
