"""Runs whose samples are divided into cells: the bits of one rank, and the numbers of whole samples."""

from contextlib import closing
from math import prod
from unittest.mock import patch

import numpy as np
import pytest
from mpi4py import MPI
from networks import NETWORKS, SHAPES, run_file, write_data

from hpcgen.checkpoints.comparison import compare
from hpcgen.config.reading import parse_config
from hpcgen.data.schema import Schema
from hpcgen.errors import InputError
from hpcgen.models import MODELS
from hpcgen.models.batch import Batch
from hpcgen.nn.check import relative_error
from hpcgen.nn.divided import Divided, Leaves
from hpcgen.nn.vector import Vector
from hpcgen.parallel.deal import deal
from hpcgen.parallel.placement.network import divide
from hpcgen.parallel.tree import tree_sum
from hpcgen.training.loop import Training

LANES = 3
WEIGHTS = [1.0, 4.0, 2.0, 1.0]
# Cells whose sizes differ, in which places are few, and which are gathered early or late.
CELLS = {
    "dcgan64": [[2, 2], [1], [3]],
    "dcgan28": [[2, 2], [4]],
    "dcgan3d": [[2, 2, 2], [2, 1]],
    "wavegan": [[4], [3]],
    "layers": [[2, 2], [3]],
    "spectral": [[3, 2], [2]],
    "clipped": [[2]],
    "conv-vae": [[2, 2], [4]],
    "classifier": [[2, 2], [3]],
    "penalty": [[2, 2], [3]],
}
CASES = [(name, cells) for name, each in CELLS.items() for cells in each]
EACH = pytest.mark.parametrize("name, cells", CASES, ids=[f"{name}-{cells}" for name, cells in CASES])


@pytest.fixture
def data(comm, folder):
    """data(kind): the path of a data file of random samples."""

    def make(kind):
        path = folder / f"{kind}.h5"
        if comm.rank == 0:
            write_data(path, kind)
        comm.Barrier()
        return path

    return make


def config_of(text, *settings, lanes=LANES, steps=2):
    return parse_config(
        text, [f"train.lanes={lanes}", "train.lane_size=2", f"train.steps={steps}", *settings]
    )


def trained(config, world, threads=1):
    """Return all numbers of the players after a run, and the statistics of each step."""
    statistics = []
    with (
        patch("hpcgen.training.loop.lane_threads", lambda comm: threads),
        closing(Training(config, world)) as training,
    ):
        training.run([lambda training, found, last: statistics.append(found)])
        return {name: player.sampled().data.copy() for name, player in training.players.items()}, statistics


def bits(config, world, threads=1):
    numbers, statistics = trained(config, world, threads)
    return [part.tobytes() for part in numbers.values()], statistics


def deals(cells, ranks, lanes=LANES):
    """Yield the settings of every deal to so many ranks that there is: even ones, and an uneven one."""
    for space, weights in (
        (0, []),
        (2, []),
        (3, []),
        (4, []),
        *((space, WEIGHTS[:ranks]) for space in (4, 3, 2)),
    ):
        try:
            deal(lanes, prod(cells), ranks, space, weights)
        except InputError:
            continue
        yield f"parallel.space={space}", f"parallel.weights={weights}"
        if weights:
            return


@EACH
def test_the_bits_are_those_of_one_rank(comm, alone, data, name, cells):
    text, setting = run_file(name, data(NETWORKS[name][0])), f"train.cells={cells}"
    expected, of_threads = alone(
        lambda world: [bits(config_of(text, setting), world, threads) for threads in (1, 3)]
    )
    assert of_threads == expected
    for settings in deals(cells, comm.size) if comm.size > 1 else ():
        assert bits(config_of(text, setting, *settings), comm, threads=2) == expected, settings


@pytest.mark.parametrize("name, cells", [("dcgan28", [2, 2]), ("penalty", [2, 2]), ("dcgan3d", [2, 2, 2])])
@pytest.mark.parametrize("lanes", [1, 2])
def test_more_ranks_than_lanes_share_them(comm, alone, data, name, cells, lanes):
    text, settings = run_file(name, data(NETWORKS[name][0])), [f"train.cells={cells}", "train.recompute=true"]
    settings = settings[: 1 + (name == "dcgan28")]
    expected = alone(lambda world: bits(config_of(text, settings[0], lanes=lanes), world))
    for deal_settings in deals(cells, comm.size, lanes):
        assert bits(config_of(text, *settings, *deal_settings, lanes=lanes), comm) == expected


def test_one_number_divides_the_first_axis(comm, data):
    text = run_file("wavegan", data("wave"))
    one, several = (bits(config_of(text, f"train.cells={cells}", lanes=4), comm) for cells in ("2", "[2]"))
    assert one == several


def test_the_time_in_messages_of_a_team_is_told_apart(comm, data):
    config = config_of(run_file("dcgan28", data("image")), "train.cells=[2, 2]", lanes=1)
    with closing(Training(config, comm)) as training:
        training.run([])
        assert training.watch.seconds["compute"] > 0
        assert (training.watch.seconds.get("team", 0) > 0) == (comm.size > 1)


@pytest.mark.parametrize("cells", [[2, 2], [3]])
def test_allreduce_agrees_to_rounding(comm, data, cells):
    text = run_file("dcgan64", data("colour"))
    exact, close = (
        trained(config_of(text, f"train.cells={cells}", f"parallel.exchange={exchange}", lanes=4), comm)[0]
        for exchange in ("exact", "allreduce")
    )
    for player in exact:
        assert np.allclose(exact[player], close[player], rtol=0, atol=1e-3)


@pytest.mark.parametrize("name, cells", [(name, each[0]) for name, each in CELLS.items()])
def test_the_numbers_are_those_of_whole_samples(tmp_path, name, cells):
    """20 steps of SGD, in float32."""
    write_data(tmp_path / "data.h5", NETWORKS[name][0])
    text = run_file(name, tmp_path / "data.h5")
    (whole, of_whole), (divided, of_cells) = (
        trained(config_of(text, "optimizer.name='sgd'", *settings, lanes=1, steps=20), MPI.COMM_SELF)
        for settings in ([], [f"train.cells={cells}"])
    )
    for player in whole:
        assert np.abs(divided[player] - whole[player]).max() <= 1e-5 * np.abs(whole[player]).max()
    for step, (expected, found) in enumerate(zip(of_whole, of_cells)):
        for player in expected:
            assert found[player] == pytest.approx(expected[player], rel=1e-4, abs=1e-4), step


class Objective:
    """A model's gradients in float64, on one batch: of whole samples, or of the cells of a team."""

    def __init__(self, name, random, team=None, cut=None):
        kind, self.team = NETWORKS[name][0], team
        schema = Schema(SHAPES[kind], "float32", "array", 0.0, 1.0, classes=10)
        config = parse_config(run_file(name, "x.h5"))
        self.model = model = MODELS[config.model.kind](config.model, schema)
        if team:
            divide(model, team)
        self.theta = {
            player: Vector(model.layouts[player].state(), dtype=np.float64) for player in model.players
        }
        for player in model.players:
            model.initialize(player, self.theta[player], random)
            self.theta[player].data[model.layouts[player].parameters] *= 1.5
        samples, labels = random.random((4, *SHAPES[kind])), random.integers(0, 10, 4)
        noise = model.noise(random, 4)
        self.samples = cut(team, samples) if team else samples
        self.noise, self.labels = None if noise is None else noise.astype(np.float64), labels

    def gradients(self):
        """Return the Vectors of each player's leaves, with its statistics."""
        return {player: self._gradient(player) for player in self.model.players}

    def _gradient(self, player):
        layout = self.model.layouts[player]
        vectors = [Vector(layout, np.full(layout.size, 1e9)) for _ in (self.team.mine if self.team else [0])]
        grad = Leaves(vectors, self.team.first) if self.team else vectors[0]
        streams = {"random": np.random.default_rng, "step": 3}
        batch = Batch(4, self.samples, self.noise, labels=self.labels, **streams)
        statistics, backward = self.model.objective(player, self.theta, batch)
        backward(grad)
        for name, value in statistics.items() if grad.whole is not None else ():
            grad.whole[name][...] = value
        return grad.leaves


@EACH
def test_gradients_in_float64(comm, teams, cut, name, cells):
    """Of all parameters, running statistics and statistics: on cells as on whole samples, by any ranks."""

    def objective(*team):
        return Objective(name, np.random.default_rng(5), *team)

    alone = objective(teams.alone(cells), cut).gradients()
    wrong = []
    for player, (expected,) in objective().gradients().items():
        total = Vector(expected.layout, tree_sum([leaf.data for leaf in alone[player]]))
        for part in expected:
            error = relative_error(total[part], expected[part])
            wrong += [f"{player} {part} differs by {error}"] * (not error <= 1e-10)
    team = teams.of(cells, teams.most(cells), np.random.default_rng(comm.size))
    for player, leaves in objective(team, cut).gradients().items():
        for cell, leaf in zip(team.mine, leaves):
            wrong += [f"bits of {player} {cell}"] * (
                leaf.data.tobytes() != alone[player][cell].data.tobytes()
            )
    teams.agreed(wrong)


def test_samples_of_a_lane_are_divided(comm, data):
    """A rank holds nothing but its cells of them."""
    config = config_of(run_file("dcgan28", data("image")), "train.cells=[2, 2]", lanes=1)
    if comm.size == 3:
        config = config_of(run_file("dcgan28", data("image")), "train.cells=[2, 2]", lanes=3)
    with closing(Training(config, comm)) as training:
        (lane,) = training.deal.lanes_of(comm.rank)[:1]
        samples = training._batch(0, 0, lane).samples
        assert isinstance(samples, Divided) and len(samples.cells) == len(training.deal.cells_of(comm.rank))
        assert all(cell.shape == (2, 8, 8, 1) for cell in samples.cells)


@pytest.fixture
def checkpoints(comm, folder, data):
    """The text of a run, and save(world, name, steps, settings, resume): what a run saves."""
    text = run_file("layers", data("image"))

    def save(world, name, steps, *settings, resume=()):
        path = folder / name
        with closing(
            Training(config_of(text, "train.cells=[2, 2]", *settings, steps=steps), world)
        ) as training:
            training.resume(resume)
            assert training.step == (2 if resume else 0)
            training.run([])
            training.save(path)
        return path

    return save


def test_checkpoints_do_not_know_who_had_the_cells(comm, folder, checkpoints):
    """Saved by all ranks, of which as many as can share a lane, and by one; resumed by any deal."""
    space = max(space for space in (1, 2, 3, 4) if comm.size % space == 0 and comm.size // space <= LANES)
    half = checkpoints(comm, "half.h5", 2, f"parallel.space={space}")
    whole = checkpoints(comm, "whole.h5", 4, f"parallel.space={space}")
    if comm.rank == 0:
        one = checkpoints(MPI.COMM_SELF, "one-half.h5", 2)
        assert compare(half, one, MPI.COMM_SELF) == 0
        resumed = checkpoints(MPI.COMM_SELF, "one-whole.h5", 4, resume=[half])
        assert compare(whole, resumed, MPI.COMM_SELF) == 0
    comm.Barrier()
    for i, settings in enumerate(deals([2, 2], comm.size)):
        resumed = checkpoints(comm, f"resumed-{i}.h5", 4, *settings, resume=[folder / "one-half.h5"])
        assert compare(whole, resumed, comm) == 0, settings


def test_other_cells_are_another_run(comm, checkpoints):
    """They change the bits, so a run does not go on with them."""
    half = checkpoints(comm, "half.h5", 2, "train.lanes=4")
    for cells in ("[2]", "[]", "[4, 1]"):
        with pytest.raises(InputError, match="another configuration .train.cells"):
            checkpoints(comm, "other.h5", 4, "train.lanes=4", f"train.cells={cells}", resume=[half])
