"""The training loop: lanes, players and steps. Hooks do everything that happens between steps."""

import json
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from math import prod
from pathlib import Path
from typing import Protocol

import numpy as np
from mpi4py import MPI

from hpcgen.checkpoints.folder import set_aside
from hpcgen.checkpoints.opening import part_of_run, verify
from hpcgen.checkpoints.saving import RunState, restore, save
from hpcgen.checkpoints.state import PlayerState
from hpcgen.config.sections import Config
from hpcgen.data.shards import Shards
from hpcgen.errors import DamagedError, InputError, RunError
from hpcgen.models import MODELS
from hpcgen.models.batch import Batch
from hpcgen.nn.vector import Vector
from hpcgen.parallel.agreement import from_root
from hpcgen.parallel.cells import Grid
from hpcgen.parallel.deal import Deal, deal
from hpcgen.parallel.exchange import EXCHANGES
from hpcgen.parallel.mesh import LARGEST_COUNT, Mesh
from hpcgen.parallel.placement.network import divide
from hpcgen.parallel.stopwatch import Stopwatch
from hpcgen.parallel.team import Team
from hpcgen.parallel.threads import Workers
from hpcgen.runtime import environment, lane_threads, one_blas_thread
from hpcgen.streams import Purpose, stream
from hpcgen.training.player import Player
from hpcgen.training.schedule import Schedule, Statistics

logger = logging.getLogger(__name__)

# The entries of the environment on which the bits depend.
BITS_DEPEND_ON = ("numpy", "simd", "blas", "machine")

HookFunction = Callable[["Training", Statistics, bool], None]


class Flag(Protocol):
    """An object that may become true during a run, such as a `StopRequest`."""

    def __bool__(self) -> bool:
        """Return whether the run must stop."""


class Training:
    """A run on this rank: the model, its players, its shards, and the step that it has reached.

    It computes in `threads` threads (0: as many as `lane_threads` says). Collective over `comm`. Raises
    InputError if the configuration does not fit the data or the ranks.
    """

    def __init__(self, config: Config, comm: MPI.Comm, threads: int = 0) -> None:
        self.config, self.step, self.watch, self._threads = config, 0, Stopwatch(), threads
        self.saved: Path | None = None
        self.deal = deal_of(config, comm.size)
        with ExitStack() as resources:
            self._open(comm, resources)
            self._resources = resources.pop_all()

    def _open(self, comm: MPI.Comm, resources: ExitStack) -> None:
        """Make all parts of the run. `resources` releases them."""
        config, train = self.config, self.config.train
        self.mesh = mesh = Mesh.of(comm, self.deal.space)
        resources.callback(mesh.close)
        self.lane_workers, self.cell_workers = self._workers()
        resources.callback(self.lane_workers.close)
        resources.callback(self.cell_workers.close)
        model, team = MODELS[config.model.kind], self._team()
        self.shards = Shards(
            config.data.path, mesh.data, self.deal, train.lane_size, config.seed, config.data.block, team
        )
        resources.callback(self.shards.close)
        self.model = model(config.model, self.shards.schema)
        if team is not None:
            divide(self.model, team)
        self.players = {}
        for i, name in enumerate(self.model.players):
            self.players[name] = player = self._player(i, name)
            resources.callback(player.exchange.close)
        threads = max(self.lane_workers.threads, self.cell_workers.threads)
        self.environment = mesh.world.bcast(environment() | {"threads": str(threads)})
        self.schedule = Schedule(
            self.model,
            self.players,
            self.deal,
            mesh.data.rank,
            self.lane_workers,
            self._batch,
            self.watch,
            train.recompute,
        )

    @property
    def theta(self) -> dict[str, Vector]:
        """The parameters of each player."""
        return {name: player.state.theta for name, player in self.players.items()}

    def _workers(self) -> tuple[Workers, Workers]:
        """Return the threads that compute lanes, and those that compute the cells of a lane. Collective."""
        threads, rank = self._threads or lane_threads(self.mesh.world), self.mesh.data.rank
        # The ranks of a team must compute their lanes in the same order.
        lanes = min(threads, len(self.deal.lanes_of(rank))) if self.deal.space == 1 else 1
        cells = min(threads, lanes * len(self.deal.cells_of(rank))) if threads > lanes else 1
        return Workers(lanes), Workers(cells)

    def _team(self) -> Team | None:
        """Return the team of this rank, or None if samples are not divided."""
        cells, rank = self.config.train.grid, self.mesh.data.rank
        if not cells:
            return None
        deal = self.deal.cells_in(self.deal.team(rank))
        return Team(self.mesh.team, Grid(cells), deal, self.cell_workers, self.watch)

    def _player(self, index: int, name: str) -> Player:
        layout = Schedule.layout(self.model.layouts[name])
        if layout.size > LARGEST_COUNT:
            raise InputError(
                f"model: the {name} has {layout.size:,} numbers; MPI can exchange at most {LARGEST_COUNT:,}"
            )
        exchange = EXCHANGES[self.config.parallel.exchange](
            self.mesh.data, layout, self.deal, lambda: Vector(layout)
        )
        theta = Vector(layout.state())
        self.model.initialize(name, theta, stream(self.config.seed, Purpose.INITIALIZE, index))
        turns = sum(name == player for player, _ in self.model.turns)
        return Player(self.config.optimizer[name], exchange, theta, turns, self.model.limits.get(name))

    def close(self) -> None:
        """Release the threads, the files, the communicators, and the resources of the exchanges."""
        self._resources.close()

    def resume(self, paths: Iterable[Path]) -> None:
        """Resume from the first whole checkpoint of `paths`. A damaged checkpoint is renamed, with a warning.

        Collective over `mesh.world`. Raises InputError if there are checkpoints and none is whole. Raises
        UnreadableError if the system cannot read a checkpoint, which is then not renamed.
        """
        damaged = []
        for path in paths:
            try:
                with part_of_run(path):
                    verify(path, self.mesh.world)
                attributes = restore(
                    path, self.mesh.world, self.config, self.shards.fingerprint, self._states()
                )
            except DamagedError as error:
                aside = from_root(self.mesh.world, set_aside, path)
                logger.warning("skipped: %s; it is now %s", error, aside.name)
                damaged.append(aside.name)
                continue
            self._warn_of_other_software(json.loads(attributes["environment"]), path)
            self.step, self.saved = attributes["step"], path
            return
        if damaged:
            raise InputError(
                f"none of the run's checkpoints is whole ({', '.join(damaged)}); start over with --fresh"
            )

    def _warn_of_other_software(self, saved: Mapping[str, str], path: Path) -> None:
        now = self.environment
        changed = [
            f"{key} {now[key]}, not {saved.get(key)}" for key in BITS_DEPEND_ON if now[key] != saved.get(key)
        ]
        if changed:
            logger.warning(
                "%s was written with other software (%s): the bits may differ from here on",
                path,
                "; ".join(changed),
            )

    def warn_of_mixed_nodes(self) -> None:
        """Warn if ranks compute with different instructions: then the bits depend on which rank owns a lane.

        Collective over `mesh.world`.
        """
        found = self.mesh.world.allgather(environment())
        kinds = sorted({tuple(each[key] for key in BITS_DEPEND_ON) for each in found})
        if len(kinds) > 1:
            logger.warning(
                "the ranks compute with different software or instructions (%s): the bits depend on which "
                "rank owns a lane; set OPENBLAS_CORETYPE to the same value on all ranks",
                "; ".join(", ".join(kind) for kind in kinds),
            )

    def sampled(self) -> dict[str, Vector]:
        """Return the Vectors to draw samples with, by player. Collective over `mesh.data`."""
        return {name: player.sampled() for name, player in self.players.items()}

    def _states(self) -> dict[str, PlayerState]:
        return {name: player.state for name, player in self.players.items()}

    def run(self, hooks: Iterable[HookFunction], stop: Flag = False) -> None:
        """Train up to step config.train.steps. After each step, call each hook as hook(training, statistics,
        last).

        If `stop` becomes true on any rank, all ranks stop after the same step. Collective over `mesh.world`.
        Raises RunError if a loss is not finite. Also raises RunError after an early stop: the hooks have then
        been called with last = True.
        """
        hooks, steps = list(hooks), self.config.train.steps
        # Overflow warnings are not needed: a loss that is not finite ends the run with an error.
        with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
            while self.step < steps:
                statistics, stopping = self.schedule.step(self.step, bool(stop))
                self._require_finite(statistics)
                self.step += 1
                with self.watch("hooks"):
                    for hook in hooks:
                        hook(self, statistics, stopping or self.step == steps)
                if stopping and self.step < steps:
                    raise RunError(
                        f"stopped by a signal after step {self.step}, saved in {self.saved}; "
                        "run again to resume"
                    )

    def _batch(self, step: int, draw: int, lane: int) -> Batch:
        """Return the lane's Batch number `draw`, counted over the whole run."""
        rows, seed = self.shards.batch(draw, lane), self.config.seed
        return self.model.batch(
            len(rows),
            samples=rows.samples,
            inputs=rows.inputs,
            labels=rows.labels,
            noise=self.model.noise(stream(seed, Purpose.NOISE, draw, lane), len(rows)),
            random=lambda i: stream(seed, Purpose.DROPOUT, draw, lane, i),
            step=step,
        )

    def _require_finite(self, statistics: Statistics) -> None:
        for player, values in statistics.items():
            if not math.isfinite(values["loss"]):
                raise RunError(
                    f"step {self.step + 1}: the {player}'s loss is {values['loss']}; {self._last_good()}"
                )

    def save(self, path: Path) -> None:
        """Write a checkpoint. Raises RunError if a number is not finite. Collective over `mesh.world`."""
        for name, player in self.players.items():
            arrays = [player.state.theta.data, *player.state.parts.values()]
            if not self.mesh.world.allreduce(all(np.isfinite(array).all() for array in arrays), op=MPI.LAND):
                raise RunError(
                    f"step {self.step}: the {name}'s numbers are no longer finite; {self._last_good()}"
                )
        schema, fingerprint = self.shards.schema, self.shards.fingerprint
        state = RunState(self.step, self.config, schema, fingerprint, self.environment, self._states())
        save(path, self.mesh.world, state)
        self.saved = path

    def _last_good(self) -> str:
        good = f"the last good checkpoint is {self.saved}" if self.saved else "there is no checkpoint yet"
        return f"{good}; lower optimizer.learning_rate"


def deal_of(config: Config, ranks: int) -> Deal:
    """Return the Deal of the run's lanes and cells among `ranks` ranks. Raises InputError."""
    asked = config.parallel
    return deal(config.train.lanes, prod(config.train.grid), ranks, asked.space, asked.weights)
