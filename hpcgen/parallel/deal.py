"""The lanes, and the cells of these lanes, that each rank has. Arithmetic, no MPI.

Ranks form teams of equal size: a team has a run of lanes, and each of its ranks a run of the cells of every
lane of the team. Without cells every rank is a team of its own.
"""

from collections.abc import Sequence

from hpcgen.errors import InputError
from hpcgen.parallel.partition import Partition
from hpcgen.parallel.tree import cover

# The most cells of a sample. More would take longer to list than to compute.
MOST_CELLS = 1 << 16


class Deal:
    """`lanes` is the Partition of lanes over teams. `cells` has, for each team, a Partition of the cells over
    its ranks. Ranks are numbered team by team."""

    def __init__(self, lanes: Partition, cells: Sequence[Partition] = ()) -> None:
        self.lanes, self._cells = lanes, list(cells) or [Partition([1])] * len(lanes)
        self.space = len(self._cells[0])
        self.cells_a_lane = self._cells[0].total
        self.ranks = len(lanes) * self.space

    def team(self, rank: int) -> int:
        """Return the number of the team of a rank."""
        return rank // self.space

    def lanes_of(self, rank: int) -> range:
        """Return the lanes of a rank's team."""
        mine = self.lanes.slice(self.team(rank))
        return range(mine.start, mine.stop)

    def cells_in(self, team: int) -> Partition:
        """Return how the ranks of a team divide the cells of its lanes."""
        return self._cells[team]

    def cells_of(self, rank: int) -> range:
        """Return the cells that a rank has of each lane of its team."""
        mine = self.cells_in(self.team(rank)).slice(rank % self.space)
        return range(mine.start, mine.stop)

    def leaf(self, lane: int, cell: int) -> int:
        """Return the number of a leaf of the tree of sums."""
        return lane * self.cells_a_lane + cell

    def nodes(self, rank: int) -> list[tuple[int, int]]:
        """Return the largest nodes of the tree that consist of leaves of a rank, in order."""
        lanes, cells, count = self.lanes_of(rank), self.cells_of(rank), self.cells_a_lane
        runs = [(self.leaf(lane, cells.start), self.leaf(lane, cells.start) + len(cells)) for lane in lanes]
        if len(cells) == count:
            runs = [(self.leaf(lanes.start, 0), self.leaf(lanes.stop, 0))]
        leaves = self.lanes.total * count
        return [node for start, stop in runs for node in cover(start, stop, 0, leaves, count)]


def deal(lanes: int, cells: int, ranks: int, space: int = 0, weights: Sequence[float] = ()) -> Deal:
    """Return the Deal of `lanes` lanes, of `cells` cells each, among `ranks` ranks.

    `space` ranks share a lane. 0 means as few as possible. `weights` are the ranks' relative speeds. Raises
    InputError, which names the numbers of ranks that are possible.
    """
    if cells > MOST_CELLS:
        raise InputError(f"train.cells: {cells:,} cells are too many; use at most {MOST_CELLS:,}")
    if weights and len(weights) != ranks:
        raise InputError(
            f"parallel.weights has {len(weights)} numbers for {ranks} ranks; give one for each rank, or none"
        )
    space = space or _smallest(lanes, cells, ranks)
    if space > cells:
        have = f"train.cells makes only {cells}" if cells > 1 else "train.cells is not set"
        raise InputError(f"parallel.space = {space}: each rank of a lane needs a cell, but {have}")
    teams = ranks // space
    if ranks % space:
        # A team needs a lane.
        below, above = min(teams, lanes) * space, (teams + 1) * space if teams < lanes else 0
        raise InputError(
            f"parallel.space = {space}: {ranks} ranks cannot form teams of {space}; start "
            f"{_either(below, above)} ranks"
        )
    if teams > lanes:
        raise InputError(
            f"{ranks} ranks are {teams} teams of {space}, more than train.lanes = {lanes}; start at most "
            f"{lanes * space} ranks, or set more lanes"
        )
    if not weights:
        return Deal(Partition.even(lanes, teams), [Partition.even(cells, space)] * teams)
    grouped = [weights[team * space : (team + 1) * space] for team in range(teams)]
    return Deal(
        Partition.weighted(lanes, [sum(team) for team in grouped]),
        [Partition.weighted(cells, team) for team in grouped],
    )


def _smallest(lanes: int, cells: int, ranks: int) -> int:
    """Return the smallest number of ranks that can share a lane. Raises InputError if there is none."""
    if ranks <= lanes:
        return 1
    if cells == 1:
        raise InputError(
            f"{ranks} ranks are more than train.lanes = {lanes}; start at most {lanes} ranks, or set more "
            "lanes or train.cells"
        )
    if ranks % lanes or ranks > lanes * cells:
        fitting = [lanes * space for space in range(1, cells + 1)]
        below = max((count for count in fitting if count <= ranks), default=lanes)
        above = min((count for count in fitting if count > ranks), default=0)
        raise InputError(
            f"{ranks} ranks are more than train.lanes = {lanes}, and cannot share lanes of {cells} cells "
            f"evenly; start {_either(below, above)} ranks"
        )
    return ranks // lanes


def _either(below: int, above: int) -> str:
    return " or ".join(str(count) for count in (below, above) if count)
