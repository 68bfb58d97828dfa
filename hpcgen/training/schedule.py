"""The turns of a step: players, batches, results that are kept for later turns, and the request to stop."""

from collections.abc import Callable, Mapping

from hpcgen.models.batch import Batch
from hpcgen.models.model import Model
from hpcgen.nn.divided import Gradient, Leaves
from hpcgen.nn.vector import Layout, Vector
from hpcgen.parallel.deal import Deal
from hpcgen.parallel.stopwatch import Stopwatch
from hpcgen.parallel.threads import Workers
from hpcgen.training.player import Player

# The statistic that carries a rank's request to stop.
STOP = "stop"

Statistics = dict[str, dict[str, float]]


class Schedule:
    """The turns that the players take in each step, on the lanes and cells that `deal` gives this rank.

    A player's turn computes the gradient of each lane, several at a time in the threads of `workers`. It ends
    with the player's update. A turn can leave results in a lane's Batch for the next turn on the same batch.
    With `recompute` they are deleted and computed again. `batch(step, draw, lane)` returns the Batch number
    `draw` of a lane, counted over the whole run.

    A rank that was asked to stop sets a statistic of every gradient. All ranks of the exchange receive the
    sum of the statistic; today these are all ranks of the run. They stop after the same step, without another
    collective call.
    """

    def __init__(
        self,
        model: Model,
        players: Mapping[str, Player],
        deal: Deal,
        rank: int,
        workers: Workers,
        batch: Callable[[int, int, int], Batch],
        watch: Stopwatch,
        recompute: bool = False,
    ) -> None:
        self._model, self._players, self._deal = model, players, deal
        self._lanes, self._cells = deal.lanes_of(rank), deal.cells_of(rank)
        self._theta = {name: player.state.theta for name, player in players.items()}
        self.workers = workers
        self._make_batch, self._watch, self._recompute = batch, watch, recompute
        self._draws = 1 + max(draw for _, draw in model.turns)

    @staticmethod
    def layout(layout: Layout) -> Layout:
        """Return the layout of a player's gradients: the layout of the model, with the statistic STOP."""
        return layout.with_statistics(**{STOP: ()})

    def step(self, step: int, stop: bool) -> tuple[Statistics, bool]:
        """Run the turns of all players in the step after `step` steps.

        `stop` says whether this rank was asked to stop. Return {player: {statistic: mean over the samples}}
        of each player's last turn, and whether any rank of the exchanges was asked to stop. Collective over
        the players' exchanges.
        """
        statistics: Statistics = {}
        batches: dict[int, Batch] = {}
        drawn, stopping = None, False
        for name, draw in self._model.turns:
            if draw != drawn:
                with self._watch("data"):
                    batches, drawn = self._batches(step, draw), draw
            statistics[name] = self._turn(name, batches, step, stop)
            stopping |= statistics[name].pop(STOP) > 0
        return statistics, stopping

    def _batches(self, step: int, draw: int) -> dict[int, Batch]:
        return {lane: self._make_batch(step, step * self._draws + draw, lane) for lane in self._lanes}

    def _gradient(self, vectors: list[Vector]) -> Gradient:
        """Return the Gradient of a lane, which writes to the Vectors of this rank's cells."""
        if self._deal.cells_a_lane == 1:
            return vectors[0]
        return Leaves(vectors, self._cells.start == 0)

    def _turn(self, name: str, batches: dict[int, Batch], step: int, stop: bool) -> dict[str, float]:
        player = self._players[name]

        def gradient(task: tuple[int, list[Vector]]) -> tuple[int, list[Vector]]:
            lane, vectors = task
            grad = self._gradient(vectors)
            statistics, backward = self._model.objective(name, self._theta, batches[lane])
            backward(grad)
            for statistic, value in statistics.items() if grad.whole is not None else ():
                grad.whole[statistic][...] = value
            for vector in vectors:
                vector[STOP][...] = stop
            if self._recompute:
                batches[lane].kept.clear()
            return lane, vectors

        with self._watch("compute"):
            tasks = ((lane, [player.exchange.vector() for _ in self._cells]) for lane in batches)
            for lane, vectors in self.workers.each(gradient, tasks):
                for cell, vector in zip(self._cells, vectors, strict=True):
                    player.exchange.add(self._deal.leaf(lane, cell), vector)
        return player.update(step, self._watch)
