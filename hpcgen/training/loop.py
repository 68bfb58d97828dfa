"""The training loop: lanes, players, steps; what happens between steps is a hook's."""

import json
import math

import numpy as np
from mpi4py import MPI

from hpcgen.checkpoints import saving
from hpcgen.data.shards import Shards
from hpcgen.errors import DamagedError, InputError, RunError
from hpcgen.models import MODELS
from hpcgen.models.batch import Batch
from hpcgen.nn.vector import Vector
from hpcgen.parallel.agreement import from_root
from hpcgen.parallel.exchange.exchanges import EXCHANGES
from hpcgen.parallel.partition import Partition
from hpcgen.parallel.threads import Workers
from hpcgen.runtime import environment, lane_threads, one_blas_thread
from hpcgen.streams import Purpose, stream
from hpcgen.training.player import Player, Stopwatch

MOST_NUMBERS = 2**31 - 1
# What the environment says of the bits.
BITS = ("numpy", "simd", "blas", "machine")


class Training:
    """A run on this rank: the model, its players, its shards, and the step it has reached.

    Collective over `comm`. Raises InputError where the configuration does not fit the data or the ranks.
    """

    def __init__(self, config, comm):
        self.config, self.comm, self.step = config, comm, 0
        self.lanes = deal_lanes(config, comm.size)
        train = config.train
        self.shards = Shards(
            config.data.path, comm, self.lanes, train.lane_size, config.seed, config.data.block
        )
        self.model = MODELS[config.model.kind](config.model, self.shards.schema)
        self._draws = 1 + max(draw for _, draw in self.model.turns)
        self.players = {name: self._player(i, name) for i, name in enumerate(self.model.players)}
        self.theta = {name: player.state.theta for name, player in self.players.items()}
        mine = self.lanes.counts[comm.rank]
        self.workers = Workers(min(lane_threads(comm), mine))
        self.environment = comm.bcast(environment() | {"threads": str(self.workers.threads)})
        self.watch = Stopwatch()
        self.saved = None

    def _player(self, index, name):
        layout = self.model.layouts[name].with_statistics(stop=())
        if layout.size > MOST_NUMBERS:
            raise InputError(
                f"model: the {name} has {layout.size:,} numbers; {MOST_NUMBERS:,} are the most that MPI counts"
            )
        exchange = EXCHANGES[self.config.parallel.exchange](
            self.comm, layout, self.lanes, lambda: Vector(layout)
        )
        theta = Vector(layout.state())
        self.model.initialize(name, theta, stream(self.config.seed, Purpose.INITIALIZE, index))
        turns = sum(name == player for player, _ in self.model.turns)
        return Player(self.config.optimizer[name], exchange, theta, turns, self.model.limits.get(name))

    def close(self):
        self.workers.close()
        self.shards.close()
        for player in self.players.values():
            player.exchange.close()

    def resume(self, paths, warn):
        """Go on from the first whole checkpoint of `paths`; `warn` is told of each damaged one. Collective over `comm`."""
        damage = []
        for path in paths:
            try:
                attributes = saving.restore(
                    path, self.comm, self.config, self.shards.fingerprint, self._states()
                )
            except DamagedError as error:
                aside = path.with_suffix(".damaged")
                from_root(self.comm, path.replace, aside)
                warn(f"skipped: {error}; it is now {aside.name}")
                damage.append(aside.name)
                continue
            self._warn_of_other_software(json.loads(attributes["environment"]), path, warn)
            self.step, self.saved = attributes["step"], path
            return
        if damage:
            raise InputError(
                f"none of the run's checkpoints is whole ({', '.join(damage)}); start over with --fresh"
            )

    def _warn_of_other_software(self, saved, path, warn):
        now = self.environment
        changed = [f"{key} {now[key]}, not {saved.get(key)}" for key in BITS if now[key] != saved.get(key)]
        if changed:
            warn(
                f"{path} was written with other software ({'; '.join(changed)}): the bits may differ from here on"
            )

    def warn_of_mixed_nodes(self, warn):
        """Tell if ranks compute with different instructions: then bits depend on who owns a lane. Collective over `comm`."""
        kinds = sorted({tuple(found[key] for key in BITS) for found in self.comm.allgather(environment())})
        if len(kinds) > 1:
            several = "; ".join(", ".join(kind) for kind in kinds)
            warn(
                f"ranks compute in different ways ({several}): bits depend on who owns a lane; set OPENBLAS_CORETYPE on all"
            )

    def sampled(self):
        """Return the Vectors that samples are made from, by player. Collective over `comm`."""
        return {name: player.sampled() for name, player in self.players.items()}

    def _states(self):
        return {name: player.state for name, player in self.players.items()}

    def run(self, hooks, stop=False):
        """Train to config.train.steps. After each step every hook is called as hook(training, statistics, last).

        When `stop` turns true on any rank, all stop after the same step. Raises RunError then, after the hooks have seen that
        step as the last, and when a loss is no longer finite.
        """
        steps = self.config.train.steps
        # A number that overflows ends in a loss that is not finite, which stops the run with more than a warning.
        with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
            while self.step < steps:
                statistics = self._step(stop)
                stopping = sum(values.pop("stop") for values in statistics.values()) > 0
                self.step += 1
                with self.watch("hooks"):
                    for hook in hooks:
                        hook(self, statistics, stopping or self.step == steps)
                if stopping and self.step < steps:
                    raise RunError(
                        f"stopped by a signal after step {self.step}, saved in {self.saved}; run again to go on"
                    )

    def _step(self, stop):
        """Let the players take their turns once; return {player: {statistic: mean over samples}} of each one's last turn."""
        mine, watch, drawn = self.lanes.slice(self.comm.rank), self.watch, None
        statistics = {}
        for name, draw in self.model.turns:
            player = self.players[name]
            if draw != drawn:
                with watch("data"):
                    number = self.step * self._draws + draw
                    batches, drawn = (
                        {lane: self._batch(number, lane) for lane in range(mine.start, mine.stop)},
                        draw,
                    )

            def gradient(task):
                lane, grad = task
                self.model.gradient(name, self.theta, batches[lane], grad)
                if self.config.train.recompute:
                    batches[lane].kept.clear()
                grad["stop"][...] = bool(stop)
                return lane, grad

            with watch("compute"):
                tasks = ((lane, player.exchange.vector()) for lane in batches)
                for lane, grad in self.workers.each(gradient, tasks):
                    player.exchange.add(lane, grad)
            statistics[name] = player.update(self.step, watch)
            self._require_finite(name, statistics[name])
        return statistics

    def _batch(self, number, lane):
        """Return the lane's Batch of that number, counted over the run."""
        rows, model, seed = self.shards.batch(number, lane), self.model, self.config.seed
        return Batch(
            len(rows),
            model.units.encode(rows.samples),
            model.noise(stream(seed, Purpose.NOISE, number, lane), len(rows)),
            model.input_units.encode(rows.inputs) if model.input_units else None,
            rows.labels,
            lambda i: stream(seed, Purpose.DROPOUT, number, lane, i),
            self.step,
        )

    def _require_finite(self, player, statistics):
        if not math.isfinite(statistics["loss"]):
            raise RunError(
                f"step {self.step + 1}: the {player}'s loss is {statistics['loss']}; {self._last_good()}"
            )

    def save(self, path):
        """Write a checkpoint; one that is not finite is refused like a loss that is not. Collective over `comm`."""
        for name, player in self.players.items():
            arrays = [player.state.theta.data, *player.state.parts.values()]
            if not self.comm.allreduce(all(np.isfinite(array).all() for array in arrays), op=MPI.LAND):
                raise RunError(
                    f"step {self.step}: the {name}'s numbers are no longer finite; {self._last_good()}"
                )
        schema, fingerprint = self.shards.schema, self.shards.fingerprint
        saving.save(
            path, self.comm, self.step, self.config, schema, fingerprint, self.environment, self._states()
        )
        self.saved = path

    def _last_good(self):
        good = f"the last good checkpoint is {self.saved}" if self.saved else "there is no checkpoint yet"
        return f"{good}; lower optimizer.learning_rate"


def deal_lanes(config, size):
    """Return the Partition of lanes over `size` ranks, in proportion to parallel.weights if given. Raises InputError."""
    lanes, weights = config.train.lanes, config.parallel.weights
    if size > lanes:
        raise InputError(
            f"{size} ranks are more than train.lanes = {lanes}; start at most {lanes} ranks or set more lanes"
        )
    if not weights:
        return Partition.even(lanes, size)
    if len(weights) != size:
        raise InputError(
            f"parallel.weights has {len(weights)} numbers for {size} ranks; give one a rank, or none"
        )
    return Partition.weighted(lanes, weights)
