"""Every leaf has one rank, whatever the deal; and refusals name numbers that do."""

import itertools
import re

import pytest

from hpcgen.errors import InputError
from hpcgen.parallel.deal import Deal, deal
from hpcgen.parallel.partition import Partition
from hpcgen.parallel.tree import TreeSum, cover

LANES, CELLS, RANKS, SPACES = range(1, 7), (1, 2, 3, 4, 6), range(1, 15), range(8)
ASKED = list(itertools.product(LANES, CELLS, RANKS, SPACES))


def dealt(random, weighted):
    """Yield (lanes, cells, ranks, space, deal) of all that are not refused."""
    for lanes, cells, ranks, space in ASKED:
        weights = (10.0 ** random.uniform(-2, 2, ranks)).tolist() if weighted else ()
        try:
            yield lanes, cells, ranks, space, deal(lanes, cells, ranks, space, weights)
        except InputError:
            continue


WEIGHTED = pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])


@WEIGHTED
def test_every_leaf_has_one_rank(random, weighted):
    count = 0
    for lanes, cells, ranks, space, made in dealt(random, weighted):
        count += 1
        assert made.ranks == ranks and made.lanes.total == lanes and made.cells_a_lane == cells
        assert made.space == space or not space
        leaves = [
            made.leaf(lane, cell)
            for rank in range(ranks)
            for lane in made.lanes_of(rank)
            for cell in made.cells_of(rank)
        ]
        assert sorted(leaves) == list(range(lanes * cells))
        assert all(len(made.lanes_of(rank)) and len(made.cells_of(rank)) for rank in range(ranks))
    assert count > 400


@WEIGHTED
def test_a_team_shares_its_lanes(random, weighted):
    for _, cells, ranks, _, made in dealt(random, weighted):
        teams = [made.team(rank) for rank in range(ranks)]
        assert teams == sorted(teams) and set(teams) == set(range(ranks // made.space))
        for team in set(teams):
            members = [rank for rank in range(ranks) if teams[rank] == team]
            assert len(members) == made.space
            assert len({made.lanes_of(rank) for rank in members}) == 1
            assert [cell for rank in members for cell in made.cells_of(rank)] == list(range(cells))
            assert made.cells_in(team).counts == [len(made.cells_of(rank)) for rank in members]


@WEIGHTED
def test_nodes_of_all_ranks_are_a_partition_of_the_tree(random, weighted):
    for lanes, cells, ranks, _, made in dealt(random, weighted):
        nodes = sorted(node for rank in range(ranks) for node in made.nodes(rank))
        assert [lo for lo, _ in nodes] == [0, *(hi for _, hi in nodes[:-1])] and nodes[-1][1] == lanes * cells
        for rank in range(ranks):
            mine = made.nodes(rank)
            assert mine == sorted(mine) and all(
                cover(lo, hi, 0, lanes * cells, cells) == [(lo, hi)] for lo, hi in mine
            )
            # As many as there must be: no two of them are the halves of a parent.
            tree = TreeSum(lanes, lambda left, right: pytest.fail("two nodes have a parent"), cells=cells)
            for lo, hi in mine:
                tree.push(lo, hi, None)


def add(left, right):
    left += right


@WEIGHTED
def test_the_sum_of_all_ranks_has_the_bits_of_one_rank(random, unlike, weighted):
    """Each rank adds its leaves in the order in which a step makes them; whoever completes the tree takes the
    nodes in order."""
    values = unlike((max(LANES) * max(CELLS), 2))
    for lanes, cells, ranks, _, made in dealt(random, weighted):
        alone, nodes = TreeSum(lanes, add, cells=cells), []
        for leaf in range(lanes * cells):
            alone.push(leaf, leaf + 1, values[leaf].copy())
        for rank in range(ranks):
            tree = TreeSum(lanes, add, cells=cells)
            for lane, cell in itertools.product(made.lanes_of(rank), made.cells_of(rank)):
                leaf = made.leaf(lane, cell)
                tree.push(leaf, leaf + 1, values[leaf].copy())
            mine = tree.take()
            assert [(lo, hi) for lo, hi, _ in mine] == made.nodes(rank)
            nodes += mine
        whole = TreeSum(lanes, add, cells=cells)
        for node in sorted(nodes, key=lambda node: node[0]):
            whole.push(*node)
        ((_, _, expected),), ((_, _, total),) = alone.take(), whole.take()
        assert total.tobytes() == expected.tobytes()


def test_as_few_ranks_share_a_lane_as_there_must_be():
    for lanes, cells, ranks in itertools.product(LANES, CELLS, RANKS):
        try:
            made = deal(lanes, cells, ranks)
        except InputError:
            # Then no number of ranks a lane would do, or only one that leaves a team without a lane.
            assert all(ranks % s or ranks // s > lanes for s in range(1, cells + 1)) or ranks % lanes
            continue
        assert made.space == (1 if ranks <= lanes else ranks // lanes)


def test_weights_deal_of_to_teams_and_cells_to_their_ranks():
    made = deal(8, 4, 4, 2, [3, 3, 1, 1])
    assert made.lanes.counts == [6, 2]
    assert made.cells_in(0).counts == [2, 2] and made.cells_in(1).counts == [2, 2]
    made = deal(8, 4, 4, 2, [3, 1, 1, 3])
    assert made.lanes.counts == [4, 4]
    assert made.cells_in(0).counts == [3, 1] and made.cells_in(1).counts == [1, 3]
    made = deal(8, 4, 4, 2, [4, 4, 7, 1])
    assert made.lanes.counts == [4, 4]  # by the sum over a team, not by its fastest rank
    made = deal(4, 6, 2, 2, [1e-9, 1e9])
    assert made.cells_in(0).counts == [1, 5]


def test_without_cells_a_leaf_is_a_lane():
    made = Deal(Partition([3, 0, 4]))
    assert (made.ranks, made.space, made.cells_a_lane) == (3, 1, 1)
    assert [list(made.lanes_of(rank)) for rank in range(3)] == [[0, 1, 2], [], [3, 4, 5, 6]]
    assert [made.leaf(lane, 0) for lane in range(7)] == list(range(7))
    assert [made.nodes(rank) for rank in range(3)] == [[(0, 2), (2, 3)], [], [(3, 4), (4, 7)]]


def test_there_are_not_more_cells_than_can_be_listed():
    assert deal(1, 1 << 16, 1).cells_a_lane == 1 << 16
    with pytest.raises(
        InputError, match="train.cells: 1,000,000,000,000 cells are too many; use at most 65,536"
    ):
        deal(1, 10**12, 4)


REFUSALS = {
    "ranks that no lanes are for": (
        r"(?P<ranks>\d+) ranks are more than train.lanes = (?P<lanes>\d+); start at most (?P<most>\d+) "
        "ranks, or set more lanes or train.cells"
    ),
    "ranks that cells cannot serve": (
        r"(?P<ranks>\d+) ranks are more than train.lanes = (?P<lanes>\d+), and cannot share lanes of "
        r"(?P<cells>\d+) cells evenly; start (?P<named>\d+( or \d+)?) ranks"
    ),
    "teams that are not whole": (
        r"parallel.space = (?P<space>\d+): (?P<ranks>\d+) ranks cannot form teams of (?P=space); start "
        r"(?P<named>\d+( or \d+)?) ranks"
    ),
    "teams without lanes": (
        r"(?P<ranks>\d+) ranks are (?P<teams>\d+) teams of (?P<space>\d+), more than train.lanes = "
        r"(?P<lanes>\d+); start at most (?P<most>\d+) ranks, or set more lanes"
    ),
    "ranks without cells": (
        r"parallel.space = (?P<space>\d+): each rank of a lane needs a cell, but train.cells "
        r"(makes only (?P<cells>\d+)|is not set)"
    ),
}


def refused(*asked):
    try:
        deal(*asked)
    except InputError as error:
        return str(error)
    return None


def test_refusals_name_numbers_that_do():
    """Those that a message names are dealt again: none is refused, and no rank would do in between."""
    kinds = dict.fromkeys(REFUSALS, 0)
    for lanes, cells, ranks, space in ASKED:
        message = refused(lanes, cells, ranks, space)
        if message is None:
            continue
        found = {kind: match for kind, words in REFUSALS.items() if (match := re.fullmatch(words, message))}
        ((kind, match),) = found.items()
        kinds[kind] += 1
        said = {key: value for key, value in match.groupdict().items() if value is not None}
        for name, value in (("lanes", lanes), ("cells", cells), ("ranks", ranks), ("space", space)):
            assert int(said.get(name, value)) == value
        works = [count for count in range(1, 100) if refused(lanes, cells, count, space) is None]
        if kind == "ranks without cells":
            assert space > cells and refused(lanes, cells, cells, cells) is None
        elif "most" in said:
            assert int(said["most"]) == max(works) < ranks
        else:
            named = [int(count) for count in said["named"].split(" or ")]
            nearest = [*[c for c in works if c < ranks][-1:], *[c for c in works if c > ranks][:1]]
            assert named == nearest
    assert all(count > 20 for count in kinds.values()), kinds


@pytest.mark.parametrize("space", [0, 1, 2])
def test_there_is_a_weight_for_each_rank_or_none(space):
    for count in (1, 3, 5):
        with pytest.raises(InputError) as error:
            deal(4, 2, 4, space, [1.0] * count)
        said, ranks = map(int, re.findall(r"has (\d+) numbers for (\d+) ranks", str(error.value))[0])
        assert said == count and ranks == 4
        deal(4, 2, ranks, space, [1.0] * ranks)
    deal(4, 2, 4, space, [])
