"""What the passes of a chain give, on whole samples and on the cells of a team."""

import numpy as np
import pytest
from drawing import filled

from hpcgen.nn.chain import Chain
from hpcgen.nn.check import relative_error
from hpcgen.nn.divided import Divided, Leaves
from hpcgen.nn.layer import Train
from hpcgen.nn.vector import Vector
from hpcgen.parallel.placement import network
from hpcgen.parallel.placement.network import place
from hpcgen.parallel.tree import tree_sum


class Passes:
    """A chain, numbers for it, and the passes that it takes with them.

    The chain takes divided samples if `takes`, and makes them if `makes`. `parts` as in `Train`.
    """

    def __init__(self, chain, n, random, dtype=np.float64, parts=1, takes=True, makes=True):
        self.chain, self.n, self.dtype, self.parts = chain, n, dtype, parts
        self.takes, self.makes, self._seed = takes, makes, int(random.integers(1 << 32))
        self.theta = filled(chain, random, dtype)
        self.x, self.t = self._normal(random, chain.shapes[0])
        self.dy, self.dty = self._normal(random, chain.shapes[-1])

    def _normal(self, random, shape):
        return random.standard_normal((2, self.n * self.parts, *shape)).astype(self.dtype)

    def whole(self):
        """Return what the chain gives on whole samples."""
        return self._passes(self.chain, self._grad, np.copy, np.copy)

    def divided(self, team, cut):
        """Return what the chain gives on the cells of a team."""
        placed = place(self.chain, team, self.takes, self.makes)
        taken, made = (
            (lambda whole: cut(team, whole)) if divided else np.copy for divided in (self.takes, self.makes)
        )

        def grad():
            return Leaves([self._grad() for _ in team.mine], team.first)

        return self._passes(placed, grad, taken, made)

    def _grad(self):
        """Return a Vector as an exchange lends it: it holds anything."""
        return Vector(self.theta.layout, np.full(self.theta.layout.size, np.nan, self.dtype))

    def _passes(self, chain, grad, taken, made):
        def train():
            return Train(self.parts, np.random.default_rng(self._seed))

        def x(whole):
            given = taken(whole)
            for cell in given.cells if isinstance(given, Divided) else [given]:
                cell.flags.writeable = False
            return given

        found = {}
        y, backward = chain.forward(self.theta, x(self.x), train())
        found["y"], found["grad"] = y, grad()
        found["dx"] = backward(made(self.dy), found["grad"])
        _, backward = chain.forward(self.theta, x(self.x), train())
        found["grad alone"] = grad()
        assert backward(made(self.dy), found["grad alone"], need_dx=False) is None
        _, backward = chain.forward(self.theta, x(self.x), train())
        found["dx alone"] = backward(made(self.dy))
        if chain.without_tangent:
            return found
        for name, dy in (("tangent", self.dy), ("tangent without dy", None)):
            y, ty, backward = chain.tangent(self.theta, x(self.x), x(self.t), train())
            own = grad()
            dx, dt = backward(None if dy is None else made(dy), made(self.dty), own)
            given = {"y": y, "ty": ty, "dx": dx, "dt": dt, "grad": Parameters(own)}
            found |= {f"{key} of {name}": value for key, value in given.items()}
        return found


class Parameters:
    """The derivatives in the parameters of a gradient: a tangent writes nothing else."""

    def __init__(self, grad):
        self.leaves = [leaf.data[leaf.layout.parameters] for leaf in grad.leaves]


def joined(cells, grid, axis=1):
    """Return the array that all cells of a grid make up."""
    if not grid:
        return cells[0]
    run = len(cells) // grid[0]
    parts = [joined(cells[i : i + run], grid[1:], axis + 1) for i in range(0, len(cells), run)]
    return np.concatenate(parts, axis)


def united(value):
    """Return what all cells, which are here, give together, as a list of arrays."""
    if value is None:
        return []
    if isinstance(value, Divided):
        return [joined(value.cells, value.team.grid.shape)]
    if isinstance(value, Vector):
        return [value[name] for name in value]
    if isinstance(value, Leaves):
        layout = value.leaves[0].layout
        return united(Vector(layout, tree_sum([leaf.data for leaf in value.leaves])))
    if isinstance(value, Parameters):
        return [tree_sum(value.leaves)]
    return [value]


def bits(value, cells):
    """Return the bytes of some of the cells that are here, or of all that is not divided."""
    if value is None:
        return []
    if isinstance(value, Divided):
        return [value.cells[cell].tobytes() for cell in cells]
    if isinstance(value, Parameters):
        return [value.leaves[cell].tobytes() for cell in cells]
    if isinstance(value, Leaves):
        return [value.leaves[cell].data.tobytes() for cell in cells]
    return [value.tobytes()]


def differences(actual, expected, tolerance):
    """Return what differs in numbers between cells and whole samples."""
    wrong = [] if actual.keys() == expected.keys() else [f"{list(actual)}, not {list(expected)}"]
    for name, value in expected.items():
        mine, theirs = united(actual[name]), united(value)
        if [a.shape for a in mine] != [a.shape for a in theirs] or any(
            a.dtype != b.dtype for a, b in zip(mine, theirs)
        ):
            wrong.append(
                f"{name}: {[a.shape for a in mine]}, not {[a.shape for a in theirs]}, or of another type"
            )
        else:
            errors = [relative_error(a, b) for a, b in zip(mine, theirs)]
            # NaN is not small either.
            wrong += [
                f"{name}[{i}] differs by {error}" for i, error in enumerate(errors) if not error <= tolerance
            ]
    return wrong


class Checks:
    """The checks of a pass: on the cells of a team and on one rank that has all cells the same bits, and
    the numbers of whole samples."""

    def __init__(self, teams, cut):
        self.teams, self.cut = teams, cut

    def __call__(self, passes, team, tolerance):
        with np.errstate(over="ignore"):
            alone = passes.divided(self.teams.alone(team.grid.shape), self.cut)
            ours = passes.divided(team, self.cut)
            wrong = differences(alone, passes.whole(), tolerance)
        for name in alone:
            if bits(ours[name], range(len(team.mine))) != bits(alone[name], team.mine):
                wrong.append(f"the deal changes the bits of {name}")
        self.teams.agreed(wrong)


@pytest.fixture
def check(teams, cut):
    """check(passes, team, tolerance): fail on all ranks unless bits and numbers are right."""
    return Checks(teams, cut)


@pytest.fixture(scope="session")
def passes():
    return Passes


@pytest.fixture(scope="session")
def chain():
    """chain(layers, *shapes): a Chain of layers between samples of these shapes."""
    return lambda layers, *shapes: Chain(layers, shapes)


@pytest.fixture(autouse=True)
def small_cells(monkeypatch):
    """Small samples are divided too."""
    monkeypatch.setattr(network, "FEWEST_PLACES", 1)
