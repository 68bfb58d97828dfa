"""The turns of a step: their order, their batches, the results that are kept, and the request to stop."""

import numpy as np
import pytest

from hpcgen.models.batch import Batch
from hpcgen.nn.vector import Layout, Vector
from hpcgen.parallel.deal import Deal
from hpcgen.parallel.exchange import EXCHANGES
from hpcgen.parallel.partition import Partition
from hpcgen.parallel.stopwatch import Stopwatch
from hpcgen.parallel.threads import Workers
from hpcgen.training.schedule import STOP, Schedule


class Model:
    """Two players: a critic with two batches a step, and a maker that takes the second."""

    turns = (("critic", 0), ("critic", 1), ("maker", 1))
    layout = Layout({"w": (3,)}, {}, {"loss": (), "count": ()})

    def __init__(self):
        self.calls = []

    def objective(self, player, theta, batch):
        self.calls.append((player, batch.step, int(batch.labels), dict(batch.kept)))
        batch.kept["by"] = player

        def backward(grad):
            grad["w"][...] = batch.labels

        return {"loss": 2.0 * batch.labels, "count": 1}, backward


class Player:
    """A player without an optimizer."""

    def __init__(self, comm, lanes):
        layout = Schedule.layout(Model.layout)
        self.exchange = EXCHANGES["exact"](comm, layout, Deal(lanes), lambda: Vector(layout))
        self.state = type("State", (), {"theta": None})()

    def update(self, step, watch):
        sums, statistics = self.exchange.reduce()
        count = statistics.pop("count")
        return {name: total / count for name, total in statistics.items()}


@pytest.fixture
def schedule(comm):
    """schedule(recompute=False): (model, schedule) of three lanes a rank."""
    lanes = Partition.even(3 * comm.size, comm.size)
    mine = lanes.slice(comm.rank)
    made = []

    def make(recompute=False):
        model, players = Model(), {name: Player(comm, lanes) for name in ("critic", "maker")}
        made.extend(players.values())

        def batch(step, draw, lane):
            return Batch(1, labels=np.array(100 * draw + lane), step=step)

        schedule = Schedule(model, players, Deal(lanes), comm.rank, Workers(1), batch, Stopwatch(), recompute)
        return model, schedule, list(range(mine.start, mine.stop))

    yield make
    for player in made:
        player.exchange.close()


def test_players_take_their_turns_on_their_batches(comm, schedule):
    model, turns, lanes = schedule()
    statistics, stopping = turns.step(4, False)
    expected = []
    for player, number, kept in (("critic", 8, {}), ("critic", 9, {}), ("maker", 9, {"by": "critic"})):
        expected += [(player, 4, 100 * number + lane, kept) for lane in lanes]
    assert model.calls == expected and not stopping
    mean = 2 * (900 + (3 * comm.size - 1) / 2)
    assert statistics == {"critic": {"loss": mean}, "maker": {"loss": mean}}


def test_what_is_computed_again_is_not_kept(schedule):
    model, turns, _ = schedule(recompute=True)
    turns.step(0, False)
    assert all(kept == {} for *_, kept in model.calls)


def test_all_ranks_hear_that_one_must_stop(comm, schedule):
    _, turns, _ = schedule()
    _, stopping = turns.step(0, comm.rank == comm.size - 1)
    assert stopping
    statistics, stopping = turns.step(1, False)
    assert not stopping and all(STOP not in values for values in statistics.values())
